"""What a machine is while it runs: its tables, what is under way, and the log."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from pimsim_core.event_queue cimport NEVER
from pimsim_core.records cimport DEPENDENCE, GO, HELD, SERVE, TIMELINE, VISITED, Record, grown


cdef class State:
    """The tables of a machine, and the small things that kernel and services do with them."""

    def _free_walkers(self, int64_t first):
        cdef int64_t i
        for i in range(self.walkers.shape[0] - 1, first - 1, -1):
            self.walkers[i].next = self.free_walker
            self.free_walker = <int32_t>i

    def _free_holds(self, int64_t first):
        cdef int64_t i
        for i in range(self.holds.shape[0] - 1, first - 1, -1):
            self.holds[i].resource = -1
            self.holds[i].walker = self.free_hold
            self.free_hold = <int32_t>i

    def _free_notes(self, int64_t first):
        cdef int64_t i
        for i in range(self.notes.shape[0] - 1, first - 1, -1):
            self.notes[i].next = self.free_note
            self.free_note = <int32_t>i

    cdef int32_t new_walker(self, int32_t actor, int32_t output, int64_t firing, int32_t path, int32_t op) except -1:
        cdef int64_t old = self.walkers.shape[0]
        if self.free_walker < 0:
            self.walkers = grown(self.walkers)
            self._free_walkers(old)
        cdef int32_t w = self.free_walker
        self.free_walker = self.walkers[w].next
        self.walkers[w].actor = actor
        self.walkers[w].output = output
        self.walkers[w].firing = firing
        self.walkers[w].step = self.walkers[w].visit = self.path_ptr[path] if path >= 0 else -1
        self.walkers[w].end = self.path_ptr[path + 1] if path >= 0 else 0
        self.walkers[w].tree = self.walkers[w].leaf = -1
        self.walkers[w].op = op
        self.walkers[w].in_bank = 0
        self.walkers[w].served_node = -1
        self.walkers[w].label = self.label_of(DEPENDENCE, self.n_parts - 1, op)
        self.walkers[w].place = -1
        return w

    cdef int32_t new_hold(self, int32_t resource, int32_t w, int32_t label, int32_t cost) except -1:
        """Take a server of a resource for a walker."""
        cdef int64_t old = self.holds.shape[0]
        if self.free_hold < 0:
            self.holds = grown(self.holds)
            self._free_holds(old)
        cdef int32_t h = self.free_hold
        self.free_hold = self.holds[h].walker
        self.holds[h].begin = self.now
        self.holds[h].least = NEVER
        self.holds[h].resource = resource
        self.holds[h].node = self.walkers[w].node
        self.path.hold(self.walkers[w].node)
        self.holds[h].actor = self.walkers[w].actor
        self.holds[h].firing = self.walkers[w].firing
        self.holds[h].output = self.walkers[w].output
        self.holds[h].label = label
        self.holds[h].place = self.resources[resource].place
        self.holds[h].cost = cost
        self.holds[h].cause = self.own_cause(w)
        self.holds[h].walker = -1
        return h

    cdef int32_t new_note(self, int32_t following, int64_t index, int32_t node) except -1:
        cdef int64_t old = self.notes.shape[0]
        if self.free_note < 0:
            self.notes = grown(self.notes)
            self._free_notes(old)
        cdef int32_t n = self.free_note
        self.free_note = self.notes[n].next
        self.notes[n].index = index
        self.notes[n].node = node
        self.path.hold(node)
        self.notes[n].next = following
        return n

    cdef void touch_actor(self, int32_t a) noexcept nogil:
        if not self.actors[a].touched:
            self.actors[a].touched = 1
            self.hot_actors[self.n_hot_actors] = a
            self.n_hot_actors += 1

    cdef void touch_resource(self, int32_t r) noexcept nogil:
        if not self.resources[r].touched:
            self.resources[r].touched = 1
            self.hot_resources[self.n_hot_resources] = r
            self.n_hot_resources += 1

    cdef void touch_stream(self, int32_t s) noexcept nogil:
        if not self.streams[s].touched:
            self.streams[s].touched = 1
            self.streams[s].delivered_before = self.streams[s].delivered
            self.streams[s].freed_before = self.streams[s].freed
            self.hot_streams[self.n_hot_streams] = s
            self.n_hot_streams += 1

    cdef int32_t label_of(self, int32_t cause, int32_t part, int32_t op) noexcept nogil:
        return (cause * self.n_parts + part) * self.n_ops + op

    cdef int32_t path_of(self, int32_t path, int32_t selector, int64_t inference) noexcept nogil:
        """The path that an inference takes of those from `path` on."""
        return path if selector < 0 else path + self.selected[self.select_ptr[selector] + inference]

    cdef bint is_empty(self, int32_t path) noexcept nogil:
        """Whether a path has no steps: nothing is sent, and what it would bring is there at once."""
        return path >= 0 and self.path_ptr[path] == self.path_ptr[path + 1]

    cdef int32_t own_cause(self, int32_t w) noexcept nogil:
        """The cause of a walker's visit if it is not its resource's usual one, or -1."""
        return self.steps[self.walkers[w].visit].cause if self.walkers[w].tree < 0 and not self.walkers[w].in_bank else -1

    cdef void wait_over(self, int32_t w) noexcept nogil:
        """A firing has waited inside its path: what it frees at its end has been under way since now, not its start."""
        if self.walkers[w].served_node >= 0:
            self.path.drop(self.walkers[w].served_node)
            self.walkers[w].served_node = self.walkers[w].node
            self.path.hold(self.walkers[w].node)

    cdef int32_t op_of(self, int32_t a) noexcept nogil:
        """The op of an actor; what no actor does is the host's."""
        return self.actors[a].op if a < self.n_actors else self.n_ops - 1

    cdef int32_t first_resource_of(self, int32_t a) noexcept nogil:
        """What an actor visits first."""
        return self.steps[self.path_ptr[self.actors[a].path]].resource

    cdef int32_t cost_of(self, int32_t w) noexcept nogil:
        """The row of costs of a walker's present step, by the argument of its inference."""
        cdef int32_t step = self.walkers[w].visit
        cdef int32_t selector = self.steps[step].argument
        if selector < 0:
            return self.steps[step].cost
        return self.steps[step].cost + self.selected[self.select_ptr[selector] + self.walkers[w].inference]

    cdef int spend(self, int32_t cost, int32_t tile, int64_t begin, int64_t end) except -1 nogil:
        """Count a visit that is over, and spread its energy over its time."""
        cdef int32_t i, charge = self.costs[cost].charge
        self.costs[cost].visits += 1
        if charge < 0:
            return 0
        for i in range(self.charge_ptr[charge], self.charge_ptr[charge + 1]):
            self.part_energy.add(self.charge_part[i], begin, end, self.charge_pj[i])
        return self.tile_energy.add(tile, begin, end, self.charge_sum[charge])

    cdef int begin_visit(self, int32_t w, int32_t r, int32_t parent, int32_t label, int32_t place) except -1 nogil:
        """A walker is served from now on; the time up to now is charged to a label, from a parent on."""
        cdef int32_t node = self.walkers[w].node, cause = self.own_cause(w)
        self.resources[r].visits += 1
        self.walkers[w].grant = self.now
        if self.path.nodes[node].begin != self.now:
            self.walkers[w].node = self.path.new(parent, self.now, label, place)
            self.path.drop(node)
        self.walkers[w].label = self.label_of(
            cause if cause >= 0 else self.resources[r].cause, self.resources[r].part, self.walkers[w].op
        )
        self.walkers[w].place = self.resources[r].place
        return 0

    cdef int go_on(self, int32_t w, int64_t time) except -1 nogil:
        """Let a walker's visit be over for it at a time that is still to come."""
        return self.queue.push(time, <int64_t>w * 8 + GO)

    cdef int serve_at(self, int32_t w, int64_t time) except -1 nogil:
        """Call the service that a walker is at, at a time that is still to come."""
        return self.queue.push(time, <int64_t>w * 8 + SERVE)

    # -- what the kernel does --------------------------------------------------------------------------------------

    cdef int ask(self, int32_t w, int32_t r) except -1:
        raise NotImplementedError

    cdef int advance(self, int32_t w) except -1:
        raise NotImplementedError

    cdef int finish(self, int32_t w) except -1:
        raise NotImplementedError

    cdef int grant(self, int32_t w, int32_t r) except -1:
        raise NotImplementedError

    cdef int release(self, int32_t h) except -1:
        raise NotImplementedError

    # -- the log ---------------------------------------------------------------------------------------------------

    cdef int keep_record(
        self, int32_t kind, int32_t actor, int64_t firing, int32_t output, int32_t step, int32_t place, int32_t op,
        int64_t begin, int64_t end, int64_t amount,
    ) except -1:
        """Append to the log; of a timeline, only what lies in its window, and every so many firings."""
        cdef Record* record
        if kind >= HELD and (end < self.record_begin or begin > self.record_end or firing % self.record_every):
            return 0
        if self.recording & TIMELINE and self.n_log >= self.record_most:
            self.thin_log()
            if kind >= HELD and firing % self.record_every:
                return 0
        if self.n_log == self.log.shape[0]:
            self.log = grown(self.log)
        record = &self.log[self.n_log]
        record.firing, record.begin, record.end, record.amount = firing, begin, end, amount
        record.kind, record.actor, record.output, record.step = kind, actor, output, step
        record.place, record.op = place, op
        self.n_log += 1
        return 0

    cdef void thin_log(self) noexcept nogil:
        """Keep every second of the firings that were kept so far, from now on as well, until there is room."""
        cdef int64_t i, kept
        while self.n_log > self.record_most // 2 and self.record_every < (<int64_t>1 << 40):
            self.record_every *= 2
            kept = 0
            for i in range(self.n_log):
                if self.log[i].kind < HELD or self.log[i].firing % self.record_every == 0:
                    self.log[kept] = self.log[i]
                    kept += 1
            self.n_log = kept
        self.record_most = max(self.record_most, 2 * self.n_log)

    cdef int log_visit(self, int32_t w, int64_t leave) except -1:
        cdef int32_t a = self.walkers[w].actor
        cdef int32_t step = self.walkers[w].step
        cdef int32_t i, path = -1
        cdef int64_t inference, grant = self.walkers[w].grant
        if self.walkers[w].leaf >= 0:
            step = -1
        else:
            if a < self.n_actors:
                i = self.actors[a].first_output + self.walkers[w].output
                inference = self.walkers[w].firing // self.actors[a].period
                if self.walkers[w].output >= 0:
                    path = self.path_of(self.outputs[i].path, self.outputs[i].selector, inference)
                else:
                    path = self.path_of(self.actors[a].path, self.actors[a].selector, inference)
            step -= self.path_ptr[path] if path >= 0 else 0
        return self.keep_record(
            VISITED, a, self.walkers[w].firing, self.walkers[w].output, step, -1, self.walkers[w].op, grant, leave, 0
        )
