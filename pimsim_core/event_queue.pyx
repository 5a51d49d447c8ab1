"""An event queue made for a simulator: time never runs backwards, and whole instants are taken at once.

A radix heap keeps an event in the bucket of the highest bit in which its time differs from the last instant
taken out. Pushing is one XOR and one list insertion; an event moves to a lower bucket at most once a bit. The
events of the earliest instant end up in bucket 0 together, which is what the three beats of an instant need.
Ahuja, Mehlhorn, Orlin, Tarjan: Faster algorithms for the shortest path problem, J. ACM 37 (1990).
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint64_t

from pimsim_core.records cimport grown

cdef extern from *:
    """
    #if defined(_MSC_VER)
    #include <intrin.h>
    static inline int pimsim_high_bit(unsigned long long x) { unsigned long i; _BitScanReverse64(&i, x); return (int)i; }
    static inline int pimsim_low_bit(unsigned long long x) { unsigned long i; _BitScanForward64(&i, x); return (int)i; }
    #else
    static inline int pimsim_high_bit(unsigned long long x) { return 63 - __builtin_clzll(x); }
    static inline int pimsim_low_bit(unsigned long long x) { return __builtin_ctzll(x); }
    #endif
    """
    int pimsim_high_bit(uint64_t x) noexcept nogil
    int pimsim_low_bit(uint64_t x) noexcept nogil

cdef int64_t NEVER = 0x7FFFFFFFFFFFFFFF

cdef int64_t[4] _room  # larger than an event
_EVENT = np.asarray(<Event[:1]> <Event*> _room).dtype


cdef class EventQueue:
    """A priority queue of ``(time, payload)`` pairs of int64, for times that never decrease.

    Parameters
    ----------
    capacity : int
        Events to make room for at first; the queue grows as needed.
    """

    def __init__(self, int64_t capacity=1024):
        self.pool = np.zeros(max(capacity, 1), dtype=_EVENT)
        self.heads = np.full(65, -1, dtype=np.int64)
        self.occupied = 0
        self.last = 0
        self.size = 0
        self.earliest = NEVER
        self.unused = -1
        self._free_range(0)

    def _free_range(self, int64_t first):
        cdef int64_t i
        for i in range(self.pool.shape[0] - 1, first - 1, -1):
            self.pool[i].next = self.unused
            self.unused = i

    cdef int grow(self) except -1:
        cdef int64_t old = self.pool.shape[0]
        self.pool = grown(self.pool)
        self._free_range(old)
        return 0

    cdef int push(self, int64_t time, int64_t payload) except -1 nogil:
        cdef int64_t e
        cdef int bucket
        if self.unused < 0:
            with gil:
                self.grow()
        e = self.unused
        self.unused = self.pool[e].next
        self.pool[e].time = time
        self.pool[e].payload = payload
        if time == self.last:
            bucket = 0
        else:
            bucket = 1 + pimsim_high_bit(<uint64_t>(time ^ self.last))
            self.occupied |= (<uint64_t>1) << (bucket - 1)
        self.pool[e].next = self.heads[bucket]
        self.heads[bucket] = e
        self.size += 1
        if self.earliest >= 0 and time < self.earliest:
            self.earliest = time
        return 0

    cdef int64_t next_time(self) noexcept nogil:
        """Return the time of the earliest event, `NEVER` if there is none."""
        cdef int64_t e, best
        if self.earliest >= 0:
            return self.earliest
        if self.heads[0] >= 0:
            best = self.last
        elif self.occupied == 0:
            best = NEVER
        else:
            best = NEVER
            e = self.heads[1 + pimsim_low_bit(self.occupied)]
            while e >= 0:
                if self.pool[e].time < best:
                    best = self.pool[e].time
                e = self.pool[e].next
        self.earliest = best
        return best

    cdef int64_t pop(self) noexcept nogil:
        """Take out one event of the earliest instant and return its payload; the queue must not be empty."""
        cdef int64_t e, following
        cdef int bucket
        if self.heads[0] < 0:
            self.last = self.next_time()
            bucket = 1 + pimsim_low_bit(self.occupied)
            self.occupied &= self.occupied - 1
            e = self.heads[bucket]
            self.heads[bucket] = -1
            while e >= 0:
                following = self.pool[e].next
                if self.pool[e].time == self.last:
                    bucket = 0
                else:
                    bucket = 1 + pimsim_high_bit(<uint64_t>(self.pool[e].time ^ self.last))
                    self.occupied |= (<uint64_t>1) << (bucket - 1)
                self.pool[e].next = self.heads[bucket]
                self.heads[bucket] = e
                e = following
        e = self.heads[0]
        self.heads[0] = self.pool[e].next
        self.pool[e].next = self.unused
        self.unused = e
        self.size -= 1
        self.earliest = -1 if self.heads[0] < 0 else self.last
        return self.pool[e].payload

    # The same from Python, for tests and for other drivers.

    def __len__(self):
        return self.size

    def add(self, int64_t time, int64_t payload):
        """Insert an event.

        Raises
        ------
        ValueError
            If `time` lies before the last instant taken out.
        """
        if time < self.last:
            raise ValueError(f"time {time} lies before the last instant taken out, {self.last}")
        self.push(time, payload)

    def peek(self):
        """Return the time of the earliest event, or None."""
        cdef int64_t time = self.next_time()
        return None if time == NEVER else time

    def take(self):
        """Remove an event of the earliest instant and return ``(time, payload)``.

        Raises
        ------
        IndexError
            If the queue is empty.
        """
        if self.size == 0:
            raise IndexError("the event queue is empty")
        cdef int64_t payload = self.pop()
        return self.last, payload
