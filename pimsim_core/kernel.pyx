"""What happens in an instant: the three beats, on a machine made of numbers.

First everything that ends or is delivered; then the actors that can fire now ask for their first resource; then
resources grant. No stage takes zero time, so the order inside a beat does not matter. Nothing here knows what a
convolution is. The meaning of each rule is in ``docs/machine-model.md``; ``tests/oracle/twin.py`` says the same in
plain SimPy.
"""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.event_queue cimport NEVER
from pimsim_core.gates cimport Gates
from pimsim_core.records cimport (
    ARRIVE, CLOCK, DENIED, GO, KICK, LET_GO, OVER, PORTS, QUEUE, RELEASE, SERVE, STARTED, SUBMIT, VISITS, WORKING, align,
)
from pimsim_core.service cimport Service

from pimsim_core.records import CAUSES, record_dtype


cdef class Kernel(Gates):
    """Actors, streams and the beats of an instant; `pimsim_core.engine.Engine` drives it."""

    cdef int dispatch(self, int64_t payload) except -1:
        cdef int32_t kind = <int32_t>(payload & 7)
        cdef int32_t i = <int32_t>(payload >> 3)
        if kind == GO:
            self.advance(i)
        elif kind == RELEASE:
            self.release(i)
        elif kind == ARRIVE:
            self.arrive(i)
        elif kind == SERVE:
            (<Service>self.services[self.service_of(i)]).event(i)
        elif kind == KICK:
            self.touch_actor(i)
        elif kind == SUBMIT:
            self.request(i)
        else:  # WATCH
            self.look_at_site(i)
        return 0

    cdef int32_t service_of(self, int32_t w) noexcept nogil:
        """The service that a walker is at: of what it carries, or of its step."""
        if self.walkers[w].tree >= 0 or self.walkers[w].leaf >= 0:
            return PORTS
        return self.steps[self.walkers[w].visit].service

    cdef int grant(self, int32_t w, int32_t r) except -1:
        """A walker has got a server: what comes of it is its step's service's business."""
        cdef int32_t service = self.service_of(w)
        if service == QUEUE:
            return self.servers.grant(w, r)
        return (<Service>self.services[service]).grant(w, r)

    cdef int release(self, int32_t h) except -1:
        return self.servers.release(h)

    cdef int64_t service_time(self) noexcept nogil:
        """When the first service has something to do by itself, or NEVER."""
        cdef int64_t time = NEVER
        cdef int32_t i
        for i in range(self.next_times.shape[0]):
            if self.next_times[i] < time:
                time = self.next_times[i]
        return time

    cdef int run_services(self, int64_t time) except -1:
        """Let the services whose time has come do what they do by themselves."""
        cdef int32_t i
        for i in range(self.next_times.shape[0]):
            if self.next_times[i] == time:
                (<Service>self.services[i]).advance(time)
        return 0

    # -- beat 1: everything that ends or is delivered ----------------------------------------------------------

    cdef int request(self, int32_t w) except -1:
        """Ask for the resource of the walker's present step at its next clock edge."""
        self.walkers[w].cost = self.cost_of(w)
        return self.ask(w, self.steps[self.walkers[w].visit].resource)

    cdef int ask(self, int32_t w, int32_t r) except -1:
        """Ask for a resource at its next clock edge."""
        cdef int64_t edge = align(self.now, self.resources[r].period)
        self.walkers[w].resource = r
        if edge > self.now:
            return self.to_edge(w, r, edge)
        self.walkers[w].arrival = edge
        return self.arrive(w)

    cdef int request_later(self, int32_t w) except -1:
        """Ask, at an instant that is done, for the resource of the walker's step at its next clock edge behind it."""
        cdef int32_t r = self.steps[self.walkers[w].visit].resource
        self.walkers[w].resource = r
        self.walkers[w].cost = self.cost_of(w)
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
        """Stand before the resource that was asked for."""
        cdef int32_t r = self.walkers[w].resource
        self.walkers[w].next = self.resources[r].fresh
        self.resources[r].fresh = w
        self.touch_resource(r)
        return 0

    cdef int advance(self, int32_t w) except -1:
        """A visit is over for its visitor, who goes on along its path."""
        cdef int32_t path, i, service = self.service_of(w)
        if service != QUEUE:
            (<Service>self.services[service]).leave(w)
        if self.recording & VISITS:
            self.log_visit(w, self.now)
        if self.walkers[w].leaf >= 0:  # a copy has come: it goes on along its own path
            self.walkers[w].leaf = -1
            i = self.actors[self.walkers[w].actor].first_output + self.walkers[w].output
            path = self.outputs[i].path
            if path < 0:
                return self.finish(w)
            path = self.path_of(path, self.outputs[i].selector, self.walkers[w].inference)
            self.walkers[w].step = self.walkers[w].visit = self.path_ptr[path]
            self.walkers[w].end = self.path_ptr[path + 1]
            return self.request(w)
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
            self.walkers[packet].inference = inference
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
            self.ask(carrier, self.trees[t].resource)
        return 0

    cdef int job_is_over(self, int64_t job, int32_t node) except -1:
        """Tell the host; keep the job's end if an opening may follow from it."""
        if job in self.kept_jobs:
            self.kept_jobs.discard(job)
            self.job_nodes[job] = node
            self.path.hold(node)
        self.finished_jobs.append(job)
        self.noticed = True
        return 0

    # -- beat 2: the actors that can fire now ------------------------------------------------------------------

    cdef int try_start(self, int32_t a) except -1:
        cdef int32_t previous = -1
        cdef int32_t node, w, i, s, path
        cdef int64_t k
        if self.actors[a].allowed_at <= self.now:
            self.take_allowances(a)
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

    # -- one instant -------------------------------------------------------------------------------------------

    cdef int instant(self, int64_t time) except -1:
        """Run the three beats of an instant, whose events are at the head of the queue."""
        cdef int64_t payload
        cdef int32_t i, r
        cdef bint let_go = False
        self.now = self.path.now = self.alone = time
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
            r = self.hot_resources[i]
            (<Service>self.services[self.resources[r].service]).serve(r)
        if self.service_time() == time:
            self.run_services(time)
        if let_go:  # every actor has had its chance to start at time 0 or when the host allowed it
            self.path.drop(self.path.root)
        self.clear_instant()
        self.done = time
        return 0

    cdef void clear_instant(self) noexcept nogil:
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
            if self.actors[r].permit_node >= 0:
                self.path.drop(self.actors[r].permit_node)
                self.actors[r].permit_node = -1
        self.n_hot_actors = 0
