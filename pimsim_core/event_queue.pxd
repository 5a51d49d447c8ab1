"""Contract of the event queue: a monotone radix heap of (time, payload)."""

from libc.stdint cimport int64_t, int32_t, uint64_t

cdef int64_t NEVER  # later than any event

cdef struct Event:
    int64_t time
    int64_t payload
    int64_t next

cdef class EventQueue:
    cdef Event[::1] pool
    cdef int64_t[::1] heads  # one list of events a bucket; -1 is empty
    cdef uint64_t occupied  # bit b: bucket b + 1 holds something
    cdef int64_t unused
    cdef int64_t last  # the instant that bucket 0 stands for
    cdef int64_t earliest  # cached minimum, or -1 when it must be looked up
    cdef readonly int64_t size

    cdef int push(self, int64_t time, int64_t payload) except -1 nogil
    cdef int64_t next_time(self) noexcept nogil
    cdef int64_t pop(self) noexcept nogil
    cdef int grow(self) except -1
