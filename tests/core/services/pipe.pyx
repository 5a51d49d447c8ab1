"""Two services of a few lines, to prove the face: neither is known to the kernel."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.event_queue cimport NEVER
from pimsim_core.service cimport Service


cdef class Pipe(Service):
    """Takes in whoever comes, and lets each go on after the same time, in fs."""

    cdef int64_t latency

    def __init__(self, int64_t latency):
        self.latency = latency

    cdef int serve(self, int32_t r) except -1:
        cdef int32_t w = self.core.resources[r].fresh, following
        self.core.resources[r].fresh = -1
        while w >= 0:
            following = self.core.walkers[w].next
            self.core.begin_visit(w, r, self.core.walkers[w].node, self.core.walkers[w].label, self.core.walkers[w].place)
            self.core.go_on(w, self.core.now + self.latency)
            w = following
        return 0


cdef class Ferry(Service):
    """Leaves at every multiple of a time, in fs, and takes along who has come before; it stops half-way."""

    cdef int64_t every
    cdef int32_t aboard  # a list of walkers
    cdef readonly int64_t trips
    cdef readonly int64_t stops

    def __init__(self, int64_t every):
        self.every, self.aboard = every, -1

    cdef int serve(self, int32_t r) except -1:
        cdef int32_t w = self.core.resources[r].fresh, following
        self.core.resources[r].fresh = -1
        while w >= 0:
            following = self.core.walkers[w].next
            self.core.begin_visit(w, r, self.core.walkers[w].node, self.core.walkers[w].label, self.core.walkers[w].place)
            self.core.walkers[w].next = self.aboard
            self.aboard = w
            w = following
        self.core.next_times[self.number] = (self.core.now // self.every + 1) * self.every
        return 0

    cdef int advance(self, int64_t time) except -1:
        cdef int32_t w = self.aboard
        self.trips += 1
        while w >= 0:
            self.core.serve_at(w, time + self.every // 2)
            w = self.core.walkers[w].next
        self.aboard = -1
        self.core.next_times[self.number] = NEVER
        return 0

    cdef int event(self, int32_t w) except -1:
        self.stops += 1
        return self.core.go_on(w, self.core.now + self.every // 2)
