"""Contract of the engine: a kernel that Python can drive."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.kernel cimport Kernel

cdef class Engine(Kernel):
    cdef int64_t effective(self, int32_t actor, int64_t time) except -1
    cdef int32_t until_edge(self, int32_t actor, int32_t parent, int64_t time, int64_t begin) except -1
