"""Contract of the crossbar: multiplications, phase by phase."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.records cimport Mvm
from pimsim_core.service cimport Service

cdef struct Holds:  # the sample-and-holds of a resource that multiplies
    int64_t drained  # when they are empty again
    int32_t unsampled  # walker whose last phase has not begun to convert, or -1
    int32_t sampler  # walker that waits for it, or -1
    int32_t drainer  # the walker that they are drained of last, or -1
    int32_t drained_node  # since when that takes its time

cdef class Crossbar(Service):
    cdef Mvm[::1] mvms
    cdef Holds[::1] samples

    cdef int wait_for_drainer(self, int32_t w, int32_t r, int32_t bank) except -1
    cdef int note_drainer(self, int32_t r, int32_t w) except -1
    cdef int multiply_at_once(self, int32_t w, int32_t r) except -1
    cdef int schedule_sample(self, int32_t w, int32_t r) except -1
    cdef int convert(self, int32_t w, int32_t bank) except -1
