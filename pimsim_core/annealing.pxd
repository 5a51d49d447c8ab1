"""Contract of the annealing: units on seats, and what they send one another."""

from libc.stdint cimport int32_t, int64_t, uint64_t

cdef class Annealing:
    cdef int32_t[::1] seat
    cdef int32_t[::1] best  # seats that cost least so far
    cdef int32_t[::1] group
    cdef int32_t[:, ::1] pairs
    cdef double[::1] flits
    cdef int64_t[::1] route_ptr
    cdef int32_t[::1] channels
    cdef int32_t[::1] first  # of a unit among `own`
    cdef int32_t[::1] own  # pairs of each unit
    cdef double[::1] load
    cdef int32_t[::1] movable
    cdef double scale
    cdef double far
    cdef int64_t n_seats
    cdef uint64_t state

    cdef uint64_t draw(self) noexcept nogil
    cdef double cost_of(self, double load) noexcept nogil
    cdef double send(self, int32_t p, double sign) noexcept nogil
    cdef double swap(self, int32_t a, int32_t b) noexcept nogil
    cdef bint is_of(self, int32_t p, int32_t unit) noexcept nogil
    cdef void settle(self) noexcept
