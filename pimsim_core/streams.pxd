"""Contract of the streams: tokens that come, places that become free, and what an actor's next firing waits for."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.state cimport State

cdef class Streams(State):
    cdef int set_state(self, int32_t a, int32_t state, int32_t lacking) except -1
    cdef int note_fill(self, int32_t s) except -1
    cdef int deliver(self, int32_t s, int64_t token, int32_t node) except -1
    cdef int give_back(self, int32_t i, int64_t upto, int32_t node) except -1
    cdef int32_t start_cause(self, int32_t a, int32_t previous) except -2
