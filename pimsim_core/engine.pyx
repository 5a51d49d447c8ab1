"""The engine: a kernel with a clock, and what the host may ask and do."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from pimsim_core.critical_path cimport CriticalPath
from pimsim_core.event_queue cimport NEVER, EventQueue
from pimsim_core.kernel cimport CLOCK, DEPENDENCE, KICK, LET_GO, SUBMIT, TIMELINE, VISITS, Kernel, align
from pimsim_core.network cimport Network
from pimsim_core.time_bins cimport TimeBins

from pimsim_core.kernel import CAUSES, record_dtype


cdef class Engine(Kernel):
    """A machine made of numbers, and the clock that drives it.

    Parameters
    ----------
    net : mapping of str to numpy.ndarray
        The arrays of a frozen `pimsim.netlist.netlist.Netlist`: records ``resources``, ``steps``, ``mvms``,
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
    """

    def __init__(
        self, net, int32_t parts, int32_t ops, bint record=False, Network network=None, int64_t network_period=1,
        int32_t tiles=0, int32_t energy_parts=0, timeline=None,
    ):
        self.resources = net["resources"]
        self.steps = net["steps"]
        self.path_ptr = net["path_ptr"]
        self.mvms = net["mvms"]
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
        self.charge_visits = np.zeros(len(net["charge_sum"]), dtype=np.int64)
        self.part_energy, self.tile_energy = TimeBins(energy_parts), TimeBins(tiles + 1)
        self.activity, self.fill = TimeBins(ops), TimeBins(tiles + 1)
        self.tile_fill, self.tile_most, self.tile_since = np.zeros((3, tiles + 1), dtype=np.int64)
        self.op_begin = np.full(ops, NEVER, dtype=np.int64)
        self.op_end = np.zeros(ops, dtype=np.int64)
        self.op_waited = np.zeros((parts, ops), dtype=np.int64)
        self.op_held_up = np.zeros((ops, ops), dtype=np.int64)
        self.milestones = []
        self.finished_jobs = []
        self.wants, self.kept_jobs, self.job_nodes = [], set(), {}
        self.n_sites = 1 + net["actors"]["site"].max(initial=-1)
        self.site_firings, self.site_wanting = np.zeros((2, self.n_sites + 1), dtype=np.int32)
        self.site_since = np.zeros(self.n_sites + 1, dtype=np.int64)
        self.queue = EventQueue(max(4096, 2 * self.n_actors))
        places = [int(row["place"].max(initial=-1)) for row in (net["resources"], net["streams"])]
        self.first_resource = int(net["resources"]["place"].min(initial=0))
        self.path = CriticalPath(
            len(CAUSES) * parts * ops, places=1 + max(places), record=self.recording != 0
        )
        self.done = -1
        self.path.now = 0
        self.network = network
        self.network_period = network_period
        self.network_next = NEVER
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
            self.resources[i].unsampled = self.resources[i].sampler = self.resources[i].drainer = -1
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
            self.actors[i].asked_at = self.actors[i].opens_at = NEVER
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
        cdef int64_t time
        while self.events < stop and (deaf or not self.noticed):
            time = self.queue.next_time()
            if self.network_next < time:  # nobody else has anything to do
                if self.network_next >= horizon:
                    break
                self.now = self.path.now = self.network_next
                self.events += 1
                self.network_cycle(self.network_next)
                self.done = self.now
                continue
            if time >= horizon or time == NEVER:
                break
            self.instant(time)
        return self.noticed

    # -- what the host may ask and do --------------------------------------------------------------------------

    @property
    def next_time(self):
        """Time of the next event in fs, or None if nothing will ever happen again by itself."""
        cdef int64_t time = min(self.queue.next_time(), self.network_next)
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
        """
        found = self.milestones, self.finished_jobs, self.wants
        self.milestones, self.finished_jobs, self.wants = [], [], []
        self.noticed = False
        return found

    def permit(self, int32_t actor, int64_t limit, int64_t time, bint after_output=False):
        """Allow an actor to start its firings below `limit` from `time` on.

        With `after_output`, the last milestone is what made the host do so: the critical path goes on through it. At
        an instant that is done, they are allowed from the next clock edge on of what the actor visits first.

        Raises
        ------
        ValueError
            If `time` lies before the present.
        """
        cdef int64_t begin = self.effective(actor, time)
        cdef int64_t before = max(self.actors[actor].limit, self.actors[actor].asked)
        cdef int32_t node = self.last_node if after_output and self.last_node >= 0 else -1
        if begin > time:
            node = self.until_edge(actor, self.path.root if node < 0 else node, time, begin)
        elif node >= 0:
            self.path.hold(node)
        if begin > time or self.actors[actor].asked_at == NEVER:
            self.actors[actor].asked = max(self.actors[actor].asked, limit)
            self.actors[actor].asked_at = begin
        else:  # before what was asked at an instant that was done
            self.actors[actor].limit = max(self.actors[actor].limit, limit)
        if self.actors[actor].permit_node >= 0:
            self.path.drop(self.actors[actor].permit_node)
        self.actors[actor].permit_node = node
        self.queue.push(begin, <int64_t>actor * 8 + KICK)
        if before < self.actors[actor].firings <= limit:
            self.gated -= 1
            if self.gated == 0:
                self.queue.push(begin, LET_GO)

    cdef int64_t effective(self, int32_t actor, int64_t time) except -1:
        """When what is asked of an actor takes effect: an instant that is done is done."""
        if time < self.now:
            raise ValueError(f"time {time} fs lies before the present, {self.now} fs")
        if time > self.done:
            return time
        return align(time + 1, self.resources[self.first_resource_of(actor)].period)

    cdef int32_t until_edge(self, int32_t actor, int32_t parent, int64_t time, int64_t begin) except -1:
        """Make a node for what was asked of an actor at a time, because of `parent`, and began at an edge."""
        cdef int32_t r = self.first_resource_of(actor), op = self.actors[actor].op
        cdef int32_t asked = self.path.new(parent, time, self.label_of(DEPENDENCE, self.n_parts - 1, op), -1)
        cdef int32_t node = self.path.new(
            asked, begin, self.label_of(CLOCK, self.resources[r].part, op), self.resources[r].place
        )
        self.path.drop(asked)
        return node

    def close(self, actors):
        """Let actors start no more firings; those under way go on.

        An opening that is still to come is withdrawn.

        Returns
        -------
        list of (site, actor, time)
            Of the actors whose opening was withdrawn, those that could have started since a time; see `take_notices`.
        """
        cdef int32_t a
        wants = []
        for a in actors:
            if not self.actors[a].closed:
                self.actors[a].closed = 1
                self.closed += 1
            elif self.actors[a].opens_at != NEVER:
                self.actors[a].opens_at = NEVER
                if self.actors[a].gate_node >= 0:
                    self.path.drop(self.actors[a].gate_node)
                    self.actors[a].gate_node = -1
                if self.actors[a].wanted_node >= 0:
                    self.site_wanting[self.actors[a].site] += 1
                    wants.append((self.site_of(a), a, self.path.nodes[self.actors[a].wanted_node].begin))
        return wants

    def open(self, actors, int64_t time, int32_t cause, job=None):
        """Let closed actors start firings again from `time` on, or the next edge if that instant is done.

        Parameters
        ----------
        actors : iterable of int
            Those that are open already stay so.
        time : int
            In fs.
        cause : int
            What the time is charged to that an actor has lost: from when it could have started, or from the end of the
            job if that is later, to `time`.
        job : int, optional
            A job that was kept: the critical path of who waited for it goes on through it. It is kept no longer.

        Raises
        ------
        ValueError
            If `time` lies before the present, or the job was not kept or is not over.
        """
        cdef int32_t a, node = -1
        cdef int64_t begin
        if job is not None:
            if job not in self.job_nodes:
                raise ValueError(f"job {job} is not over, or was not kept")
            node = self.job_nodes.pop(job)
        for a in actors:
            begin = self.effective(a, time)
            if not self.actors[a].closed or self.actors[a].opens_at != NEVER:
                continue
            if self.actors[a].wanted_node >= 0:
                self.site_wanting[self.actors[a].site] -= 1
            self.actors[a].opens_at, self.actors[a].opened = begin, time
            self.actors[a].gate_cause, self.actors[a].gate_node = cause, node
            if node >= 0:
                self.path.hold(node)
            self.queue.push(begin, <int64_t>a * 8 + KICK)
        if node >= 0:
            self.path.drop(node)

    def is_closed(self, int32_t actor):
        """Return whether an actor starts no firing until it is opened."""
        return bool(self.actors[actor].closed)

    def site_of(self, int32_t actor):
        """Return the site of an actor, -1 if it is in none."""
        return self.actors[actor].site if self.actors[actor].site < self.n_sites else -1

    def site_figures(self):
        """Return what happens at each site.

        Returns
        -------
        under_way : numpy.ndarray of int32, shape (sites,)
            Firings.
        since : numpy.ndarray of int64, shape (sites,)
            When the last firing ended there, fs; where none is under way the site has had none since then.
        """
        return np.array(self.site_firings)[: self.n_sites], np.array(self.site_since)[: self.n_sites]

    def doing(self, int32_t resource):
        """Return how many servers of a resource are held now, by the number of the cause that they are held for."""
        holds = np.asarray(self.holds)
        own = holds["cause"][(holds["resource"] == resource) & (holds["cause"] >= 0)]
        causes, counts = np.unique(own, return_counts=True)
        held = dict(zip(causes.tolist(), counts.tolist(), strict=True))
        usual = self.resources[resource].servers - self.resources[resource].idle - len(own)
        if usual:  # a multiplication holds its arrays before it is written down
            held[self.resources[resource].cause] = held.get(self.resources[resource].cause, 0) + usual
        return held

    def converting(self, int32_t resource, int64_t time):
        """Return whether conversions of what arrays have read are under way at a time, now or before the next event."""
        cdef int64_t drained = self.resources[resource].drained
        return time < drained or time == drained > max(self.done, 0)

    def redirect(
        self, int32_t step, resource=None, route=None, terminal=None, occupancy=None, latency=None, flits=None, mvm=None,
    ):
        """Let a step go elsewhere from now on, or cost something else.

        Who has asked already is served as it was.

        Parameters
        ----------
        step : int
            As the netlist numbers them; see `first_step`.
        resource, route, terminal, occupancy, latency, flits, mvm : int, optional
            As in the netlist, times in fs, `mvm` as from `add_mvm`; what is not given stays.
        """
        rows = np.asarray(self.steps)
        visitors = np.asarray(self.walkers)["visit"]
        if (visitors == step).any():
            self._append_path(rows[step : step + 1].copy())
            rows = np.asarray(self.steps)
            visitors[visitors == step] = len(rows) - 1
        given = {"resource": resource, "route": route, "terminal": terminal, "occupancy": occupancy}
        given |= {"latency": latency, "flits": flits, "mvm": mvm}
        for name, value in given.items():
            if value is not None:
                rows[name][step] = value

    def select(self, int32_t selector, int64_t inference, int32_t choice):
        """Let an inference take the `choice`-th of the paths that this selector chooses from, counted from 0."""
        self.selected[self.select_ptr[selector] + inference] = choice

    def set_costs(self, rows, int64_t occupancy, int64_t latency, int32_t flits, charges, energy):
        """Change what visits cost that have not begun.

        Parameters
        ----------
        rows : numpy.ndarray of int64
            Steps, as the netlist numbers them.
        occupancy, latency, flits : int
            Of each of them, fs; flits where it is a way through the network.
        charges : numpy.ndarray of int64
            Their kinds of visits, -1 where they cost nothing.
        energy : numpy.ndarray of float64
            What each of those costs, pJ, by the parts of the kind.
        """
        steps = np.asarray(self.steps)
        steps["occupancy"][rows], steps["latency"][rows], steps["flits"][rows] = occupancy, latency, flits
        cdef int64_t charge
        for charge in charges:
            if charge >= 0:
                np.asarray(self.charge_pj)[self.charge_ptr[charge] : self.charge_ptr[charge + 1]] = energy
                self.charge_sum[charge] = float(np.sum(energy))

    def add_resource(self, int64_t period, int32_t servers, int32_t link, int32_t cause, int32_t part):
        """Append a resource for jobs, idle, and return its number; the arguments are as in the netlist."""
        more = np.zeros(1, dtype=record_dtype("resource"))
        more["period"], more["servers"], more["idle"], more["link"] = period, servers, servers, link
        more["cause"], more["part"] = cause, part
        more["place"], more["tile"] = self.first_resource + self.resources.shape[0], self.tile_fill.shape[0] - 1
        for name in ("head", "tail", "fresh", "release_node", "unsampled", "sampler", "drainer"):
            more[name] = -1
        self.path.add_place()
        self.resources = np.concatenate([np.asarray(self.resources), more])
        self.hot_resources = np.concatenate([np.asarray(self.hot_resources), np.zeros(1, dtype=np.int32)])
        return self.resources.shape[0] - 1

    def add_mvm(self, phases, setup, read, convert, tail, bank, shared):
        """Append a kind of multiplication for jobs and return its number; see `pimsim.netlist.netlist.Mvm`."""
        more = np.zeros(1, dtype=record_dtype("mvm"))
        more["phases"], more["setup"], more["read"], more["convert"] = phases, setup, read, convert
        more["tail"], more["bank"], more["shared"] = tail, bank, shared
        self.mvms = np.concatenate([np.asarray(self.mvms), more])
        return self.mvms.shape[0] - 1

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
        self.charge_visits = np.append(np.asarray(self.charge_visits), np.int64(0))
        return self.charge_sum.shape[0] - 1

    def visits_by_charge(self):
        """Return how many visits of each kind that costs energy are over, int64, (kinds,)."""
        return np.array(self.charge_visits)

    def add_path(self, steps):
        """Append a path for jobs and return its number.

        Parameters
        ----------
        steps : sequence of (resource, occupancy_fs, latency_fs, mvm, route, terminal, flits, charge, cause)
            As in the netlist; `mvm` and `route` are -1 for an ordinary visit, `charge` for one without energy, `cause`
            for that of the resource.
        """
        more = np.zeros(len(steps), dtype=record_dtype("step"))
        for row, values in zip(more, steps, strict=True):
            row["resource"], row["occupancy"], row["latency"], row["mvm"] = values[:4]
            row["route"], row["terminal"], row["flits"], row["charge"], row["cause"] = values[4:]
        return self._append_path(more)

    def _append_path(self, rows):
        self.steps = np.concatenate([np.asarray(self.steps), rows])
        self.path_ptr = np.append(np.asarray(self.path_ptr), np.int32(len(self.steps)))
        return self.path_ptr.shape[0] - 2

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

    def charges(self):
        """Return the fs charged on the critical path of the last milestone, int64, (phases, causes, parts, ops)."""
        sums = np.asarray(self.path.charges(self.last_node))
        return sums.reshape(sums.shape[0], len(CAUSES), self.n_parts, self.n_ops)

    def place_charges(self):
        """Return the fs that the critical path of the last milestone spent at each place, int64, (places,)."""
        return self.path.place_charges(self.last_node)

    def critical_path(self):
        """Return the critical path of the last milestone itself, if recording.

        Returns
        -------
        numpy.ndarray of records
            ``begin``, ``end`` in fs, ``label`` (``(cause * parts + part) * ops + op``) and ``place``, from time 0 on.
        """
        return self.path.stretches(self.last_node)

    def resource_figures(self):
        """Return copies of ``visits``, ``busy`` (fs, visits that are over) and ``waited`` (fs) of each resource."""
        rows = np.asarray(self.resources)
        return rows["visits"].copy(), rows["busy"].copy(), rows["waited"].copy()

    def firings_done(self):
        """Return how many firings each actor has ended."""
        return np.asarray(self.actors)["ended"].copy()

    @property
    def live_starts(self):
        """The most starts that the critical path kept at one time."""
        return self.path.peak

    def state_figures(self):
        """Return how long each actor's next firing has been in each state up to now, in fs.

        Returns
        -------
        working, denied : numpy.ndarray of int64, shape (actors,)
            As many firings under way as may be; waiting for the host.
        starved : numpy.ndarray of int64, shape (inputs,)
            Waiting for a token, by the row of the input.
        blocked : numpy.ndarray of int64, shape (outputs,)
            Waiting for a place, by the row of the output.
        """
        cdef int32_t a
        for a in range(self.n_actors):
            self.set_state(a, self.actors[a].state, self.actors[a].lacking)
        actors = np.asarray(self.actors)
        return (
            actors["working"].copy(),
            actors["denied"].copy(),
            np.asarray(self.inputs)["starved"].copy(),
            np.asarray(self.outputs)["blocked"].copy(),
        )

    def op_figures(self):
        """Return the first start and the last end of each op so far, and what its visits waited in queues.

        Returns
        -------
        begin, end : numpy.ndarray of int64, shape (ops,)
            In fs; an op that has not fired ends at 0.
        waited : numpy.ndarray of int64, shape (parts, ops)
            In fs, by the part waited for.
        held_up : numpy.ndarray of int64, shape (ops, ops)
            In fs, by the op that waited and the op that held what it waited for; without the network's channels.
        """
        return np.array(self.op_begin), np.array(self.op_end), np.array(self.op_waited), np.array(self.op_held_up)

    def time_figures(self):
        """Return what the run did over time, in bins of equal width.

        Returns
        -------
        width : int
            Of a bin, in fs.
        part_energy, tile_energy : numpy.ndarray of float64, (parts or tiles + 1, bins)
            Dynamic energy of visits that are over, pJ.
        activity : numpy.ndarray of float64, (ops, bins)
            Firings under way times time, of firings that are over, fs.
        fill : numpy.ndarray of float64, (tiles + 1, bins)
            Bits in buffers times time, fs.
        most : numpy.ndarray of int64, (tiles + 1,)
            The most bits that each tile's buffers ever held.
        """
        cdef int32_t tile
        for tile in range(self.tile_fill.shape[0]):
            if self.tile_fill[tile] > 0 and self.now > self.tile_since[tile]:
                self.fill.add(
                    tile, self.tile_since[tile], self.now,
                    <double>self.tile_fill[tile] * (self.now - self.tile_since[tile]),
                )
                self.tile_since[tile] = self.now
        cdef int64_t width = max(
            self.part_energy.width, self.tile_energy.width, self.activity.width, self.fill.width
        )
        return (
            width,
            self.part_energy.rebinned(width),
            self.tile_energy.rebinned(width),
            self.activity.rebinned(width),
            self.fill.rebinned(width),
            np.array(self.tile_most),
        )

    def stop_records(self):
        """Keep no more records from now on, and return the step between the firings of an actor that are kept."""
        self.recording = 0
        if self.network is not None:
            self.network.keep_crossings = False
        return self.record_every

    def records(self):
        """Return a copy of the log, in the order in which things were over; see `record_dtype`, ``"record"``."""
        return np.asarray(self.log)[: self.n_log].copy()

    @property
    def visit_log(self):
        """Rows of (actor, firing, output, step, grant, leave) in fs, if recording.

        Output -1 is the firing itself; its step -1 is its start.
        """
        rows = self.records()
        rows = rows[rows["kind"] <= 1]
        return rows[["actor", "firing", "output", "step", "begin", "end"]].tolist()

    def stuck(self):
        """Say what each unfinished actor waits for.

        Returns
        -------
        list of (actor, started, [(stream, needed, delivered)], [(stream, token, freed, capacity)])
            Inputs that lack tokens and outputs without a free place.
        """
        rows = []
        cdef int32_t a, i, s
        cdef int64_t k, inference, position, need, token
        for a in range(self.n_actors):
            if self.actors[a].ended == self.actors[a].firings:
                continue
            starved, blocked = [], []
            if self.actors[a].started < self.actors[a].firings:
                k = self.actors[a].started
                inference, position = k // self.actors[a].period, k % self.actors[a].period
                for i in range(self.actors[a].first_input, self.actors[a].last_input):
                    s = self.inputs[i].stream
                    need = self.table[self.table_ptr[self.inputs[i].need] + position]
                    need += inference * self.streams[s].tokens
                    if self.streams[s].delivered < need:
                        starved.append((s, need, self.streams[s].delivered))
                for i in range(self.actors[a].first_output, self.actors[a].last_output):
                    s = self.outputs[i].stream
                    token = self.table[self.table_ptr[self.outputs[i].token] + position]
                    if token >= 0:
                        token += inference * self.streams[s].tokens
                        free = min(self.streams[s].freed, self.streams[s].delivered)
                        if token - self.streams[s].capacity >= free:
                            blocked.append((s, token, free, self.streams[s].capacity))
            rows.append((a, self.actors[a].started, starved, blocked))
        return rows
