"""Contract of the queue: an ordinary resource, which serves in order of arrival."""

from libc.stdint cimport int32_t

from pimsim_core.service cimport Service

cdef class Queue(Service):
    cdef int32_t arrange(self, int32_t w) noexcept nogil
    cdef (int32_t, int32_t) wait_of(self, int32_t r, int32_t op) noexcept nogil
    cdef int enter(self, int32_t w, int32_t r) except -1
    cdef int release(self, int32_t h) except -1
