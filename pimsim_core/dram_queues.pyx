"""The queues of a DRAM channel: requests come in one a cycle, in their order, and wait by bank."""

import numpy as np

from libc.stdint cimport int8_t, int32_t, int64_t

OUTCOMES = ("hit", "miss", "conflict", "forwarded", "merged")

cdef int64_t NEVER = 0x7FFFFFFFFFFFFFFF


cdef class DramQueues:
    """What a channel is asked for.

    Parameters
    ----------
    banks : int
        Banks of the channel.
    queue_of, bank, row, column : int32, shape (requests,)
        1 for a write, 0 for a read; its place.
    offered : int64, shape (requests,)
        The first cycle in which each may be accepted, not decreasing.
    reads, writes : int
        Places of the two queues.
    outstanding : int
        Accepted and not yet done at a time, at most; 0 for any number.
    """

    def __init__(self, banks, queue_of, bank, row, column, offered, reads, writes, outstanding):
        self.queue_of, self.bank = np.array(queue_of, dtype=np.int32), np.array(bank, dtype=np.int32)
        self.row, self.column = np.array(row, dtype=np.int32), np.array(column, dtype=np.int32)
        self.offered = np.array(offered, dtype=np.int64)
        count = len(bank)
        self.count, self.outstanding, self.last_accepted = count, outstanding, -1
        self.room[0], self.room[1] = reads, writes
        self.accepted, self.issued = np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64)
        self.done, self.outcome = np.full(count, -1, dtype=np.int64), np.zeros(count, dtype=np.int8)
        self.older, self.newer = np.full(count, -1, dtype=np.int32), np.full(count, -1, dtype=np.int32)
        self.oldest, self.newest = np.full((2, banks), -1, dtype=np.int32), np.full((2, banks), -1, dtype=np.int32)
        self.ends = np.zeros((3, count + 1), dtype=np.int64)

    @property
    def figures(self):
        """Cycles in which each request was accepted, sent and done, and what came of it (see `OUTCOMES`)."""
        return np.array(self.accepted), np.array(self.issued), np.array(self.done), np.array(self.outcome)

    @property
    def progress(self):
        """How many requests have been accepted."""
        return self.coming

    cdef int32_t find(self, int32_t queue, int32_t bank, int32_t row, int32_t column) noexcept nogil:
        """The request of a queue that waits for a place, or -1."""
        cdef int32_t request = self.oldest[queue, bank]
        while request >= 0 and not (self.row[request] == row and self.column[request] == column):
            request = self.newer[request]
        return request

    cdef bint enter(self, int32_t request, int64_t time) noexcept nogil:
        """Let a request in, if it can be."""
        cdef int32_t queue = self.queue_of[request], bank = self.bank[request]
        if self.find(1, bank, self.row[request], self.column[request]) >= 0:
            self.outcome[request] = MERGED if queue else FORWARDED
            self.end(2, request, time + 1)
            return True
        if queue and self.find(0, bank, self.row[request], self.column[request]) >= 0:
            return False  # no write overtakes a read of what it replaces
        if self.waiting[queue] >= self.room[queue]:
            return False
        self.older[request] = self.newest[queue, bank]
        if self.newest[queue, bank] >= 0:
            self.newer[self.newest[queue, bank]] = request
        else:
            self.oldest[queue, bank] = request
        self.newest[queue, bank] = request
        self.waiting[queue] += 1
        return True

    cdef int32_t admit(self, int64_t time) noexcept nogil:
        """Accept at most one request; return its bank, or -1."""
        cdef int k
        for k in range(3):
            while self.ended[k] < self.ending[k] and self.ends[k, self.ended[k]] <= time:
                self.ended[k] += 1
                self.in_flight -= 1
        if self.coming == self.count or self.offered[self.coming] > time or self.last_accepted >= time:
            return -1
        if self.outstanding and self.in_flight >= self.outstanding:
            return -1
        self.refused = not self.enter(self.coming, time)
        if self.refused:
            return -1
        self.accepted[self.coming] = self.last_accepted = time
        self.coming += 1
        self.in_flight += 1
        return self.bank[self.coming - 1]

    cdef int64_t door(self, int64_t time) noexcept nogil:
        """When the next request may be accepted, if no command is sent before."""
        cdef int64_t at, end
        cdef int k
        if self.coming == self.count or self.refused:
            return NEVER
        at = max(self.offered[self.coming], time + 1)
        if self.outstanding and self.in_flight >= self.outstanding:
            end = NEVER
            for k in range(3):
                if self.ended[k] < self.ending[k] and self.ends[k, self.ended[k]] < end:
                    end = self.ends[k, self.ended[k]]
            at = max(at, end)
        return at

    cdef void end(self, int32_t queue, int32_t request, int64_t time) noexcept nogil:
        """Note when a request is done; those of a queue end in the order in which they are served."""
        self.done[request] = time
        self.ends[queue, self.ending[queue]] = time
        self.ending[queue] += 1

    cdef void take(self, int32_t request, int64_t time, int64_t done) noexcept nogil:
        """Take a request out of its queue, as its column is sent."""
        cdef int32_t queue = self.queue_of[request], bank = self.bank[request]
        cdef int32_t before = self.older[request], behind = self.newer[request]
        if before >= 0:
            self.newer[before] = behind
        else:
            self.oldest[queue, bank] = behind
        if behind >= 0:
            self.older[behind] = before
        else:
            self.newest[queue, bank] = before
        self.waiting[queue] -= 1
        self.refused = False
        self.issued[request] = time
        self.end(queue, request, done)

    cdef bint is_empty(self) noexcept nogil:
        """Whether all that was offered has been served."""
        return self.coming == self.count and self.is_idle()

    cdef bint is_idle(self) noexcept nogil:
        """Whether nothing waits."""
        return not self.waiting[0] and not self.waiting[1]
