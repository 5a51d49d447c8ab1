"""Contract of the list of commands that a channel has been sent."""

from libc.stdint cimport int32_t, int64_t

cdef class DramLog:
    cdef bint recording
    cdef int64_t[::1] sent  # of each command: how often
    cdef int64_t[:, ::1] rows_
    cdef int64_t count

    cdef int note(self, int64_t time, int32_t command, int32_t bank) except -1 nogil
