"""Contract of a service: what serves visitors by rules of its own. The kernel knows no more of it than this."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.state cimport State

cdef class Service:
    cdef State core
    cdef int32_t number

    cdef int serve(self, int32_t r) except -1
    cdef int grant(self, int32_t w, int32_t r) except -1
    cdef int event(self, int32_t w) except -1
    cdef int leave(self, int32_t w) except -1
    cdef int advance(self, int64_t time) except -1
