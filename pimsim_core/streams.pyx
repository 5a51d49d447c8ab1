"""Streams: tokens that come, places that become free, and what an actor's next firing waits for."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.event_queue cimport NEVER
from pimsim_core.records cimport BACKPRESSURE, BLOCKED, DENIED, DEPENDENCE, STARVED, WORKING
from pimsim_core.state cimport State


cdef class Streams(State):
    """A state whose streams fill and empty."""

    cdef int set_state(self, int32_t a, int32_t state, int32_t lacking) except -1:
        """Note what an actor's next firing waits for from now on, and charge the time up to now to its state so far."""
        cdef int64_t time = self.now - self.actors[a].since
        if time > 0:
            if self.actors[a].state == WORKING:
                self.actors[a].working += time
            elif self.actors[a].state == STARVED:
                self.inputs[self.actors[a].lacking].starved += time
            elif self.actors[a].state == BLOCKED:
                self.outputs[self.actors[a].lacking].blocked += time
            elif self.actors[a].state == DENIED:
                self.actors[a].denied += time
            self.actors[a].since = self.now
        self.actors[a].state = state
        self.actors[a].lacking = lacking
        return 0

    cdef int note_fill(self, int32_t s) except -1:
        """Note how full a stream's buffer is now."""
        cdef int32_t tile = self.streams[s].tile
        cdef int64_t fill = self.streams[s].taken - min(self.streams[s].freed, self.streams[s].delivered)
        cdef int64_t change = (fill - self.streams[s].fill) * self.streams[s].bits
        self.streams[s].fill = fill
        if change == 0 or tile < 0:
            return 0
        if self.tile_fill[tile] > 0 and self.now > self.tile_since[tile]:
            self.fill.add(
                tile, self.tile_since[tile], self.now,
                <double>self.tile_fill[tile] * (self.now - self.tile_since[tile]),
            )
        self.tile_since[tile] = self.now
        self.tile_fill[tile] += change
        self.tile_most[tile] = max(self.tile_most[tile], self.tile_fill[tile])
        return 0

    cdef int deliver(self, int32_t s, int64_t token, int32_t node) except -1:
        cdef int64_t first = self.streams[s].first_place
        cdef int64_t capacity = self.streams[s].capacity
        cdef bint makes_room = self.streams[s].freed > self.streams[s].delivered
        cdef int32_t j
        self.touch_stream(s)
        self.streams[s].arrivals = self.new_note(self.streams[s].arrivals, token, node)
        self.ring[first + token % capacity] = 1
        if token != self.streams[s].delivered:
            return 0
        while self.ring[first + self.streams[s].delivered % capacity]:
            self.ring[first + self.streams[s].delivered % capacity] = 0
            self.streams[s].delivered += 1
        if makes_room:
            self.note_fill(s)
        for j in range(self.consumer_ptr[s], self.consumer_ptr[s + 1]):
            self.touch_actor(self.input_actor[self.consumers[j]])
        if makes_room:
            for j in range(self.producer_ptr[s], self.producer_ptr[s + 1]):
                self.touch_actor(self.producers[j])
        return 0

    cdef int give_back(self, int32_t i, int64_t upto, int32_t node) except -1:
        """Free the tokens of an input below `upto`; the slowest consumer sets what the producers may fill."""
        cdef int64_t before = self.inputs[i].freed
        cdef int32_t s = self.inputs[i].stream
        cdef int64_t lowest = NEVER
        cdef int32_t j
        if upto <= before:
            return 0
        self.inputs[i].freed = upto
        if before != self.streams[s].freed:
            return 0
        for j in range(self.consumer_ptr[s], self.consumer_ptr[s + 1]):
            if self.inputs[self.consumers[j]].freed < lowest:
                lowest = self.inputs[self.consumers[j]].freed
        if lowest == before:
            return 0
        self.touch_stream(s)
        self.streams[s].credits = self.new_note(self.streams[s].credits, before, node)
        self.streams[s].freed = lowest
        self.note_fill(s)
        for j in range(self.producer_ptr[s], self.producer_ptr[s + 1]):
            self.touch_actor(self.producers[j])
        return 0

    cdef int32_t start_cause(self, int32_t a, int32_t previous) except -2:
        """Return a held node for the start of the next firing, or -1 if it has to wait.

        The node is that of the last condition that this instant fulfilled: the token, the credit, or the end of
        an earlier firing of the same actor.
        """
        cdef int64_t k = self.actors[a].started
        cdef int64_t inference = k // self.actors[a].period
        cdef int64_t position = k % self.actors[a].period
        cdef int64_t need, token, best
        cdef int32_t token_node = -1, credit_node = -1, credit_stream = 0
        cdef int32_t i, s, n, node
        for i in range(self.actors[a].first_input, self.actors[a].last_input):
            s = self.inputs[i].stream
            need = self.table[self.table_ptr[self.inputs[i].need] + position] + inference * self.streams[s].tokens
            if self.streams[s].delivered < need:
                self.set_state(a, STARVED, i)
                return -1
            if self.streams[s].touched and self.streams[s].delivered_before < need:
                n = self.streams[s].arrivals
                best = -1
                while n >= 0:
                    if best < self.notes[n].index < need:
                        best = self.notes[n].index
                        token_node = self.notes[n].node
                    n = self.notes[n].next
        for i in range(self.actors[a].first_output, self.actors[a].last_output):
            s = self.outputs[i].stream
            token = self.table[self.table_ptr[self.outputs[i].token] + position]
            if token < 0:
                continue
            token += inference * self.streams[s].tokens - self.streams[s].capacity
            if token >= min(self.streams[s].freed, self.streams[s].delivered):
                self.set_state(a, BLOCKED, i)
                return -1
            if not self.streams[s].touched:
                continue
            if token >= self.streams[s].freed_before:
                n = self.streams[s].credits
                while n >= 0 and self.notes[n].index > token:
                    n = self.notes[n].next
                credit_node = self.notes[n].node
                credit_stream = s
            elif token >= self.streams[s].delivered_before:  # the place's last token came and was not wanted
                n = self.streams[s].arrivals
                while n >= 0 and self.notes[n].index > token:
                    n = self.notes[n].next
                token_node = self.notes[n].node
        if (
            self.actors[a].ended_time == self.now
            and self.actors[a].end_node >= 0
            and self.actors[a].started - self.actors[a].ended_before >= self.actors[a].depth
        ):
            node = self.actors[a].end_node
        elif credit_node >= 0:
            return self.path.new(
                credit_node,
                self.now,
                self.label_of(BACKPRESSURE, self.streams[credit_stream].part, self.actors[a].op),
                self.streams[credit_stream].place,
            )
        elif token_node >= 0:
            node = token_node
        elif previous >= 0:
            node = previous
        else:  # time 0, or the host has just allowed it: by itself, or because of an output
            return self.path.new(
                self.path.root if self.actors[a].permit_node < 0 else self.actors[a].permit_node,
                self.now, self.label_of(DEPENDENCE, self.n_parts - 1, self.actors[a].op), -1,
            )
        self.path.hold(node)
        return node
