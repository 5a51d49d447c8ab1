"""Contract of the ports: into the network, and out of it."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.clock cimport Clock
from pimsim_core.network cimport Network
from pimsim_core.service cimport Service

cdef class Ports(Service):
    cdef Network network
    cdef Clock clock
    cdef int64_t period  # of the clock

    cdef int enter_with_copies(self, int32_t w, int32_t r) except -1
    cdef int piece_comes(self, int32_t carrier, int32_t i) except -1
