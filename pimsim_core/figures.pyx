"""What a run has done so far: times, causes, energy and states, and what those wait for that cannot go on."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from pimsim_core.kernel cimport Kernel

from pimsim_core.records import CAUSES


cdef class Figures(Kernel):
    """A kernel that says what it has done."""

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

    def visits_by_charge(self):
        """Return how many visits are over, by what they cost: (kind of cost, op, program, visits) a row, int64.

        The program is -1 where the visits are of jobs.
        """
        rows = np.asarray(self.costs)
        rows = rows[(rows["charge"] >= 0) & (rows["op"] >= 0)]
        keys = np.stack([rows[name].astype(np.int64) for name in ("charge", "op", "program")], axis=1)
        keys, which = np.unique(keys, axis=0, return_inverse=True)
        sums = np.zeros(len(keys), dtype=np.int64)
        np.add.at(sums, which.ravel(), rows["visits"])
        return np.column_stack([keys, sums])

    def visits_by_tally(self):
        """Return how many visits are over, by what they are counted as beside energy: (number, visits) a row, int64."""
        rows = np.asarray(self.costs)
        rows = rows[rows["tally"] >= 0]
        keys, which = np.unique(rows["tally"].astype(np.int64), return_inverse=True)
        sums = np.zeros(len(keys), dtype=np.int64)
        np.add.at(sums, which, rows["visits"])
        return np.stack([keys, sums], axis=1)

    def charge_figures(self):
        """Return what visits of each kind cost: where its parts begin, (kinds + 1,), the parts, and pJ for each."""
        return np.array(self.charge_ptr), np.array(self.charge_part), np.array(self.charge_pj)

    def firings_done(self):
        """Return how many firings each actor has ended."""
        return np.asarray(self.actors)["ended"].copy()

    def firings_begun(self):
        """Return how many firings each actor has started."""
        return np.asarray(self.actors)["started"].copy()

    def job_busy(self):
        """Return how long jobs have held each resource at least, fs, and whether any has gone through the network."""
        rows = np.asarray(self.steps)[self.own_steps :]
        costs = np.asarray(self.costs)[rows["cost"]]
        held = np.zeros(self.resources.shape[0], dtype=np.int64)
        np.add.at(held, rows["resource"], costs["visits"] * costs["occupancy"])
        return held, bool(((rows["route"] >= 0) & (costs["visits"] > 0)).any())

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
