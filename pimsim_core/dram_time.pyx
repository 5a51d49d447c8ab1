"""What the time of a DRAM channel goes to, column by column, while it runs.

What lies between the last burst and the next is charged to what held that one up, from its beginning on, as
`pimsim.dram.bus` cuts a run that is over. Time counts from column to column, as if data came with its command; of
several data buses, a cycle in which one moves data is no loss.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t

USE_NAMES = ("moving", "row_miss", "bank_conflict", "refresh", "turnaround")

cdef int64_t LONG_AGO = -(<int64_t>1 << 60)


cdef class DramTime:
    """The time of a channel.

    Parameters
    ----------
    banks : int
        Of the channel.
    burst, to_read, to_write, to_open, to_recover : int
        Cycles of a burst, from an activate to a read and to a write, from a precharge and from a refresh to an activate.
    """

    def __init__(self, banks, burst, to_read, to_write, to_open, to_recover):
        self.burst, self.to_open, self.to_recover = burst, to_open, to_recover
        self.to_column[0], self.to_column[1] = to_read, to_write
        self.activated, self.closed, self.refreshed = np.full((3, banks), LONG_AGO, dtype=np.int64)
        self.last_way, self.refreshing = -1, LONG_AGO

    @property
    def sums(self):
        """Cycles up to the end of the last burst, in the order of `USE_NAMES`."""
        return [self.spent[k] for k in range(USES)]

    cdef void refresh(self, int32_t begin, int32_t end, int64_t time) noexcept nogil:
        """Some banks are refreshed from a cycle on."""
        cdef int32_t bank
        self.refreshing = time + self.to_recover
        for bank in range(begin, end):
            self.refreshed[bank] = self.refreshing

    cdef void column(self, int32_t bank, int32_t way, int64_t accepted, int64_t waiting, int64_t time) noexcept nogil:
        """A request that was accepted in a cycle has its column; `waiting` says since when any request has waited."""
        cdef int64_t begin = self.until
        cdef int64_t shade = min(max(begin - accepted, 0), self.to_column[way])  # an early activate would hide it
        cdef bint turned = self.last_way >= 0 and way != self.last_way
        self.last_way = way
        if time > begin:
            begin = self.cut(begin, waiting, time, MOVING)
            begin = self.cut(begin, self.refreshed[bank] + shade, time, REFRESHING)
            begin = self.cut(begin, self.closed[bank] + shade, time, CONFLICTED)
            begin = self.cut(begin, self.activated[bank] + self.to_column[way], time, MISSED)
            begin = self.cut(begin, time, time, TURNING if turned else MOVING)
        self.cut(begin, time + self.burst, time + self.burst, MOVING)

    cdef int64_t cut(self, int64_t begin, int64_t end, int64_t most, int32_t use) noexcept nogil:
        """Charge what lies between two cycles to a use; return where it ends."""
        end = max(begin, min(end, most))
        self.spent[use] += end - begin
        self.until = end
        return end

    cdef void before(self, int64_t time, bint idle, int64_t* found) noexcept nogil:
        """What the cycles before one went to; those that no burst has ended yet, to refresh or to nothing else."""
        cdef int32_t use
        cdef int64_t rest = time - self.until, refreshed
        for use in range(USES):
            found[use] = self.spent[use]
        if rest > 0 and not idle:
            refreshed = max(self.until, min(time, self.refreshing)) - self.until
            found[REFRESHING] += refreshed
            rest -= refreshed
        found[MOVING] += rest  # less than nothing, if the last burst ends later
