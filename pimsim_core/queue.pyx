"""An ordinary resource: it serves in order of (arrival, actor, firing, output), as many at once as it has servers."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.records cimport CONGESTION, CONTENTION, HELD, RELEASE, TIMELINE, full_sum
from pimsim_core.service cimport Service


cdef class Queue(Service):
    """Serves in order of arrival, whatever the visitors do with a server once they have it."""

    cdef int32_t arrange(self, int32_t w) noexcept nogil:
        """Return the first of a list of newcomers, put in order of (actor, firing, output)."""
        cdef int32_t following, before, after, first = -1
        while w >= 0:  # newcomers of one instant are few: insertion sort
            following = self.core.walkers[w].next
            before = -1
            after = first
            while after >= 0 and (
                self.core.walkers[after].actor < self.core.walkers[w].actor
                or (
                    self.core.walkers[after].actor == self.core.walkers[w].actor
                    and (
                        self.core.walkers[after].firing < self.core.walkers[w].firing
                        or (
                            self.core.walkers[after].firing == self.core.walkers[w].firing
                            and self.core.walkers[after].output < self.core.walkers[w].output
                        )
                    )
                )
            ):
                before = after
                after = self.core.walkers[after].next
            self.core.walkers[w].next = after
            if before < 0:
                first = w
            else:
                self.core.walkers[before].next = w
            w = following
        return first

    cdef int serve(self, int32_t r) except -1:
        """Queue the newcomers in order of (actor, firing, output), then serve while there is a server."""
        cdef int32_t w, first = self.arrange(self.core.resources[r].fresh)
        self.core.resources[r].fresh = -1
        if first >= 0:
            if self.core.resources[r].head < 0:
                self.core.resources[r].head = first
            else:
                self.core.walkers[self.core.resources[r].tail].next = first
            w = first
            while self.core.walkers[w].next >= 0:
                w = self.core.walkers[w].next
            self.core.resources[r].tail = w
        while self.core.resources[r].head >= 0 and self.core.resources[r].idle > 0:
            w = self.core.resources[r].head
            self.core.resources[r].head = self.core.walkers[w].next
            self.enter(w, r)
            self.core.grant(w, r)
        return 0

    cdef (int32_t, int32_t) wait_of(self, int32_t r, int32_t op) noexcept nogil:
        """The label and place of a wait for a resource: another visitor, the network, or an unusual visit's cause."""
        cdef int32_t part = self.core.resources[r].part
        if self.core.resources[r].release_node >= 0 and self.core.resources[r].release_cause >= 0:
            return self.core.label_of(self.core.resources[r].release_cause, part, op), self.core.resources[r].place
        if self.core.resources[r].link >= 0:
            return self.core.label_of(CONGESTION, part, op), self.core.resources[r].link
        return self.core.label_of(CONTENTION, part, op), self.core.resources[r].place

    cdef int enter(self, int32_t w, int32_t r) except -1:
        """Take a server and point back to what the walker waited for last."""
        cdef int64_t wait = self.core.now - self.core.walkers[w].arrival
        cdef int32_t node = self.core.walkers[w].node
        cdef int32_t op = self.core.walkers[w].op
        cdef int32_t part = self.core.resources[r].part
        cdef int32_t holder
        cdef int32_t parent = node, label = self.core.walkers[w].label, place = self.core.walkers[w].place
        self.core.resources[r].idle -= 1
        self.core.resources[r].waited = full_sum(self.core.resources[r].waited, wait)
        if wait > 0:
            label, place = self.wait_of(r, op)
            self.core.op_waited[part, op] = full_sum(self.core.op_waited[part, op], wait)
            if self.core.resources[r].release_node >= 0:
                parent = self.core.resources[r].release_node
                holder = self.core.op_of(self.core.resources[r].release_actor)
                self.core.op_held_up[op, holder] = full_sum(self.core.op_held_up[op, holder], wait)
                if self.core.resources[r].release_actor == self.core.walkers[w].actor:
                    label = self.core.resources[r].release_label
                    place = self.core.resources[r].release_place
        self.core.begin_visit(w, r, parent, label, place)
        if wait > 0:
            self.core.wait_over(w)
        return 0

    cdef int grant(self, int32_t w, int32_t r) except -1:
        """Hold a server for the occupancy, and go on after the latency."""
        cdef int32_t cost = self.core.walkers[w].cost
        cdef int32_t h = self.core.new_hold(r, w, self.core.walkers[w].label, cost)
        cdef int64_t occupancy = self.core.costs[cost].occupancy
        if self.core.costs[cost].latency == occupancy:
            self.core.holds[h].walker = w
        else:
            self.core.go_on(w, self.core.now + self.core.costs[cost].latency)
        return self.core.queue.push(self.core.now + occupancy, <int64_t>h * 8 + RELEASE)

    cdef int release(self, int32_t h) except -1:
        cdef int32_t r = self.core.holds[h].resource
        cdef int32_t w = self.core.holds[h].walker
        cdef int32_t node = self.core.holds[h].node
        cdef int32_t label = self.core.holds[h].label
        cdef int32_t place = self.core.holds[h].place
        self.core.resources[r].idle += 1
        self.core.resources[r].busy += self.core.now - self.core.holds[h].begin
        if self.core.holds[h].cost >= 0:
            self.core.spend(self.core.holds[h].cost, self.core.resources[r].tile, self.core.holds[h].begin, self.core.now)
        if self.core.recording & TIMELINE:
            self.core.keep_record(
                HELD, self.core.holds[h].actor, self.core.holds[h].firing, self.core.holds[h].output, -1, self.core.resources[r].place,
                label % self.core.n_ops, self.core.holds[h].begin, self.core.now, self.core.now - self.core.holds[h].begin,
            )
        if self.core.now - self.core.holds[h].begin > self.core.holds[h].least:
            node = self.core.path.new(node, self.core.holds[h].begin + self.core.holds[h].least, label, place)
            self.core.path.drop(self.core.holds[h].node)
            label = self.core.label_of(CONGESTION, self.core.resources[r].part, label % self.core.n_ops)
            place = self.core.resources[r].link
        if self.core.resources[r].release_node >= 0:
            self.core.path.drop(self.core.resources[r].release_node)
        self.core.resources[r].release_node = node
        self.core.resources[r].release_actor = self.core.holds[h].actor
        self.core.resources[r].release_label = label
        self.core.resources[r].release_place = place
        self.core.resources[r].release_cause = self.core.holds[h].cause
        self.core.touch_resource(r)
        self.core.holds[h].resource = -1
        self.core.holds[h].walker = self.core.free_hold
        self.core.free_hold = h
        return self.core.advance(w) if w >= 0 else 0
