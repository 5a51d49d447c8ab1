"""Contract of the clock: it steps a network, and takes in one stride the cycles that repeat."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.network cimport Arbiter, Branch, Lane, Network, Router, Terminal

cdef class Clock:
    cdef Network network
    cdef int64_t again  # cycle from which to look whether the network repeats itself
    cdef int64_t now  # of the copy that follows
    cdef int64_t in_wheel
    cdef int32_t n_active
    cdef int32_t n_sending
    cdef int32_t free_packet
    cdef int32_t free_wait
    cdef int32_t free_branch
    cdef Arbiter[::1] arbiters
    cdef Lane[::1] lanes
    cdef int64_t[::1] times
    cdef Branch[::1] branches
    cdef Router[::1] routers
    cdef Terminal[::1] terminals
    cdef int32_t[::1] active
    cdef int32_t[::1] sending
    cdef int32_t[:, ::1] wheel
    cdef int32_t[::1] wheel_count
    cdef int32_t[::1] live  # lanes that hold flits or belong to a packet
    cdef int32_t n_live
    cdef int32_t[::1] ports  # channels whose arbiters those meet, some more than once
    cdef int32_t n_ports
    cdef int32_t[::1] loaded  # terminals with packets to send
    cdef int32_t n_loaded

    cdef int tick(self, int64_t cycle, int64_t until) except -1
    cdef int look(self, int64_t until) except -1
    cdef bint has_room(self, int64_t until) noexcept nogil
    cdef int keep(self) except -1
    cdef void keep_lane(self, int32_t l) noexcept nogil
    cdef void keep_arbiter(self, int32_t channel) noexcept nogil
    cdef bint as_far(self, int64_t new, int64_t old) noexcept nogil
    cdef bint same(self) noexcept nogil
    cdef bint same_lists(self) noexcept nogil
    cdef bint same_wheel(self) noexcept nogil
    cdef bint same_lanes(self) noexcept nogil
    cdef int32_t behind(self, Lane* lane, int32_t l, int32_t place) noexcept nogil
    cdef bint same_ring(self, int32_t l) noexcept nogil
    cdef bint same_branches(self, int32_t l) noexcept nogil
    cdef bint same_arbiters(self) noexcept nogil
    cdef bint same_terminals(self) noexcept nogil
    cdef int64_t strides(self, int64_t period, int64_t until) noexcept nogil
    cdef int64_t later(self, int64_t time, int64_t cycles) noexcept nogil
    cdef void skip(self, int64_t period, int64_t times) noexcept nogil
