"""Amounts spread over time, in a number of bins that does not grow with the run.

Whenever time runs past the last bin, neighbours are joined and each bin is twice as wide.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t


cdef class TimeBins:
    """Rows of bins over time from 0 on.

    Parameters
    ----------
    rows : int
        What is kept apart.
    bins : int
        How many, an even number; once time has passed the first few femtoseconds, more than half of them are in use.
    """

    def __init__(self, int32_t rows, int32_t bins=128):
        if bins < 2 or bins % 2:
            raise ValueError(f"found {bins} bins, expected an even number from 2")
        self.bins = bins
        self.width = 1
        self.sums = np.zeros((rows, bins))

    cdef int widen(self) except -1:
        old = np.asarray(self.sums)
        self.sums = np.concatenate([old[:, ::2] + old[:, 1::2], np.zeros((old.shape[0], self.bins // 2))], axis=1)
        self.width *= 2
        return 0

    cdef int add(self, int32_t row, int64_t begin, int64_t end, double amount) except -1 nogil:
        """Spread an amount evenly over the time from `begin` to `end`; all of it at `begin` if they are one."""
        cdef int64_t first, last, b
        cdef double rate
        while max(end - 1, begin) // self.width >= self.bins:
            with gil:
                self.widen()
        first = begin // self.width
        last = max(end - 1, begin) // self.width
        if first == last:
            self.sums[row, first] += amount
            return 0
        rate = amount / (end - begin)
        self.sums[row, first] += rate * ((first + 1) * self.width - begin)
        for b in range(first + 1, last):
            self.sums[row, b] += rate * self.width
        self.sums[row, last] += rate * (end - last * self.width)
        return 0

    def spread(self, int32_t row, int64_t begin, int64_t end, double amount):
        """Do what `add` does, for tests."""
        self.add(row, begin, end, amount)

    def add_row(self):
        """Make room for one more row."""
        self.sums = np.concatenate([np.asarray(self.sums), np.zeros((1, self.bins))])

    def rebinned(self, int64_t width):
        """Return the sums in bins of a width that is a power of two times this one, float64, (rows, bins)."""
        factor = min(width // self.width, self.bins)  # what nothing was added to has bins of 1 fs for ever
        sums = np.asarray(self.sums)
        if factor >= self.bins:  # all of it lies in the first bin; nothing may have been added at all
            joined = np.zeros_like(sums)
            joined[:, 0] = sums.sum(axis=1)
            return joined
        padded = np.zeros((sums.shape[0], -(-self.bins // factor) * factor))
        padded[:, : self.bins] = sums
        joined = np.zeros_like(sums)
        joined[:, : padded.shape[1] // factor] = padded.reshape(sums.shape[0], padded.shape[1] // factor, factor).sum(axis=2)
        return joined
