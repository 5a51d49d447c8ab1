"""Contract of the critical-path recorder: a tree of starts that forgets what nothing live can reach."""

from libc.stdint cimport int32_t, int64_t

cdef struct Node:
    int64_t begin
    int64_t children_sum  # sum of the children's indices: names the only child when there is one
    int32_t parent
    int32_t label  # what the time from the parent's begin to this begin is charged to
    int32_t held  # live things that point here
    int32_t children
    int32_t link  # of the network, if the time is spent waiting for one; or -1
    int32_t unused

cdef class CriticalPath:
    cdef Node[::1] nodes
    cdef int64_t[::1] totals
    cdef int64_t[::1] link_totals
    cdef int32_t unused
    cdef int32_t root
    cdef readonly int64_t live
    cdef readonly int64_t peak

    cdef int32_t new(self, int32_t parent, int64_t begin, int32_t label) except -1
    cdef int32_t new_at(self, int32_t parent, int64_t begin, int32_t label, int32_t link) except -1
    cdef void hold(self, int32_t node) noexcept
    cdef void drop(self, int32_t node) noexcept
    cdef int grow(self) except -1
