"""Contract of the time bins: amounts spread over time, in a number of bins that does not grow with the run."""

from libc.stdint cimport int32_t, int64_t

cdef class TimeBins:
    cdef double[:, ::1] sums  # by row and bin
    cdef readonly int64_t width
    cdef readonly int32_t bins

    cdef int add(self, int32_t row, int64_t begin, int64_t end, double amount) except -1 nogil
    cdef int widen(self) except -1
