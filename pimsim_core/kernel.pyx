"""What happens in an instant: the three beats, on a machine made of numbers.

First everything that ends or is delivered; then the actors that can fire now ask for their first resource; then
resources grant. No stage takes zero time, so the order inside a beat does not matter. Nothing here knows what a
convolution is. The meaning of each rule is in ``docs/machine-model.md``; ``tests/oracle/twin.py`` says the same in
plain SimPy.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from pimsim_core.critical_path cimport CriticalPath
from pimsim_core.event_queue cimport NEVER, EventQueue
from pimsim_core.network cimport Network
from pimsim_core.time_bins cimport TimeBins

from pimsim_core.network import dtype_of

# Causes that time on the critical path is charged to, in the order of their numbers.
CAUSES = (
    "compute", "transport", "contention", "dependence", "backpressure", "clock", "programming", "memory", "congestion",
    "maintenance", "waking",
)
_DTYPES = {
    "resource": "period busy waited visits drained:i8 servers idle link cause part head tail "
    "fresh touched release_node release_actor release_label release_place unsampled sampler place tile drainer drained_node release_cause:i4",
    "step": "occupancy latency:i8 resource mvm route terminal flits charge cause _pad:i4",
    "mvm": "setup read convert tail:i8 phases bank shared _pad:i4",
    "actor": "firings period started ended ended_before ended_time limit milestone since working denied asked asked_at opens_at opened:i8 depth path op "
    "first_input last_input first_output last_output touched end_node state lacking selector permit_node closed site wanted_node gate_node gate_cause:i4",
    "input": "freed starved:i8 stream need free _pad:i4",
    "output": "blocked:i8 stream token path cast selector _pad:i4",
    "cast": "table first_tree:i4",
    "tree": "resource terminal route first_piece last_piece first_leaf leaves charge:i4",
    "leaf": "latency:i8 output hop:i4",
    "stream": "capacity tokens delivered freed delivered_before freed_before first_place bits taken fill:i8 "
    "part touched arrivals credits place tile:i4",
    "note": "index:i8 node next:i4",
    "walker": "firing token arrival grant ready inference position rest begin:i8 actor output step end node served_node "
    "label next hold packet chain phase in_bank op sample_node tree leaf pieces place visit:i4",
    "hold": "begin least firing:i8 resource node actor label walker place charge output cause _pad:i4",
    "record": "firing begin end amount:i8 kind actor output step place op:i4",
}


def record_dtype(name):
    """Return the numpy dtype of the engine's records called `name`, e.g. ``"actor"``."""
    return dtype_of(_DTYPES[name])


cdef inline int64_t full_sum(int64_t a, int64_t b) noexcept:
    """Add times that may be more than can be counted: rather full than negative."""
    return min(a, NEVER - b) + b


cdef _grown(view, str name):
    old = np.asarray(view)
    bigger = np.zeros(2 * len(old), dtype=record_dtype(name))
    bigger[: len(old)] = old
    return bigger


