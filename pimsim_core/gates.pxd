"""Contract of the gates: what the host allows, and sites that a controller closes and opens."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.streams cimport Streams

cdef class Gates(Streams):
    cdef int take_allowances(self, int32_t a) except -1
    cdef int look_at_site(self, int32_t site) except -1
    cdef int want(self, int32_t a, int32_t node) except -1
    cdef int tell_want(self, int32_t a) except -1
    cdef int take_opening(self, int32_t a) except -1
    cdef int32_t opened_start(self, int32_t a) except -1
    cdef int32_t charged_until(self, int32_t node, int64_t time, int32_t cause, int32_t a) except -1
    cdef int64_t effective(self, int32_t actor, int64_t time) except -1
    cdef int32_t until_edge(self, int32_t actor, int32_t parent, int64_t time, int64_t begin) except -1
