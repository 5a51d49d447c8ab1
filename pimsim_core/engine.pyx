"""The engine: a kernel with a clock, and what the host may ask and do."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from pimsim_core.critical_path cimport CriticalPath
from pimsim_core.crossbar cimport Crossbar
from pimsim_core.dram_ports cimport DramPorts
from pimsim_core.event_queue cimport NEVER, EventQueue
from pimsim_core.figures cimport Figures
from pimsim_core.network cimport Network
from pimsim_core.ports cimport Ports
from pimsim_core.queue cimport Queue
from pimsim_core.records cimport CROSSBAR, DRAM, KICK, LET_GO, PORTS, QUEUE, SUBMIT, TIMELINE, VISITS, as_rows, joined
from pimsim_core.time_bins cimport TimeBins

from pimsim_core.records import CAUSES, record_dtype


cdef class Engine(Figures):
    """A machine made of numbers, and the clock that drives it.

    Parameters
    ----------
    net : mapping of str to numpy.ndarray
        The arrays of a frozen `pimsim.netlist.netlist.Netlist`: records ``resources``, ``steps``, ``costs``, ``mvms``,
        ``actors``, ``inputs``, ``outputs``, ``casts``, ``trees``, ``leaves``, ``streams`` (see `record_dtype`), the
        arrays ``first_cast``, ``last_cast`` (by actor) and ``pieces``, the CSR arrays ``path_ptr``,
        ``consumer_ptr``, ``consumers``, ``input_actor``, ``producer_ptr``, ``producers``, the energy of visits
        ``charge_ptr``, ``charge_part``, ``charge_pj`` (CSR by kind of visit, pJ), ``charge_sum``, and the firing
        tables ``table`` with ``table_ptr``. Times in fs.
    parts, ops : int
        How many kinds of parts and how many ops charges are kept for.
    record : bool
        Keep a log of every visit, and the critical path itself: for tests.
    network : pimsim_core.network.Network, optional
        What steps with a route go through; made with `tracking`.
    network_period : int
        Of its clock, in fs.
    tiles : int
        How many tiles energy and the fill of buffers are kept for; what is in none goes to a row after the last.
    energy_parts : int
        How many parts `charge_part` knows.
    timeline : (int, int, int), optional
        Keep a log of what holds what, and the critical path itself: what lies between two times, in fs, and at most so
        many records. Where there are more, only every second firing of an actor is kept, or every fourth, and so on.
    services : sequence of pimsim_core.service.Service
        Further ones, numbered from 4 on, that steps and resources name in their ``service``.
    memory : pimsim_core.dram_ports.DramPorts, optional
        The channels that steps with an access go to.
    """

    def __init__(
        self, net, int32_t parts, int32_t ops, bint record=False, Network network=None, int64_t network_period=1,
        int32_t tiles=0, int32_t energy_parts=0, timeline=None,
        services=(), DramPorts memory=None,
    ):
        self.resources = net["resources"]
        self.steps, self.costs = net["steps"], net["costs"]
        self.own_steps = self.steps.shape[0]
        self.path_ptr = net["path_ptr"]
        self.actors = net["actors"]
        self.inputs = net["inputs"]
        self.outputs = net["outputs"]
        self.first_cast = net["first_cast"]
        self.last_cast = net["last_cast"]
        self.casts = net["casts"]
        self.trees = net["trees"]
        self.pieces = net["pieces"]
        self.leaves = net["leaves"]
        self.streams = net["streams"]
        self.table = net["table"]
        self.table_ptr = net["table_ptr"]
        self.consumer_ptr = net["consumer_ptr"]
        self.consumers = net["consumers"]
        self.input_actor = net["input_actor"]
        self.producer_ptr = net["producer_ptr"]
        self.producers = net["producers"]
        self.n_parts = parts
        self.n_ops = ops
        self.n_actors = <int32_t>self.actors.shape[0]
        self.recording = (VISITS if record else 0) + (TIMELINE if timeline is not None else 0)
        self.record_begin, self.record_end, self.record_most = timeline if timeline is not None else (0, 0, 1)
        self.record_every = 1
        self.log = np.zeros(1024, dtype=record_dtype("record"))
        if net["charge_part"].max(initial=-1) >= energy_parts:
            raise ValueError(f"energy of part {net['charge_part'].max()}, but energy_parts is {energy_parts}")
        if max(net["resources"]["tile"].max(initial=0), net["streams"]["tile"].max(initial=0)) > tiles:
            raise ValueError(f"a resource or stream in tile {tiles + 1} or later, but tiles is {tiles}")
        self.select_ptr = net["select_ptr"]
        self.selected = np.zeros(max(1, int(net["select_ptr"].max(initial=0))), dtype=np.int32)
        self.charge_ptr = net["charge_ptr"]
        self.charge_part = net["charge_part"]
        self.charge_pj = net["charge_pj"]
        self.charge_sum = net["charge_sum"]
        self.part_energy, self.tile_energy = TimeBins(energy_parts), TimeBins(tiles + 1)
        self.activity, self.fill = TimeBins(ops), TimeBins(tiles + 1)
        self.tile_fill, self.tile_most, self.tile_since = np.zeros((3, tiles + 1), dtype=np.int64)
        self.op_begin = np.full(ops, NEVER, dtype=np.int64)
        self.op_end = np.zeros(ops, dtype=np.int64)
        self.op_waited = np.zeros((parts, ops), dtype=np.int64)
        self.op_held_up = np.zeros((ops, ops), dtype=np.int64)
        self.milestones = []
        self.finished_jobs = []
        self.wants, self.quiet, self.kept_jobs, self.job_nodes = [], [], set(), {}
        self.allowances = {}
        self.n_sites = 1 + net["actors"]["site"].max(initial=-1)
        self.site_firings, self.site_wanting = np.zeros((2, self.n_sites + 1), dtype=np.int32)
        self.site_since, self.watch_from, self.watch_span = np.zeros((3, self.n_sites + 1), dtype=np.int64)
        self.queue = EventQueue(max(4096, 2 * self.n_actors))
        places = [int(row["place"].max(initial=-1)) for row in (net["resources"], net["streams"])]
        self.first_resource = int(net["resources"]["place"].min(initial=0))
        self.path = CriticalPath(
            len(CAUSES) * parts * ops, places=1 + max(places), record=self.recording != 0
        )
        self.done = -1
        self.path.now = 0
        self.crossbar, self.ports = Crossbar(net["mvms"]), Ports(network, network_period)
        self.servers, self.memory = Queue(), DramPorts() if memory is None else memory
        self.services = [self.servers, self.crossbar, self.ports, self.memory, *services]
        self.next_times = np.full(len(self.services), NEVER, dtype=np.int64)
        self._assign_services(0)
        if network is not None:
            network.keep_crossings = timeline is not None
        self.walkers = np.zeros(1024, dtype=record_dtype("walker"))
        self.holds = np.zeros(1024, dtype=record_dtype("hold"))
        self.notes = np.zeros(1024, dtype=record_dtype("note"))
        self.free_walker = self.free_hold = self.free_note = -1
        self._free_walkers(0)
        self._free_holds(0)
        self._free_notes(0)
        self.hot_actors = np.zeros(max(1, self.n_actors), dtype=np.int32)
        self.hot_resources = np.zeros(max(1, self.resources.shape[0]), dtype=np.int32)
        self.hot_streams = np.zeros(max(1, self.streams.shape[0]), dtype=np.int32)
        self.last_node = -1
        self._set_up()

    def _set_up(self):
        cdef int64_t places = 0, lowest
        cdef int32_t i, j
        for i in range(self.resources.shape[0]):
            self.resources[i].idle = self.resources[i].servers
            self.resources[i].head = self.resources[i].tail = self.resources[i].fresh = -1
            self.resources[i].release_node = -1
        for i in range(self.streams.shape[0]):
            self.streams[i].first_place = places
            places += self.streams[i].capacity
            self.streams[i].arrivals = self.streams[i].credits = -1
            lowest = NEVER
            for j in range(self.consumer_ptr[i], self.consumer_ptr[i + 1]):
                lowest = min(lowest, self.inputs[self.consumers[j]].freed)
            self.streams[i].freed = lowest
        self.ring = np.zeros(max(1, places), dtype=np.uint8)
        for i in range(self.n_actors):
            self.actors[i].end_node = self.actors[i].permit_node = -1
            self.actors[i].ended_time = -1
            self.actors[i].allowed_at = self.actors[i].opens_at = NEVER
            self.actors[i].wanted_node = self.actors[i].gate_node = -1
            if self.actors[i].site < 0:
                self.actors[i].site = self.n_sites
            if self.actors[i].firings > 0:
                self.unfinished += 1
            if self.actors[i].limit < self.actors[i].firings:
                self.gated += 1
            self.queue.push(0, <int64_t>i * 8 + KICK)
        if self.gated == 0:
            self.queue.push(0, LET_GO)
        for i, service in enumerate(self.services):
            service.attach(self, i)

    def run(self, until=None, int64_t budget=1 << 20, bint deaf=False):
        """Advance to an instant, or until something that the host watches has happened.

        Parameters
        ----------
        until : int, optional
            Process the instants before this time (fs), not the one at it; None is to the end.
        budget : int
            Return after about this many events, so that the caller can show progress and take signals.
        deaf : bool
            Go on where something has happened.

        Returns
        -------
        bool
            Whether there is something to look at in `take_notices`.
        """
        cdef int64_t horizon = NEVER if until is None else until
        cdef int64_t stop = self.events + budget
        cdef int64_t time, alone
        while self.events < stop and (deaf or not self.noticed):
            time = self.queue.next_time()
            alone = self.service_time()
            if alone < time:  # nobody else has anything to do
                if alone >= horizon:
                    break
                self.now = self.path.now = alone
                self.alone = min(time, horizon)
                self.events += 1
                self.run_services(alone)
                self.done = self.now
                continue
            if time >= horizon or time == NEVER:
                break
            self.instant(time)
        return self.noticed

    @property
    def next_time(self):
        """Time of the next event in fs, or None if nothing will ever happen again by itself."""
        cdef int64_t time = min(self.queue.next_time(), self.service_time())
        return None if time == NEVER else time

    @property
    def finished(self):
        """Whether every actor has done all its firings."""
        return self.unfinished == 0

    def take_notices(self):
        """Return and forget what has happened.

        Returns
        -------
        milestones : list of (actor, count, time)
        jobs : list of int
            The numbers of those that are over.
        wants : list of (site, actor, time)
            Sites (-1 is none) with a closed actor that could have started at a time; the first one alone.
        quiet : list of int
            Sites that were watched and have been without work; see `watch`.
        """
        found = self.milestones, self.finished_jobs, self.wants, self.quiet
        self.milestones, self.finished_jobs, self.wants, self.quiet = [], [], [], []
        self.noticed = False
        return found

    def converting(self, int32_t resource, int64_t time):
        """Return whether conversions of what arrays have read are under way at a time, now or before the next event."""
        return self.crossbar.converting(resource, time)

    def redirect(
        self, int32_t step, resource=None, route=None, terminal=None, occupancy=None, latency=None, flits=None, mvm=None, tally=None,
    ):
        """Let a step go elsewhere from now on, or cost something else.

        Who has asked already is served as it was.

        Parameters
        ----------
        step : int
            As the netlist numbers them; see `first_step`.
        resource, route, terminal, occupancy, latency, flits, mvm, tally : int, optional
            As in the netlist, times in fs, `mvm` as from `add_mvm`; what is not given stays.
        """
        rows = as_rows(self.steps, "step")
        visitors = as_rows(self.walkers, "walker")["visit"]
        if (visitors == step).any():
            self._append_paths(rows[step : step + 1].copy(), [1])
            rows = as_rows(self.steps, "step")
            visitors[visitors == step] = len(rows) - 1
        first = rows["cost"][step]
        costs = as_rows(self.costs, "cost")[first : first + rows["arguments"][step]].copy()
        costs["visits"] = 0
        rows["cost"][step] = self.costs.shape[0]
        for name, value in (("occupancy", occupancy), ("latency", latency), ("flits", flits), ("tally", tally)):
            if value is not None:
                costs[name] = value
        for name, value in (("resource", resource), ("route", route), ("terminal", terminal), ("mvm", mvm)):
            if value is not None:
                rows[name][step] = value
        self.costs = joined(self.costs, costs)
        self._assign_services(step, step + 1)

    def _assign_services(self, int64_t first, last=None):
        """Let steps be served as their rows say, unless they name a service of their own."""
        rows = as_rows(self.steps, "step")[first:last]
        usual = np.where(rows["mvm"] >= 0, CROSSBAR, np.where(rows["route"] >= 0, PORTS, QUEUE))
        usual = np.where(rows["access"] >= 0, DRAM, usual)
        rows["service"] = np.where(rows["service"] > DRAM, rows["service"], usual)

    def select(self, int32_t selector, int64_t inference, int32_t choice):
        """Let an inference take the `choice`-th, from 0, of the paths, or of the costs, that a selector chooses from."""
        self.selected[self.select_ptr[selector] + inference] = choice

    def add_resources(self, rows):
        """Append idle resources for jobs, and return the number of the first; the others follow it.

        Each row is period (fs), servers, link, cause and part, as in the netlist.
        """
        cdef int64_t first = self.resources.shape[0]
        more = np.zeros(len(rows), dtype=record_dtype("resource"))
        more["period"], more["servers"], more["link"], more["cause"], more["part"] = np.array(rows, dtype=np.int64).T
        more["idle"], more["place"] = more["servers"], self.first_resource + first + np.arange(len(rows))
        more["tile"] = self.tile_fill.shape[0] - 1
        for name in ("head", "tail", "fresh", "release_node"):
            more[name] = -1
        self.path.add_places(len(rows))
        self.resources = joined(self.resources, more)
        self.hot_resources = np.append(np.asarray(self.hot_resources), np.zeros(len(rows), dtype=np.int32))
        for service in self.services:
            service.extend()
        return first

    def add_mvm(self, phases, setup, read, convert, tail, bank, shared):
        """Append a kind of multiplication for jobs and return its number; see `pimsim.netlist.rows.Mvm`."""
        return self.crossbar.add_mvm(phases, setup, read, convert, tail, bank, shared)

    def add_energy_part(self):
        """Make room for the energy of one more part, and return its number."""
        self.part_energy.add_row()
        return np.asarray(self.part_energy.sums).shape[0] - 1

    def add_charge(self, parts, energy):
        """Append a kind of visit and return its number: what one costs, pJ, by the numbers of the parts."""
        self.charge_part = np.append(np.asarray(self.charge_part), np.array(parts, dtype=np.int32))
        self.charge_pj = np.append(np.asarray(self.charge_pj), np.array(energy, dtype=np.float64))
        self.charge_ptr = np.append(np.asarray(self.charge_ptr), np.int32(self.charge_part.shape[0]))
        self.charge_sum = np.append(np.asarray(self.charge_sum), np.float64(sum(energy)))
        return self.charge_sum.shape[0] - 1

    def add_paths(self, paths, ops):
        """Append paths for jobs and return the number of the first; the others follow it.

        Parameters
        ----------
        paths : sequence of sequences of rows of twelve
            Resource, occupancy and latency (fs), `mvm`, `route`, terminal, flits, charge, cause and tally, as in the
            netlist, and bursts at a channel of a memory and whether these are written; 0 bursts are none, and -1 is an
            ordinary visit's `mvm` and `route`, no `charge`, the resource's `cause`, no `tally`.
        ops : sequence of int, shape (paths,)
            That their visits count for.
        """
        lengths = np.array([len(path) for path in paths], dtype=np.int64)
        values = np.array([row for path in paths for row in path], dtype=np.int64).reshape(-1, 12).T
        more = np.zeros(int(lengths.sum()), dtype=record_dtype("step"))
        costs = np.zeros(len(more), dtype=record_dtype("cost"))
        more["resource"], more["mvm"], more["route"], more["terminal"], more["cause"] = values[[0, 3, 4, 5, 8]]
        costs["occupancy"], costs["latency"], costs["flits"], costs["charge"] = values[[1, 2, 6, 7]]
        costs["tally"], costs["program"], costs["bursts"] = values[9], -1, values[10]
        more["access"] = [
            self.memory.add_access(at, bursts, write) if bursts else -1 for at, bursts, write in values[[0, 10, 11]].T.tolist()
        ]
        more["cost"] = np.arange(self.costs.shape[0], self.costs.shape[0] + len(more))
        more["argument"], more["arguments"], costs["op"] = -1, 1, np.repeat(np.asarray(ops), lengths)
        self.costs = joined(self.costs, costs)
        return self._append_paths(more, lengths)

    def _append_paths(self, rows, lengths):
        cdef int32_t first = <int32_t>self.path_ptr.shape[0] - 1
        ends = len(self.steps) + np.cumsum(lengths)
        self.steps = joined(self.steps, rows)
        self._assign_services(len(self.steps) - len(rows))
        self.path_ptr = np.append(np.asarray(self.path_ptr), ends.astype(np.int32))
        return first

    def first_step(self, int32_t path):
        """Return the number of the first step of a path."""
        return self.path_ptr[path]

    def submit(self, int32_t path, int64_t job, int64_t time, int32_t op, bint keep=False, int32_t after=-1):
        """Send a walker of a SimPy process along a path; `take_notices` names `job` when it is through.

        At an instant that is done, it comes to its first resource at the next clock edge. With `keep`, `open` can say
        that something waited for its end. The critical path behind it is that of what made the closed actor `after`
        want to start, if there is one.

        Raises
        ------
        ValueError
            If `time` lies before the present.
        """
        if time < self.now:
            raise ValueError(f"time {time} fs lies before the present, {self.now} fs")
        cdef int32_t w = self.new_walker(self.n_actors, -1, job, path, op)
        cdef int32_t cause = self.path.root
        if after >= 0 and self.actors[after].wanted_node >= 0:
            cause = self.actors[after].wanted_node
        self.walkers[w].node = self.path.new(cause, time, self.walkers[w].label, -1)
        if keep:
            self.kept_jobs.add(job)
        if time > self.done:
            self.queue.push(time, <int64_t>w * 8 + SUBMIT)
        else:
            self.request_later(w)

    def open_phase(self):
        """Charge what comes after the present to a phase of its own."""
        self.path.open_phase(self.now)

    def move_phase(self):
        """Let the phase that is open now begin at the present."""
        self.path.move_phase(self.now)

    def stop_records(self):
        """Keep no more records from now on, and return the step between the firings of an actor that are kept."""
        self.recording = 0
        if self.ports.network is not None:
            self.ports.network.keep_crossings = False
        return self.record_every