cdef class Kernel:
    """The state of a machine and the rules that change it; `pimsim_core.engine.Engine` drives it."""

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

    # -- small things ------------------------------------------------------------------------------------------

    cdef int32_t new_walker(self, int32_t actor, int32_t output, int64_t firing, int32_t path, int32_t op) except -1:
        cdef int64_t old = self.walkers.shape[0]
        if self.free_walker < 0:
            self.walkers = _grown(self.walkers, "walker")
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

    cdef int32_t new_hold(self, int32_t resource, int32_t w, int32_t label, int32_t charge) except -1:
        """Take a server of a resource for a walker."""
        cdef int64_t old = self.holds.shape[0]
        if self.free_hold < 0:
            self.holds = _grown(self.holds, "hold")
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
        self.holds[h].charge = charge
        self.holds[h].cause = self.own_cause(w)
        self.holds[h].walker = -1
        return h

    cdef int32_t new_note(self, int32_t following, int64_t index, int32_t node) except -1:
        cdef int64_t old = self.notes.shape[0]
        if self.free_note < 0:
            self.notes = _grown(self.notes, "note")
            self._free_notes(old)
        cdef int32_t n = self.free_note
        self.free_note = self.notes[n].next
        self.notes[n].index = index
        self.notes[n].node = node
        self.path.hold(node)
        self.notes[n].next = following
        return n

    cdef void touch_actor(self, int32_t a) noexcept:
        if not self.actors[a].touched:
            self.actors[a].touched = 1
            self.hot_actors[self.n_hot_actors] = a
            self.n_hot_actors += 1

    cdef void touch_resource(self, int32_t r) noexcept:
        if not self.resources[r].touched:
            self.resources[r].touched = 1
            self.hot_resources[self.n_hot_resources] = r
            self.n_hot_resources += 1

    cdef void touch_stream(self, int32_t s) noexcept:
        if not self.streams[s].touched:
            self.streams[s].touched = 1
            self.streams[s].delivered_before = self.streams[s].delivered
            self.streams[s].freed_before = self.streams[s].freed
            self.hot_streams[self.n_hot_streams] = s
            self.n_hot_streams += 1

    cdef int32_t label_of(self, int32_t cause, int32_t part, int32_t op) noexcept:
        return (cause * self.n_parts + part) * self.n_ops + op

    cdef int32_t path_of(self, int32_t path, int32_t selector, int64_t inference) noexcept:
        """The path that an inference takes of those from `path` on."""
        return path if selector < 0 else path + self.selected[self.select_ptr[selector] + inference]

    cdef bint is_empty(self, int32_t path) noexcept:
        """Whether a path has no steps: nothing is sent, and what it would bring is there at once."""
        return path >= 0 and self.path_ptr[path] == self.path_ptr[path + 1]

    # -- beat 1: everything that ends or is delivered ----------------------------------------------------------

    cdef int dispatch(self, int64_t payload) except -1:
        cdef int32_t kind = <int32_t>(payload & 7)
        cdef int32_t i = <int32_t>(payload >> 3)
        if kind == GO:
            self.advance(i)
        elif kind == RELEASE:
            self.release(i)
        elif kind == ARRIVE:
            self.arrive(i)
        elif kind == SAMPLE:
            self.sample(i)
        elif kind == KICK:
            self.touch_actor(i)
        else:  # SUBMIT
            self.request(i)
        return 0

    cdef int32_t resource_of(self, int32_t w) noexcept:
        """What a walker asks for."""
        if self.walkers[w].tree >= 0:
            return self.trees[self.walkers[w].tree].resource
        if self.walkers[w].in_bank:
            return self.mvms[self.steps[self.walkers[w].visit].mvm].bank
        return self.steps[self.walkers[w].visit].resource

    cdef int request(self, int32_t w) except -1:
        """Ask for the resource of the walker's present step at its next clock edge."""
        cdef int64_t edge
        cdef int32_t r = self.resource_of(w)
        edge = align(self.now, self.resources[r].period)
        if edge > self.now:
            return self.to_edge(w, r, edge)
        self.walkers[w].arrival = edge
        return self.arrive(w)

    cdef int request_later(self, int32_t w) except -1:
        """Ask, at an instant that is done, for the resource of the walker's step at its next clock edge behind it."""
        cdef int32_t r = self.resource_of(w)
        return self.to_edge(w, r, align(self.now + 1, self.resources[r].period))

    cdef int to_edge(self, int32_t w, int32_t r, int64_t edge) except -1:
        """Wait for a clock edge of a resource that is still to come."""
        cdef int32_t n
        self.walkers[w].arrival = edge
        if self.path.nodes[self.walkers[w].node].begin != self.now:
            n = self.path.new(self.walkers[w].node, self.now, self.walkers[w].label, self.walkers[w].place)
            self.path.drop(self.walkers[w].node)
            self.walkers[w].node = n
        self.walkers[w].label = self.label_of(CLOCK, self.resources[r].part, self.walkers[w].op)
        self.walkers[w].place = self.resources[r].place
        return self.queue.push(edge, <int64_t>w * 8 + ARRIVE)

    cdef int arrive(self, int32_t w) except -1:
        cdef int32_t r = self.resource_of(w)
        self.walkers[w].next = self.resources[r].fresh
        self.resources[r].fresh = w
        self.touch_resource(r)
        return 0

    cdef int advance(self, int32_t w) except -1:
        cdef int32_t path, i
        if self.walkers[w].leaf >= 0:  # a copy has come: it goes on along its own path
            self.leave_network(w)
            if self.recording & VISITS:
                self.log_visit(w, self.now)
            self.walkers[w].leaf = -1
            i = self.actors[self.walkers[w].actor].first_output + self.walkers[w].output
            path = self.outputs[i].path
            if path < 0:
                return self.finish(w)
            path = self.path_of(path, self.outputs[i].selector, self.walkers[w].inference)
            self.walkers[w].step = self.walkers[w].visit = self.path_ptr[path]
            self.walkers[w].end = self.path_ptr[path + 1]
            return self.request(w)
        cdef int32_t m = self.steps[self.walkers[w].visit].mvm
        if m >= 0 and self.resources[self.steps[self.walkers[w].visit].resource].drainer == w:
            self.resources[self.steps[self.walkers[w].visit].resource].drainer = -1
            self.path.drop(self.resources[self.steps[self.walkers[w].visit].resource].drained_node)
        if m >= 0 and not self.mvms[m].shared:
            self.resources[self.mvms[m].bank].busy += self.mvms[m].phases * self.mvms[m].convert
            if self.recording & TIMELINE:
                self.keep_record(
                    CONVERTED, self.walkers[w].actor, self.walkers[w].firing, self.walkers[w].output, -1,
                    self.resources[self.mvms[m].bank].place, self.walkers[w].op,
                    self.walkers[w].ready, self.now - self.mvms[m].tail, self.mvms[m].phases * self.mvms[m].convert,
                )
        if self.steps[self.walkers[w].visit].route >= 0:
            self.leave_network(w)
        if self.recording & VISITS:
            self.log_visit(w, self.now)
        if self.walkers[w].step + 1 < self.walkers[w].end:
            self.walkers[w].step += 1
            self.walkers[w].visit = self.walkers[w].step
            return self.request(w)
        return self.finish(w)

    cdef int finish(self, int32_t w) except -1:
        cdef int32_t node = self.path.new(
            self.walkers[w].node, self.now, self.walkers[w].label, self.walkers[w].place
        )
        cdef int32_t a = self.walkers[w].actor
        self.path.drop(self.walkers[w].node)
        if a == self.n_actors:
            self.job_is_over(self.walkers[w].firing, node)
        elif self.walkers[w].output < 0:
            self.end_firing(w, node)
            self.path.drop(self.walkers[w].served_node)
        else:
            self.packets += 1
            self.deliver(
                self.outputs[self.actors[a].first_output + self.walkers[w].output].stream,
                self.walkers[w].token,
                node,
            )
        self.path.drop(node)
        self.walkers[w].next = self.free_walker
        self.free_walker = w
        return 0

    cdef int end_firing(self, int32_t w, int32_t node) except -1:
        cdef int32_t a = self.walkers[w].actor
        cdef int64_t inference = self.walkers[w].inference
        cdef int64_t position = self.walkers[w].position
        cdef int64_t token, upto
        cdef int64_t begin = self.walkers[w].begin
        cdef int32_t i, s, packet, path, op = self.actors[a].op
        self.firings += 1
        self.activity.add(op, begin, self.now, self.now - begin)
        self.op_begin[op] = min(self.op_begin[op], begin)
        self.op_end[op] = self.now
        if self.actors[a].ended_time != self.now:
            self.actors[a].ended_time = self.now
            self.actors[a].ended_before = self.actors[a].ended
        self.actors[a].ended += 1
        self.site_firings[self.actors[a].site] -= 1
        self.site_since[self.actors[a].site] = self.now
        if self.actors[a].end_node >= 0:
            self.path.drop(self.actors[a].end_node)
        self.actors[a].end_node = node
        self.path.hold(node)
        self.touch_actor(a)
        for i in range(self.actors[a].first_output, self.actors[a].last_output):
            s = self.outputs[i].stream
            token = self.table[self.table_ptr[self.outputs[i].token] + position]
            if token < 0:
                continue
            token += inference * self.streams[s].tokens
            path = self.path_of(self.outputs[i].path, self.outputs[i].selector, inference)
            if self.is_empty(path):
                self.deliver(s, token, node)
                continue
            if self.outputs[i].cast:
                continue
            if path < 0:
                self.deliver(s, token, node)
                continue
            packet = self.new_walker(
                a, i - self.actors[a].first_output, self.walkers[w].firing, path, self.actors[a].op
            )
            self.walkers[packet].token = token
            self.walkers[packet].node = node
            self.path.hold(node)
            self.request(packet)
        if self.first_cast[a] < self.last_cast[a]:
            self.start_casts(w, node, position)
        for i in range(self.actors[a].first_input, self.actors[a].last_input):
            upto = NEVER
            if self.walkers[w].firing + 1 < self.actors[a].firings:
                upto = self.table[self.table_ptr[self.inputs[i].free] + position]
                upto += inference * self.streams[self.inputs[i].stream].tokens
            self.give_back(i, upto, self.walkers[w].served_node)
        if self.actors[a].ended == self.actors[a].firings:
            self.unfinished -= 1
        if self.actors[a].milestone and self.actors[a].ended % self.actors[a].milestone == 0:
            self.milestones.append((a, self.actors[a].ended // self.actors[a].milestone, self.now))
            self.noticed = True
            if self.last_node >= 0:
                self.path.drop(self.last_node)
            self.last_node = node
            self.path.hold(node)
            self.last_end = self.now
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

    cdef int release(self, int32_t h) except -1:
        cdef int32_t r = self.holds[h].resource
        cdef int32_t w = self.holds[h].walker
        cdef int32_t node = self.holds[h].node
        cdef int32_t label = self.holds[h].label
        cdef int32_t place = self.holds[h].place
        self.resources[r].idle += 1
        self.resources[r].busy += self.now - self.holds[h].begin
        if self.holds[h].charge >= 0:
            self.spend(self.holds[h].charge, self.resources[r].tile, self.holds[h].begin, self.now)
        if self.recording & TIMELINE:
            self.keep_record(
                HELD, self.holds[h].actor, self.holds[h].firing, self.holds[h].output, -1, self.resources[r].place,
                label % self.n_ops, self.holds[h].begin, self.now, self.now - self.holds[h].begin,
            )
        if self.now - self.holds[h].begin > self.holds[h].least:
            node = self.path.new(node, self.holds[h].begin + self.holds[h].least, label, place)
            self.path.drop(self.holds[h].node)
            label = self.label_of(CONGESTION, self.resources[r].part, label % self.n_ops)
            place = self.resources[r].link
        if self.resources[r].release_node >= 0:
            self.path.drop(self.resources[r].release_node)
        self.resources[r].release_node = node
        self.resources[r].release_actor = self.holds[h].actor
        self.resources[r].release_label = label
        self.resources[r].release_place = place
        self.resources[r].release_cause = self.holds[h].cause
        self.touch_resource(r)
        self.holds[h].resource = -1
        self.holds[h].walker = self.free_hold
        self.free_hold = h
        return self.advance(w) if w >= 0 else 0

    # -- beat 2: the actors that can fire now ------------------------------------------------------------------

    cdef int try_start(self, int32_t a) except -1:
        cdef int32_t previous = -1
        cdef int32_t node, w, i, s, path
        cdef int64_t k
        if self.actors[a].asked_at <= self.now:
            self.actors[a].limit = max(self.actors[a].limit, self.actors[a].asked)
            self.actors[a].asked_at = NEVER
        if self.actors[a].opens_at <= self.now:
            self.take_opening(a)
        while True:
            k = self.actors[a].started
            if k >= self.actors[a].firings:
                return self.set_state(a, OVER if self.actors[a].ended == k else WORKING, -1)
            if k - self.actors[a].ended >= self.actors[a].depth:
                return self.set_state(a, WORKING, -1)
            if k >= self.actors[a].limit:
                return self.set_state(a, DENIED, -1)
            if self.actors[a].wanted_node >= 0:
                if self.actors[a].closed:
                    return 0
                node = self.opened_start(a)
            else:
                node = self.start_cause(a, previous)
                if node < 0:
                    return 0
                if self.actors[a].closed:
                    return self.want(a, node)
            path = self.path_of(self.actors[a].path, self.actors[a].selector, k // self.actors[a].period)
            w = self.new_walker(a, -1, k, path, self.actors[a].op)
            self.walkers[w].inference = k // self.actors[a].period
            self.walkers[w].position = k % self.actors[a].period
            self.walkers[w].begin = self.now
            self.walkers[w].node = node
            self.walkers[w].served_node = node
            self.path.hold(node)
            self.actors[a].started += 1
            self.site_firings[self.actors[a].site] += 1
            previous = node
            for i in range(self.actors[a].first_output, self.actors[a].last_output):
                if self.table[self.table_ptr[self.outputs[i].token] + self.walkers[w].position] >= 0:
                    s = self.outputs[i].stream
                    self.streams[s].taken += 1
                    self.note_fill(s)
            if self.recording & VISITS:
                self.keep_record(STARTED, a, k, -1, -1, -1, self.actors[a].op, self.now, self.now, 0)
            self.request(w)

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

    cdef int spend(self, int32_t charge, int32_t tile, int64_t begin, int64_t end) except -1:
        """Count a visit that costs energy, and spread that over its time."""
        cdef int32_t i
        self.charge_visits[charge] += 1
        for i in range(self.charge_ptr[charge], self.charge_ptr[charge + 1]):
            self.part_energy.add(self.charge_part[i], begin, end, self.charge_pj[i])
        return self.tile_energy.add(tile, begin, end, self.charge_sum[charge])

    cdef int32_t first_resource_of(self, int32_t a) noexcept:
        """What an actor visits first."""
        return self.steps[self.path_ptr[self.actors[a].path]].resource

    cdef int32_t op_of(self, int32_t a) noexcept:
        """The op of an actor; what no actor does is the host's."""
        return self.actors[a].op if a < self.n_actors else self.n_ops - 1

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

    # -- sites that a controller closes and opens -----------------------------------------------------------------

    cdef int want(self, int32_t a, int32_t node) except -1:
        """Note that a closed actor could start now, and because of what; tell the host unless it is being opened."""
        self.actors[a].wanted_node = node
        self.set_state(a, DENIED, -1)
        return self.tell_want(a) if self.actors[a].opens_at == NEVER else 0

    cdef int tell_want(self, int32_t a) except -1:
        """The first actor of a site that could start is told of; one without a site always is."""
        cdef int32_t site = self.actors[a].site
        self.site_wanting[site] += 1
        if site == self.n_sites or self.site_wanting[site] == 1:
            self.wants.append((site if site < self.n_sites else -1, a, self.now))
            self.noticed = True
        return 0

    cdef int take_opening(self, int32_t a) except -1:
        """An actor may start again from now on."""
        self.actors[a].closed = 0
        self.actors[a].opens_at = NEVER
        self.closed -= 1
        if self.actors[a].wanted_node < 0 and self.actors[a].gate_node >= 0:  # it has lost no time
            self.path.drop(self.actors[a].gate_node)
            self.actors[a].gate_node = -1
        return 0

    cdef int32_t opened_start(self, int32_t a) except -1:
        """Return a held node for the start of a firing that could have started before, had its actor been open."""
        cdef int32_t node = self.actors[a].wanted_node, gate = self.actors[a].gate_node
        self.actors[a].wanted_node = self.actors[a].gate_node = -1
        if gate >= 0:
            if self.path.nodes[gate].begin > self.path.nodes[node].begin:
                node, gate = gate, node
            self.path.drop(gate)
        node = self.charged_until(node, min(self.actors[a].opened, self.now), self.actors[a].gate_cause, a)
        return self.charged_until(node, self.now, CLOCK, a)

    cdef int32_t charged_until(self, int32_t node, int64_t time, int32_t cause, int32_t a) except -1:
        """Go on from a held node to a time, at a cause of what an actor visits first; return the held node there."""
        cdef int32_t r = self.first_resource_of(a), following
        if self.path.nodes[node].begin >= time:
            return node
        following = self.path.new(
            node, time, self.label_of(cause, self.resources[r].part, self.actors[a].op), self.resources[r].place
        )
        self.path.drop(node)
        return following

    cdef int job_is_over(self, int64_t job, int32_t node) except -1:
        """Tell the host; keep the job's end if an opening may follow from it."""
        if job in self.kept_jobs:
            self.kept_jobs.discard(job)
            self.job_nodes[job] = node
            self.path.hold(node)
        self.finished_jobs.append(job)
        self.noticed = True
        return 0

    # -- beat 3: resources grant -------------------------------------------------------------------------------

    cdef int grant_all(self, int32_t r) except -1:
        """Queue the newcomers in order of (actor, firing, output), then serve while there is a server."""
        cdef int32_t w = self.resources[r].fresh
        cdef int32_t following, before, after, first = -1
        while w >= 0:  # newcomers of one instant are few: insertion sort
            following = self.walkers[w].next
            before = -1
            after = first
            while after >= 0 and (
                self.walkers[after].actor < self.walkers[w].actor
                or (
                    self.walkers[after].actor == self.walkers[w].actor
                    and (
                        self.walkers[after].firing < self.walkers[w].firing
                        or (
                            self.walkers[after].firing == self.walkers[w].firing
                            and self.walkers[after].output < self.walkers[w].output
                        )
                    )
                )
            ):
                before = after
                after = self.walkers[after].next
            self.walkers[w].next = after
            if before < 0:
                first = w
            else:
                self.walkers[before].next = w
            w = following
        self.resources[r].fresh = -1
        if first >= 0:
            if self.resources[r].head < 0:
                self.resources[r].head = first
            else:
                self.walkers[self.resources[r].tail].next = first
            w = first
            while self.walkers[w].next >= 0:
                w = self.walkers[w].next
            self.resources[r].tail = w
        while (
            self.resources[r].head >= 0
            and self.resources[r].idle > 0
        ):
            w = self.resources[r].head
            self.resources[r].head = self.walkers[w].next
            self.enter_visit(w, r)
            if self.walkers[w].tree >= 0:
                self.enter_with_copies(w, r)
            elif self.walkers[w].in_bank:
                self.grant_conversion(w, r)
            elif self.steps[self.walkers[w].visit].mvm >= 0:
                self.grant_mvm(w, r)
            elif self.steps[self.walkers[w].visit].route >= 0:
                self.enter_network(w, r)
            else:
                self.grant_visit(w, r)
        return 0

    cdef void wait_over(self, int32_t w) noexcept:
        """A firing has waited inside its path: what it frees at its end has been under way since now, not its start."""
        if self.walkers[w].served_node >= 0:
            self.path.drop(self.walkers[w].served_node)
            self.walkers[w].served_node = self.walkers[w].node
            self.path.hold(self.walkers[w].node)

    cdef int note_drainer(self, int32_t r, int32_t w) except -1:
        """The sample-and-holds of an array will be empty once a walker's last conversion is over."""
        if self.resources[r].drainer >= 0:
            self.path.drop(self.resources[r].drained_node)
        self.resources[r].drainer = w
        self.resources[r].drained_node = self.walkers[w].node
        self.path.hold(self.walkers[w].node)
        return 0

    cdef int32_t own_cause(self, int32_t w) noexcept:
        """The cause of a walker's visit if it is not its resource's usual one, or -1."""
        return self.steps[self.walkers[w].visit].cause if self.walkers[w].tree < 0 and not self.walkers[w].in_bank else -1

    cdef (int32_t, int32_t) wait_of(self, int32_t r, int32_t op) noexcept:
        """The label and place of a wait for a resource: another visitor, the network, or an unusual visit's cause."""
        cdef int32_t part = self.resources[r].part
        if self.resources[r].release_node >= 0 and self.resources[r].release_cause >= 0:
            return self.label_of(self.resources[r].release_cause, part, op), self.resources[r].place
        if self.resources[r].link >= 0:
            return self.label_of(CONGESTION, part, op), self.resources[r].link
        return self.label_of(CONTENTION, part, op), self.resources[r].place

    cdef int enter_visit(self, int32_t w, int32_t r) except -1:
        """Take a server, count the visit and point back to what the walker waited for last."""
        cdef int64_t wait = self.now - self.walkers[w].arrival
        cdef int32_t node = self.walkers[w].node
        cdef int32_t op = self.walkers[w].op
        cdef int32_t part = self.resources[r].part
        cdef int32_t holder, cause = self.own_cause(w)
        cdef int32_t parent = node, label = self.walkers[w].label, place = self.walkers[w].place
        self.resources[r].idle -= 1
        self.resources[r].visits += 1
        self.resources[r].waited = full_sum(self.resources[r].waited, wait)
        self.walkers[w].grant = self.now
        if wait > 0:
            label, place = self.wait_of(r, op)
            self.op_waited[part, op] = full_sum(self.op_waited[part, op], wait)
            if self.resources[r].release_node >= 0:
                parent = self.resources[r].release_node
                holder = self.op_of(self.resources[r].release_actor)
                self.op_held_up[op, holder] = full_sum(self.op_held_up[op, holder], wait)
                if self.resources[r].release_actor == self.walkers[w].actor:
                    label = self.resources[r].release_label
                    place = self.resources[r].release_place
        if self.path.nodes[node].begin != self.now:
            self.walkers[w].node = self.path.new(parent, self.now, label, place)
            self.path.drop(node)
        if wait > 0:
            self.wait_over(w)
        self.walkers[w].label = self.label_of(cause if cause >= 0 else self.resources[r].cause, part, op)
        self.walkers[w].place = self.resources[r].place
        return 0

    cdef int grant_visit(self, int32_t w, int32_t r) except -1:
        cdef int32_t step = self.walkers[w].visit
        cdef int32_t h = self.new_hold(r, w, self.walkers[w].label, self.steps[step].charge)
        cdef int64_t occupancy = self.steps[step].occupancy
        if self.steps[step].latency == occupancy:
            self.holds[h].walker = w
        else:
            self.queue.push(self.now + self.steps[step].latency, <int64_t>w * 8 + GO)
        return self.queue.push(self.now + occupancy, <int64_t>h * 8 + RELEASE)

    # -- the network: a packet holds its entrance until its tail is inside, and goes on when the tail comes out -----

    cdef int enter_network(self, int32_t w, int32_t r) except -1:
        cdef int32_t step = self.walkers[w].visit
        self.walkers[w].hold = self.new_hold(r, w, self.walkers[w].label, self.steps[step].charge)
        self.holds[self.walkers[w].hold].least = self.steps[step].occupancy
        self.network.inject(
            self.steps[step].terminal, self.steps[step].route, self.steps[step].flits, w, self.now // self.network_period
        )
        self.network_next = self.now
        return 0

    cdef int start_casts(self, int32_t w, int32_t node, int64_t position) except -1:
        """Send what a firing puts out to several places at once, a packet for each cast."""
        cdef int32_t a = self.walkers[w].actor
        cdef int64_t inference = self.walkers[w].inference
        cdef int32_t i, t, carrier, first
        for i in range(self.first_cast[a], self.last_cast[a]):
            t = <int32_t>self.table[self.table_ptr[self.casts[i].table] + position]
            if t < 0:
                continue
            t += self.casts[i].first_tree
            first = self.actors[a].first_output + self.leaves[self.trees[t].first_leaf].output
            if self.is_empty(self.path_of(self.outputs[first].path, self.outputs[first].selector, inference)):
                continue  # the same expert is behind all leaves
            carrier = self.new_walker(
                a, self.leaves[self.trees[t].first_leaf].output, self.walkers[w].firing, -1, self.actors[a].op
            )
            self.walkers[carrier].tree = t
            self.walkers[carrier].inference = self.walkers[w].inference
            self.walkers[carrier].position = position
            self.walkers[carrier].node = node
            self.path.hold(node)
            self.request(carrier)
        return 0

    cdef int enter_with_copies(self, int32_t w, int32_t r) except -1:
        """Send the pieces of a packet that branches; a walker waits for them at each of its ends."""
        cdef int32_t t = self.walkers[w].tree
        cdef int32_t a = self.walkers[w].actor
        cdef int32_t i, copy, output, flits = 0, first = -1
        cdef int64_t cycle = self.now // self.network_period
        for i in range(self.trees[t].first_leaf + self.trees[t].leaves - 1, self.trees[t].first_leaf - 1, -1):
            output = self.leaves[i].output
            copy = self.new_walker(a, output, self.walkers[w].firing, -1, self.walkers[w].op)
            self.walkers[copy].leaf = i
            self.walkers[copy].inference = self.walkers[w].inference
            self.walkers[copy].packet = -1
            self.walkers[copy].pieces = self.trees[t].last_piece - self.trees[t].first_piece
            self.walkers[copy].node = self.walkers[w].node
            self.path.hold(self.walkers[w].node)
            self.walkers[copy].label = self.walkers[w].label
            self.walkers[copy].place = self.walkers[w].place
            self.walkers[copy].grant = self.now
            self.walkers[copy].token = self.table[
                self.table_ptr[self.outputs[self.actors[a].first_output + output].token] + self.walkers[w].position
            ] + self.walkers[w].inference * self.streams[
                self.outputs[self.actors[a].first_output + output].stream
            ].tokens
            self.walkers[copy].next = first
            first = copy
        self.walkers[w].chain = first
        self.walkers[w].pieces = self.trees[t].last_piece - self.trees[t].first_piece
        self.walkers[w].hold = self.new_hold(r, w, self.walkers[w].label, self.trees[t].charge)
        for i in range(self.trees[t].first_piece, self.trees[t].last_piece):
            # Later pieces are created when those before can have left, so that waiting for those is no congestion.
            self.network.inject(self.trees[t].terminal, self.trees[t].route, self.pieces[i], w, cycle + flits)
            flits += self.pieces[i]
        self.holds[self.walkers[w].hold].least = flits * self.network_period
        self.network_next = self.now
        return 0

    cdef int piece_comes(self, int32_t carrier, int32_t i) except -1:
        """A piece will arrive at one of its ends; the last one there takes the copies for that end along."""
        cdef int32_t w = self.walkers[carrier].chain
        cdef int32_t before = -1, following
        while w >= 0:
            following = self.walkers[w].next
            if self.leaves[self.walkers[w].leaf].hop != self.network.arrivals[i].hop:
                before = w
                w = following
                continue
            # Pieces may overtake one another; the one that comes last tells what was waited for.
            if self.walkers[w].packet >= 0 and self.walkers[w].ready >= self.network.arrivals[i].cycle:
                self.network.forget(self.network.arrivals[i].packet)
            else:
                if self.walkers[w].packet >= 0:
                    self.network.forget(self.walkers[w].packet)
                self.walkers[w].ready = self.network.arrivals[i].cycle
                self.walkers[w].packet = self.network.arrivals[i].packet
                self.walkers[w].chain = self.network.arrivals[i].chain
                self.walkers[w].rest = self.network.arrivals[i].rest
            self.walkers[w].pieces -= 1
            if self.walkers[w].pieces > 0:
                before = w
            else:
                if before >= 0:
                    self.walkers[before].next = following
                else:
                    self.walkers[carrier].chain = following
                self.queue.push(self.walkers[w].ready * self.network_period, <int64_t>w * 8 + GO)
            w = following
        if self.walkers[carrier].chain < 0:
            self.path.drop(self.walkers[carrier].node)
            self.walkers[carrier].next = self.free_walker
            self.free_walker = carrier
        return 0

    cdef int leave_network(self, int32_t w) except -1:
        """Charge the time inside: what an empty network takes, then each wait to the channel it was for."""
        cdef int32_t transport = self.walkers[w].label
        cdef int32_t part = transport // self.n_ops % self.n_parts
        cdef int32_t waiting = self.label_of(CONGESTION, part, self.walkers[w].op)
        cdef int32_t chain = self.walkers[w].chain
        cdef int64_t begin
        if self.walkers[w].leaf >= 0:
            begin = self.network.packets[self.walkers[w].packet].created * self.network_period
            begin += self.leaves[self.walkers[w].leaf].latency
            begin += (self.network.packets[self.walkers[w].packet].size - 1) * self.network_period
        else:
            begin = self.walkers[w].grant + self.steps[self.walkers[w].visit].latency
        cdef int32_t node = self.path.new(self.walkers[w].node, begin, transport, self.walkers[w].place), following
        self.path.drop(self.walkers[w].node)
        self.op_waited[part, self.walkers[w].op] = full_sum(
            self.op_waited[part, self.walkers[w].op], self.now - begin
        )
        while chain >= 0:
            begin += self.network.waits[chain].cycles * self.network_period
            following = self.path.new(node, begin, waiting, self.network.waits[chain].channel)
            self.path.drop(node)
            node = following
            chain = self.network.waits[chain].parent
        if self.walkers[w].rest > 0:
            begin += self.walkers[w].rest * self.network_period
            following = self.path.new(
                node, begin, waiting, self.network.packets[self.walkers[w].packet].slowest
            )
            self.path.drop(node)
            node = following
        if begin != self.now:
            raise AssertionError(f"the network's waits end at {begin} fs, the packet came at {self.now} fs")
        self.walkers[w].node = node
        self.network.forget(self.walkers[w].packet)
        return 0

    cdef int network_cycle(self, int64_t time) except -1:
        """Run one cycle of the network, and note what its terminals have sent and will receive."""
        cdef int32_t i, w
        self.network.step(time // self.network_period)
        for i in range(self.network.n_crossings):
            w = self.network.crossings[i].tag
            self.keep_record(
                CROSSED, self.walkers[w].actor, self.walkers[w].firing, self.walkers[w].output,
                self.network.crossings[i].vc, self.network.crossings[i].channel, self.walkers[w].op,
                self.network.crossings[i].begin * self.network_period,
                self.network.crossings[i].end * self.network_period, self.network.crossings[i].flits,
            )
        self.network.n_crossings = 0
        for i in range(self.network.n_left):
            w = self.network.left[i]
            if self.walkers[w].tree >= 0:
                self.walkers[w].pieces -= 1
                if self.walkers[w].pieces > 0:
                    continue
            self.queue.push(time + self.network_period, <int64_t>self.walkers[w].hold * 8 + RELEASE)
        self.network.n_left = 0
        for i in range(self.network.n_arrivals):
            w = self.network.arrivals[i].tag
            if self.walkers[w].tree >= 0:
                self.piece_comes(w, i)
                continue
            self.walkers[w].packet = self.network.arrivals[i].packet
            self.walkers[w].chain = self.network.arrivals[i].chain
            self.walkers[w].rest = self.network.arrivals[i].rest
            self.queue.push(self.network.arrivals[i].cycle * self.network_period, <int64_t>w * 8 + GO)
        self.network.n_arrivals = 0
        cdef int64_t cycle = self.network.next_cycle()
        self.network_next = NEVER if cycle == NEVER else cycle * self.network_period
        return 0

    cdef int grant_mvm(self, int32_t w, int32_t r) except -1:
        """Run a multiplication through its phases; with a bank of its own, all of them at once."""
        cdef int32_t m = self.steps[self.walkers[w].visit].mvm
        cdef int32_t bank = self.mvms[m].bank
        cdef int64_t clock = self.resources[r].period
        cdef int64_t adc_clock = self.resources[bank].period
        cdef int64_t read = self.mvms[m].read
        cdef int64_t convert = self.mvms[m].convert
        cdef int64_t sampled, drained, following, middle, first
        cdef int32_t left, node, h, array_label, adc_label
        self.walkers[w].ready = self.now + self.mvms[m].setup + read
        self.walkers[w].phase = 0
        self.walkers[w].token = self.now
        if self.mvms[m].shared:
            self.walkers[w].sample_node = -1
            if self.resources[r].unsampled >= 0:
                self.resources[r].sampler = w
                return 0
            return self.schedule_sample(w, r)
        array_label = self.walkers[w].label
        adc_label = self.label_of(self.resources[bank].cause, self.resources[bank].part, self.walkers[w].op)
        if self.resources[r].drained > self.walkers[w].ready and self.resources[r].drainer >= 0:
            # It is the multiplication before that the first sample waits for.
            node = self.path.new(
                self.resources[r].drained_node, self.resources[r].drained, adc_label, self.resources[bank].place
            )
            self.path.drop(self.walkers[w].node)
            self.walkers[w].node = node
            self.walkers[w].ready = self.resources[r].drained
            self.wait_over(w)
        self.note_drainer(r, w)
        sampled = align(max(self.walkers[w].ready, self.resources[r].drained), clock)
        first = align(sampled, adc_clock)
        drained = first + convert
        left = self.mvms[m].phases - 1
        while left > 0:
            following = align(max(sampled + read, drained), clock)
            if (following - sampled) % adc_clock == 0:  # both clocks stand as before: the rest repeats this phase
                sampled += left * (following - sampled)
                left = 1
            else:
                sampled = following
            drained = align(sampled, adc_clock) + convert
            left -= 1
        h = self.new_hold(
            r, w, array_label if read >= convert else adc_label, self.steps[self.walkers[w].visit].charge
        )
        if read < convert:
            self.holds[h].place = self.resources[bank].place
        self.queue.push(sampled, <int64_t>h * 8 + RELEASE)
        self.queue.push(drained + self.mvms[m].tail, <int64_t>w * 8 + GO)
        self.resources[r].drained = drained
        self.resources[bank].visits += self.mvms[m].phases
        # The slower of read and conversion sets the pace of the phases and is charged for them.
        middle = sampled if read >= convert else self.walkers[w].ready
        node = self.path.new(self.walkers[w].node, middle, array_label, self.resources[r].place)
        self.path.drop(self.walkers[w].node)
        self.walkers[w].node = node
        self.walkers[w].label = adc_label
        self.walkers[w].place = self.resources[bank].place
        self.walkers[w].ready = first
        return 0

    cdef int schedule_sample(self, int32_t w, int32_t r) except -1:
        """The read of a phase has a known end; the samples are taken once the holds are drained as well."""
        cdef int32_t bank = self.mvms[self.steps[self.walkers[w].visit].mvm].bank
        cdef int32_t binding = r if self.walkers[w].ready >= self.resources[r].drained else bank
        cdef int64_t time = align(max(self.walkers[w].ready, self.resources[r].drained), self.resources[r].period)
        if binding == bank and self.walkers[w].phase == 0 and self.resources[r].drainer >= 0:
            # It is the multiplication before that the first sample waits for.
            self.path.drop(self.walkers[w].node)
            self.walkers[w].node = self.resources[r].drained_node
            self.path.hold(self.walkers[w].node)
            self.wait_over(w)
        self.walkers[w].label = self.label_of(
            self.resources[binding].cause, self.resources[binding].part, self.walkers[w].op
        )
        self.walkers[w].place = self.resources[binding].place
        return self.queue.push(time, <int64_t>w * 8 + SAMPLE)

    cdef int sample(self, int32_t w) except -1:
        """Latch the bit lines; the array can read on, the bank is asked to convert."""
        cdef int32_t step = self.walkers[w].visit
        cdef int32_t r = self.steps[step].resource
        cdef int32_t m = self.steps[step].mvm
        cdef int32_t bank = self.mvms[m].bank
        cdef int32_t node = self.path.new(
            self.walkers[w].node, self.now, self.walkers[w].label, self.walkers[w].place
        )
        cdef int32_t h
        self.path.drop(self.walkers[w].node)
        self.walkers[w].node = node
        if self.walkers[w].phase + 1 == self.mvms[m].phases:
            h = self.new_hold(r, w, self.walkers[w].label, self.steps[step].charge)
            self.holds[h].place = self.walkers[w].place
            self.holds[h].begin = self.walkers[w].token
            self.resources[r].unsampled = w
            self.release(h)
        self.walkers[w].sample_node = node
        self.path.hold(node)
        self.walkers[w].label = self.label_of(self.resources[bank].cause, self.resources[bank].part, self.walkers[w].op)
        self.walkers[w].place = self.resources[bank].place
        self.walkers[w].ready = self.now + self.mvms[m].read  # of the next phase
        self.walkers[w].in_bank = 1
        return self.request(w)

    cdef int grant_conversion(self, int32_t w, int32_t bank) except -1:
        cdef int32_t step = self.walkers[w].visit
        cdef int32_t r = self.steps[step].resource
        cdef int32_t m = self.steps[step].mvm
        cdef int32_t other
        cdef int64_t drained = self.now + self.mvms[m].convert
        cdef int32_t h = self.new_hold(bank, w, self.walkers[w].label, -1)
        self.queue.push(drained, <int64_t>h * 8 + RELEASE)
        self.resources[r].drained = drained
        self.walkers[w].in_bank = 0
        self.walkers[w].phase += 1
        if self.walkers[w].phase < self.mvms[m].phases:
            if self.walkers[w].ready >= drained:  # the next sample waits for the read that began with this one
                self.path.drop(self.walkers[w].node)
                self.walkers[w].node = self.walkers[w].sample_node
            else:
                self.path.drop(self.walkers[w].sample_node)
            return self.schedule_sample(w, r)
        self.path.drop(self.walkers[w].sample_node)
        self.note_drainer(r, w)
        self.resources[r].unsampled = -1
        other = self.resources[r].sampler
        if other >= 0:
            self.resources[r].sampler = -1
            self.schedule_sample(other, r)
        return self.queue.push(drained + self.mvms[m].tail, <int64_t>w * 8 + GO)

    # -- one instant -------------------------------------------------------------------------------------------

    cdef int instant(self, int64_t time) except -1:
        """Run the three beats of an instant, whose events are at the head of the queue."""
        cdef int64_t payload
        cdef int32_t i
        cdef bint let_go = False
        self.now = self.path.now = time
        while self.queue.next_time() == time:
            payload = self.queue.pop()
            self.events += 1
            if payload == LET_GO:
                let_go = True
            else:
                self.dispatch(payload)
        for i in range(self.n_hot_actors):
            self.try_start(self.hot_actors[i])
        for i in range(self.n_hot_resources):
            self.grant_all(self.hot_resources[i])
        if self.network_next == time:
            self.network_cycle(time)
        if let_go:  # every actor has had its chance to start at time 0 or when the host allowed it
            self.path.drop(self.path.root)
        self.clear_instant()
        self.done = time
        return 0

    cdef void clear_instant(self) noexcept:
        """Forget what only mattered inside this instant, so that it keeps no part of the path alive."""
        cdef int32_t i, r, s, n, following
        for i in range(self.n_hot_resources):
            r = self.hot_resources[i]
            self.resources[r].touched = 0
            if self.resources[r].release_node >= 0:
                self.path.drop(self.resources[r].release_node)
                self.resources[r].release_node = -1
        self.n_hot_resources = 0
        for i in range(self.n_hot_streams):
            s = self.hot_streams[i]
            self.streams[s].touched = 0
            n = self.streams[s].arrivals
            while n >= 0:
                following = self.notes[n].next
                self.path.drop(self.notes[n].node)
                self.notes[n].next = self.free_note
                self.free_note = n
                n = following
            n = self.streams[s].credits
            while n >= 0:
                following = self.notes[n].next
                self.path.drop(self.notes[n].node)
                self.notes[n].next = self.free_note
                self.free_note = n
                n = following
            self.streams[s].arrivals = self.streams[s].credits = -1
        self.n_hot_streams = 0
        for i in range(self.n_hot_actors):
            r = self.hot_actors[i]
            self.actors[r].touched = 0
            if self.actors[r].end_node >= 0:
                self.path.drop(self.actors[r].end_node)
                self.actors[r].end_node = -1
            if self.actors[r].permit_node >= 0 and self.actors[r].asked_at == NEVER:
                self.path.drop(self.actors[r].permit_node)
                self.actors[r].permit_node = -1
        self.n_hot_actors = 0

    cdef int log_visit(self, int32_t w, int64_t leave) except -1:
        cdef int32_t a = self.walkers[w].actor
        cdef int32_t step = self.walkers[w].step
        cdef int32_t i, path = -1
        cdef int64_t inference, grant = self.walkers[w].grant
        if self.walkers[w].leaf >= 0:
            step = -1
        else:
            if self.steps[self.walkers[w].visit].mvm >= 0:
                grant = self.walkers[w].token
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
            self.log = _grown(self.log, "record")
        record = &self.log[self.n_log]
        record.firing, record.begin, record.end, record.amount = firing, begin, end, amount
        record.kind, record.actor, record.output, record.step = kind, actor, output, step
        record.place, record.op = place, op
        self.n_log += 1
        return 0

    cdef void thin_log(self) noexcept:
        """Keep every second of the firings that were kept so far, from now on as well, until there is room."""
        cdef int64_t i, kept
        while self.n_log > self.record_most // 2 and self.record_every < (1 << 40):
            self.record_every *= 2
            kept = 0
            for i in range(self.n_log):
                if self.log[i].kind < HELD or self.log[i].firing % self.record_every == 0:
                    self.log[kept] = self.log[i]
                    kept += 1
            self.n_log = kept
        self.record_most = max(self.record_most, 2 * self.n_log)
