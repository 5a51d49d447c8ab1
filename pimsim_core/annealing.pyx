"""Simulated annealing of seats: who sits where in a network, so that no channel carries much more than it must."""

import numpy as np

from libc.math cimport exp
from libc.stdint cimport int32_t, int64_t, uint64_t


cdef class Annealing:
    """Units on seats, and the flits that they send one another.

    Parameters
    ----------
    seats : int32, shape (units,)
        Where each unit sits at first.
    group : int32, shape (units,)
        Units of one group may change places; those of group -1 stay.
    pairs : int32, shape (pairs, 2)
        Units, source and target.
    flits : float64, shape (pairs,)
        That the first sends the second.
    route_ptr : int64, shape (seats * seats + 1,)
        Where the channels of the route from one seat to another begin in `channels`.
    channels : int32
        Of all routes.
    count : int
        Channels in all.
    far : float
        What a flit's way over one channel more is worth, as a share of the busiest channel's load at first.
    """

    def __init__(self, seats, group, pairs, flits, route_ptr, channels, count, far, seed):
        self.seat, self.group = np.array(seats, dtype=np.int32), np.array(group, dtype=np.int32)
        self.best = np.array(self.seat)
        self.pairs = np.ascontiguousarray(pairs, dtype=np.int32)
        self.flits = np.ascontiguousarray(flits, dtype=np.float64)
        self.route_ptr = np.ascontiguousarray(route_ptr, dtype=np.int64)
        self.channels = np.ascontiguousarray(channels, dtype=np.int32)
        self.n_seats = int(round((len(route_ptr) - 1) ** 0.5))
        ends = np.asarray(self.pairs)
        inner = ends[:, 0] == ends[:, 1]
        units = np.concatenate([ends[:, 0], ends[~inner, 1]])
        numbers = np.concatenate([np.arange(len(ends)), np.flatnonzero(~inner)])
        order = np.argsort(units, kind="stable")
        self.own = numbers[order].astype(np.int32)
        self.first = np.searchsorted(units[order], np.arange(len(seats) + 1)).astype(np.int32)
        self.load = np.zeros(count)
        self.movable = np.flatnonzero(np.asarray(self.group) >= 0).astype(np.int32)
        self.scale, self.far = 1.0, far
        self.state = seed * 2654435769 + 88172645463325252
        cdef int32_t p
        for p in range(self.pairs.shape[0]):
            self.send(p, 1.0)
        self.scale = max(np.asarray(self.load).max(initial=0.0), 1.0)

    @property
    def seats(self):
        """Where each unit sits, int32."""
        return np.array(self.seat)

    @property
    def loads(self):
        """What each channel carries, float64."""
        return np.array(self.load)

    cdef uint64_t draw(self) noexcept nogil:
        """The next random number (xorshift64*, Vigna 2016)."""
        self.state ^= self.state >> 12
        self.state ^= self.state << 25
        self.state ^= self.state >> 27
        return self.state * <uint64_t>2685821657736338717

    cdef double cost_of(self, double load) noexcept nogil:
        """The eighth power: close to the most of all, and still a sum."""
        cdef double x = load / self.scale
        x = x * x
        x = x * x
        return x * x + self.far * load / self.scale

    cdef double send(self, int32_t p, double sign) noexcept nogil:
        """Put a pair's flits on its way, or take them off; return what that costs."""
        cdef int64_t way = self.seat[self.pairs[p, 0]] * self.n_seats + self.seat[self.pairs[p, 1]], at
        cdef double change = 0.0, flits = sign * self.flits[p]
        cdef int32_t c
        for at in range(self.route_ptr[way], self.route_ptr[way + 1]):
            c = self.channels[at]
            change -= self.cost_of(self.load[c])
            self.load[c] += flits
            change += self.cost_of(self.load[c])
        return change

    cdef double swap(self, int32_t a, int32_t b) noexcept nogil:
        """Let two units change places; return what that costs."""
        cdef double change = 0.0
        cdef int32_t k
        for k in range(self.first[a], self.first[a + 1]):
            change += self.send(self.own[k], -1.0)
        for k in range(self.first[b], self.first[b + 1]):
            if not self.is_of(self.own[k], a):
                change += self.send(self.own[k], -1.0)
        self.seat[a], self.seat[b] = self.seat[b], self.seat[a]
        for k in range(self.first[a], self.first[a + 1]):
            change += self.send(self.own[k], 1.0)
        for k in range(self.first[b], self.first[b + 1]):
            if not self.is_of(self.own[k], a):
                change += self.send(self.own[k], 1.0)
        return change

    cdef bint is_of(self, int32_t p, int32_t unit) noexcept nogil:
        return self.pairs[p, 0] == unit or self.pairs[p, 1] == unit

    def run(self, int64_t moves, double hot, double cold):
        """Try so many swaps while it cools, and end where it cost least.

        Parameters
        ----------
        moves : int
            Swaps to try.
        hot, cold : float
            Temperatures at the beginning and at the end, as the cost is counted.

        Returns
        -------
        int
            Swaps that were kept.
        """
        cdef int64_t n, kept = 0
        cdef int32_t a, b, count = <int32_t>self.movable.shape[0]
        cdef double change, cost = 0.0, least = 0.0, heat = hot, factor = (cold / hot) ** (1.0 / max(1, moves))
        if count < 2:
            return 0
        with nogil:
            for n in range(moves):
                heat *= factor
                a = self.movable[self.draw() % <uint64_t>count]
                b = self.movable[self.draw() % <uint64_t>count]
                if a == b or self.group[a] != self.group[b]:
                    continue
                change = self.swap(a, b)
                if change <= 0 or exp(-change / heat) * 18446744073709551616.0 > <double>self.draw():
                    kept += 1
                    cost += change
                    if cost < least - 1e-9:
                        least = cost
                        self.best[:] = self.seat
                else:
                    self.swap(a, b)
        self.settle()
        return kept

    cdef void settle(self) noexcept:
        """Take the best places."""
        cdef int32_t p
        for p in range(self.pairs.shape[0]):
            self.send(p, -1.0)
        self.seat[:] = self.best
        for p in range(self.pairs.shape[0]):
            self.send(p, 1.0)
