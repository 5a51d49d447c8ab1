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
        self.visitor = np.full(count, -1, dtype=np.int32)
        self.outside, self.left, self.latest = np.zeros((3, 0), dtype=np.int64)
        self.entered, self.over = np.zeros((2, 0), dtype=np.int32)
        self.free_visitor = -1

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
        if self.is_idle():
            self.waiting_since = time
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
        cdef int32_t who = self.visitor[self.coming]
        self.coming += 1
        self.in_flight += 1
        if who >= 0:
            self.outside[who] -= 1
            if not self.outside[who]:
                self.entered[self.n_entered] = who
                self.n_entered += 1
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
        self.came[self.outcome[request]] += 1
        cdef int32_t who = self.visitor[request]
        if who >= 0:
            self.left[who] -= 1
            self.latest[who] = max(self.latest[who], time)
            if not self.left[who]:
                self.over[self.n_over] = who
                self.n_over += 1

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

    # -- requests that come as they are made -----------------------------------------------------------------------

    @property
    def outcomes(self):
        """How many requests came to what, in the order of `OUTCOMES`."""
        return [self.came[k] for k in range(5)]

    cdef int32_t new_visitor(self, int64_t bursts) except -1:
        """Return the number of somebody who will ask for so many bursts."""
        cdef int32_t who, old = <int32_t>self.left.shape[0]
        if self.free_visitor < 0:
            self.outside, self.latest = _moved(self.outside, 0, old, 2 * old + 8, 0), _moved(self.latest, 0, old, 2 * old + 8, 0)
            self.entered, self.over = _moved(self.entered, 0, self.n_entered, 2 * old + 8, -1), _moved(self.over, 0, self.n_over, 2 * old + 8, -1)
            self.left = _moved(self.left, 0, old, 2 * old + 8, 0)
            for who in range(2 * old + 7, old - 1, -1):
                self.forget(who)
        who = self.free_visitor
        self.free_visitor = <int32_t>self.left[who]
        self.outside[who] = self.left[who] = bursts
        self.latest[who] = 0
        return who

    cdef void forget(self, int32_t visitor) noexcept nogil:
        """Free the number of a visitor."""
        self.left[visitor] = self.free_visitor
        self.free_visitor = visitor

    cdef int32_t make_room(self, int32_t more) except -1:
        """Make room for so many requests; return by how much the numbers of those that wait are less than before."""
        cdef int32_t request, base = self.coming, k, bank, live, room
        if self.count + more <= self.bank.shape[0]:
            return 0
        for k in range(2):
            for bank in range(self.oldest.shape[1]):
                if self.oldest[k, bank] >= 0:
                    base = min(base, self.oldest[k, bank])
        live = self.count - base
        room = max(<int32_t>self.bank.shape[0], 2 * (live + more))
        self.queue_of, self.bank = _moved(self.queue_of, base, live, room, 0), _moved(self.bank, base, live, room, 0)
        self.row, self.column = _moved(self.row, base, live, room, 0), _moved(self.column, base, live, room, 0)
        self.visitor, self.offered = _moved(self.visitor, base, live, room, -1), _moved(self.offered, base, live, room, 0)
        self.accepted, self.issued = _moved(self.accepted, base, live, room, -1), _moved(self.issued, base, live, room, -1)
        self.done, self.outcome = _moved(self.done, base, live, room, -1), _moved(self.outcome, base, live, room, 0)
        self.older, self.newer = _moved(self.older, base, live, room, -1), _moved(self.newer, base, live, room, -1)
        ends = np.zeros((3, room + 1 + max(self.ending[k] - self.ended[k] for k in range(3))), dtype=np.int64)
        for k in range(3):
            ends[k, : self.ending[k] - self.ended[k]] = self.ends[k, self.ended[k] : self.ending[k]]
            self.ending[k] -= self.ended[k]
            self.ended[k] = 0
        self.ends = ends
        for request in range(live):
            self.older[request] = max(self.older[request] - base, -1)
            self.newer[request] = max(self.newer[request] - base, -1)
        for k in range(2):
            for bank in range(self.oldest.shape[1]):
                self.oldest[k, bank] = max(self.oldest[k, bank] - base, -1)
                self.newest[k, bank] = max(self.newest[k, bank] - base, -1)
        self.count, self.coming = live, self.coming - base
        return base

    cdef void push(
        self, int32_t visitor, int32_t write, int32_t bank, int32_t row, int32_t column, int64_t offered
    ) noexcept nogil:
        """Append a request, for which there is room."""
        cdef int32_t request = self.count
        self.queue_of[request], self.bank[request], self.row[request], self.column[request] = write, bank, row, column
        self.offered[request], self.visitor[request] = offered, visitor
        self.accepted[request] = self.issued[request] = self.done[request] = -1
        self.older[request] = self.newer[request] = -1
        self.outcome[request] = HIT
        self.count += 1


cdef _moved(view, begin, count, room, fill):
    """Return a part of a table at the beginning of a larger one."""
    old = np.asarray(view)
    fresh = np.full(room, fill, dtype=old.dtype)
    fresh[:count] = old[begin : begin + count]
    return fresh
