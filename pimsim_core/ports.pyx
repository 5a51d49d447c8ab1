"""The ports of the network: a packet holds its entrance until its tail is inside, and goes on when the tail comes out."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.clock cimport Clock
from pimsim_core.event_queue cimport NEVER
from pimsim_core.network cimport Network
from pimsim_core.records cimport CONGESTION, CROSSED, RELEASE, full_sum
from pimsim_core.service cimport Service


cdef class Ports(Service):
    """Takes packets into a network whose clock has a period in fs, and charges what they waited for there."""

    def __init__(self, Network network, int64_t period):
        self.network, self.clock, self.period = network, Clock(network), period

    cdef int grant(self, int32_t w, int32_t r) except -1:
        """A packet holds the entrance until its tail is inside."""
        if self.core.walkers[w].tree >= 0:
            return self.enter_with_copies(w, r)
        cdef int32_t step = self.core.walkers[w].visit, cost = self.core.walkers[w].cost
        self.core.walkers[w].hold = self.core.new_hold(r, w, self.core.walkers[w].label, cost)
        self.core.holds[self.core.walkers[w].hold].least = self.core.costs[cost].occupancy
        self.network.inject(
            self.core.steps[step].terminal, self.core.steps[step].route, self.core.costs[cost].flits, w,
            self.core.now // self.period
        )
        self.core.next_times[self.number] = self.core.now
        return 0

    cdef int enter_with_copies(self, int32_t w, int32_t r) except -1:
        """Send the pieces of a packet that branches; a walker waits for them at each of its ends."""
        cdef int32_t t = self.core.walkers[w].tree
        cdef int32_t a = self.core.walkers[w].actor
        cdef int32_t i, copy, output, flits = 0, first = -1
        cdef int64_t cycle = self.core.now // self.period
        for i in range(self.core.trees[t].first_leaf + self.core.trees[t].leaves - 1, self.core.trees[t].first_leaf - 1, -1):
            output = self.core.leaves[i].output
            copy = self.core.new_walker(a, output, self.core.walkers[w].firing, -1, self.core.walkers[w].op)
            self.core.walkers[copy].leaf = i
            self.core.walkers[copy].inference = self.core.walkers[w].inference
            self.core.walkers[copy].packet = -1
            self.core.walkers[copy].pieces = self.core.trees[t].last_piece - self.core.trees[t].first_piece
            self.core.walkers[copy].node = self.core.walkers[w].node
            self.core.path.hold(self.core.walkers[w].node)
            self.core.walkers[copy].label = self.core.walkers[w].label
            self.core.walkers[copy].place = self.core.walkers[w].place
            self.core.walkers[copy].grant = self.core.now
            self.core.walkers[copy].token = self.core.table[
                self.core.table_ptr[self.core.outputs[self.core.actors[a].first_output + output].token] + self.core.walkers[w].position
            ] + self.core.walkers[w].inference * self.core.streams[
                self.core.outputs[self.core.actors[a].first_output + output].stream
            ].tokens
            self.core.walkers[copy].next = first
            first = copy
        self.core.walkers[w].chain = first
        self.core.walkers[w].pieces = self.core.trees[t].last_piece - self.core.trees[t].first_piece
        self.core.walkers[w].hold = self.core.new_hold(r, w, self.core.walkers[w].label, self.core.trees[t].cost)
        for i in range(self.core.trees[t].first_piece, self.core.trees[t].last_piece):
            # Later pieces are created when those before can have left, so that waiting for those is no congestion.
            self.network.inject(self.core.trees[t].terminal, self.core.trees[t].route, self.core.pieces[i], w, cycle + flits)
            flits += self.core.pieces[i]
        self.core.holds[self.core.walkers[w].hold].least = flits * self.period
        self.core.next_times[self.number] = self.core.now
        return 0

    cdef int piece_comes(self, int32_t carrier, int32_t i) except -1:
        """A piece will arrive at one of its ends; the last one there takes the copies for that end along."""
        cdef int32_t w = self.core.walkers[carrier].chain
        cdef int32_t before = -1, following
        while w >= 0:
            following = self.core.walkers[w].next
            if self.core.leaves[self.core.walkers[w].leaf].hop != self.network.arrivals[i].hop:
                before = w
                w = following
                continue
            # Pieces may overtake one another; the one that comes last tells what was waited for.
            if self.core.walkers[w].packet >= 0 and self.core.walkers[w].ready >= self.network.arrivals[i].cycle:
                self.network.forget(self.network.arrivals[i].packet)
            else:
                if self.core.walkers[w].packet >= 0:
                    self.network.forget(self.core.walkers[w].packet)
                self.core.walkers[w].ready = self.network.arrivals[i].cycle
                self.core.walkers[w].packet = self.network.arrivals[i].packet
                self.core.walkers[w].chain = self.network.arrivals[i].chain
                self.core.walkers[w].rest = self.network.arrivals[i].rest
            self.core.walkers[w].pieces -= 1
            if self.core.walkers[w].pieces > 0:
                before = w
            else:
                if before >= 0:
                    self.core.walkers[before].next = following
                else:
                    self.core.walkers[carrier].chain = following
                self.core.go_on(w, self.core.walkers[w].ready * self.period)
            w = following
        if self.core.walkers[carrier].chain < 0:
            self.core.path.drop(self.core.walkers[carrier].node)
            self.core.walkers[carrier].next = self.core.free_walker
            self.core.free_walker = carrier
        return 0

    cdef int leave(self, int32_t w) except -1:
        """Charge the time inside: what an empty network takes, then each wait to the channel it was for."""
        cdef int32_t transport = self.core.walkers[w].label
        cdef int32_t part = transport // self.core.n_ops % self.core.n_parts
        cdef int32_t waiting = self.core.label_of(CONGESTION, part, self.core.walkers[w].op)
        cdef int32_t chain = self.core.walkers[w].chain
        cdef int64_t begin
        if self.core.walkers[w].leaf >= 0:
            begin = self.network.packets[self.core.walkers[w].packet].created * self.period
            begin += self.core.leaves[self.core.walkers[w].leaf].latency
            begin += (self.network.packets[self.core.walkers[w].packet].size - 1) * self.period
        else:
            begin = self.core.walkers[w].grant + self.core.costs[self.core.walkers[w].cost].latency
        cdef int32_t node = self.core.path.new(self.core.walkers[w].node, begin, transport, self.core.walkers[w].place), following
        self.core.path.drop(self.core.walkers[w].node)
        self.core.op_waited[part, self.core.walkers[w].op] = full_sum(
            self.core.op_waited[part, self.core.walkers[w].op], self.core.now - begin
        )
        while chain >= 0:
            begin += self.network.waits[chain].cycles * self.period
            following = self.core.path.new(node, begin, waiting, self.network.waits[chain].channel)
            self.core.path.drop(node)
            node = following
            chain = self.network.waits[chain].parent
        if self.core.walkers[w].rest > 0:
            begin += self.core.walkers[w].rest * self.period
            following = self.core.path.new(
                node, begin, waiting, self.network.packets[self.core.walkers[w].packet].slowest
            )
            self.core.path.drop(node)
            node = following
        if begin != self.core.now:
            raise AssertionError(f"the network's waits end at {begin} fs, the packet came at {self.core.now} fs")
        self.core.walkers[w].node = node
        self.network.forget(self.core.walkers[w].packet)
        return 0

    cdef int advance(self, int64_t time) except -1:
        """Run a cycle of the network, and those like it, and note what its terminals have sent and will receive."""
        cdef int64_t alone = self.core.alone
        cdef int32_t i, w
        for i in range(self.core.next_times.shape[0]):
            if i != self.number:
                alone = min(alone, self.core.next_times[i])
        self.clock.tick(time // self.period, (alone - 1) // self.period + 1)
        self.core.now = self.core.path.now = self.network.now * self.period
        for i in range(self.network.n_crossings):
            w = self.network.crossings[i].tag
            self.core.keep_record(
                CROSSED, self.core.walkers[w].actor, self.core.walkers[w].firing, self.core.walkers[w].output,
                self.network.crossings[i].vc, self.network.crossings[i].channel, self.core.walkers[w].op,
                self.network.crossings[i].begin * self.period,
                self.network.crossings[i].end * self.period, self.network.crossings[i].flits,
            )
        self.network.n_crossings = 0
        for i in range(self.network.n_left):
            w = self.network.left[i]
            if self.core.walkers[w].tree >= 0:
                self.core.walkers[w].pieces -= 1
                if self.core.walkers[w].pieces > 0:
                    continue
            self.core.queue.push(time + self.period, <int64_t>self.core.walkers[w].hold * 8 + RELEASE)
        self.network.n_left = 0
        for i in range(self.network.n_arrivals):
            w = self.network.arrivals[i].tag
            if self.core.walkers[w].tree >= 0:
                self.piece_comes(w, i)
                continue
            self.core.walkers[w].packet = self.network.arrivals[i].packet
            self.core.walkers[w].chain = self.network.arrivals[i].chain
            self.core.walkers[w].rest = self.network.arrivals[i].rest
            self.core.go_on(w, self.network.arrivals[i].cycle * self.period)
        self.network.n_arrivals = 0
        cdef int64_t cycle = self.network.next_cycle()
        self.core.next_times[self.number] = NEVER if cycle == NEVER else cycle * self.period
        return 0
