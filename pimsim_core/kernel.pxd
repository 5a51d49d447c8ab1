"""Contract of the kernel: what happens in an instant."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.gates cimport Gates
from pimsim_core.queue cimport Queue

cdef class Kernel(Gates):
    cdef list services
    cdef Queue servers  # the first of them

    cdef int dispatch(self, int64_t payload) except -1
    cdef int request(self, int32_t w) except -1
    cdef int request_later(self, int32_t w) except -1
    cdef int to_edge(self, int32_t w, int32_t r, int64_t edge) except -1
    cdef int arrive(self, int32_t w) except -1
    cdef int end_firing(self, int32_t w, int32_t node) except -1
    cdef int start_casts(self, int32_t w, int32_t node, int64_t position) except -1
    cdef int try_start(self, int32_t a) except -1
    cdef int job_is_over(self, int64_t job, int32_t node) except -1
    cdef int instant(self, int64_t time) except -1
    cdef void clear_instant(self) noexcept nogil
    cdef int64_t service_time(self) noexcept nogil
    cdef int run_services(self, int64_t time) except -1
    cdef int32_t service_of(self, int32_t w) noexcept nogil
