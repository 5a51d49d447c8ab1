"""Contract of the critical-path recorder: a tree of starts that forgets what nothing live can reach."""

from libc.stdint cimport int32_t, int64_t

cdef struct Node:
    int64_t begin
    int64_t children_sum  # sum of the children's indices: names the only child when there is one
    int32_t parent
    int32_t label  # what the time from the parent's begin to this begin is charged to
    int32_t held  # live things that point here
    int32_t children
    int32_t place  # where the time is spent: a row of `place_totals`, or -1
    int32_t unused

cdef struct Stretch:  # of the critical path
    int64_t begin
    int64_t end
    int32_t label
    int32_t place

cdef class CriticalPath:
    cdef Node[::1] nodes
    cdef int64_t[:, ::1] totals  # by phase and label
    cdef int64_t[::1] phase_begin
    cdef int64_t[::1] place_totals
    cdef bint recording
    cdef Stretch[::1] stem
    cdef int64_t n_stem
    cdef int32_t unused
    cdef int32_t root
    cdef int64_t now  # what begins later is not folded yet
    cdef readonly int64_t live
    cdef readonly int64_t peak

    cdef int32_t new(self, int32_t parent, int64_t begin, int32_t label, int32_t place) except -1 nogil
    cdef void hold(self, int32_t node) noexcept nogil
    cdef void drop(self, int32_t node) noexcept nogil
    cdef void fold(self, int64_t begin, int64_t end, int32_t label, int32_t place) noexcept nogil
    cdef void _keep_stretch(self, int64_t begin, int64_t end, int32_t label, int32_t place) noexcept nogil
    cdef int grow(self) except -1
