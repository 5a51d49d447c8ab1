"""Steps a network, and takes in one stride the cycles in which it only repeats itself.

A network has no other input than its packets, so what it does follows from its state. Where no packet begins or ends,
and after some cycles (a period) everything is again where it was, only counters and times being ahead, the same
follows again, until a packet begins or ends: as many periods as there is room for are added to the counters. Nothing
is approximated; ``tests/oracle/test_clock.py`` compares with every single cycle. Packets of thousands of flits, such as
a tile's weights, so cost no more than short ones.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from pimsim_core.event_queue cimport NEVER
from pimsim_core.network cimport Arbiter, Branch, Channel, Lane, Network, Router, Terminal

cdef enum:
    SETTLE = 16  # cycles without a packet's begin or end before the first look
    LONGEST = 32  # period that is looked for


cdef class Clock:
    """Runs a network's cycles.

    Parameters
    ----------
    network : pimsim_core.network.Network
        Its cycles are run by this clock alone.
    """

    def __init__(self, Network network):
        self.network = network
        self.again = self.now = -1
        if network is not None:
            self._make_room()

    def _make_room(self):
        cdef Network network = self.network
        self.channels, self.lanes = np.array(network.channels), np.array(network.lanes)
        self.arbiters = np.array(network.arbiters)
        self.times, self.branches = np.array(network.times), np.array(network.branches)
        self.routers, self.terminals = np.array(network.routers), np.array(network.terminals)
        self.active, self.sending = np.array(network.active), np.array(network.sending)
        self.wheel, self.wheel_count = np.array(network.wheel), np.array(network.wheel_count)

    def run(self, int64_t until, int64_t packets=NEVER):
        """Process the cycles before `until`, or until so many packets have come in all; return the cycles looked at."""
        cdef Network network = self.network
        cdef int64_t cycle, created, done = 0
        while network.packets_done < packets:
            cycle = network.next_cycle()
            if cycle >= until:
                break
            created = until
            if network.next_due < network.due.shape[0]:
                created = min(until, max(network.due[network.next_due], cycle))
            self.tick(cycle, created)
            done += 1
        return done

    cdef int tick(self, int64_t cycle, int64_t until) except -1:
        """Run a cycle; if no packet is created before `until`, run those before it that are like cycles before them."""
        cdef Network network = self.network
        network.step(cycle)
        if network.now - network.bounded >= SETTLE and not network.recording:
            return self.look(until)
        self.now = -1
        self.again = 0
        return 0

    cdef int look(self, int64_t until) except -1:
        """Compare with the copy, or make one; skip what repeats."""
        cdef Network network = self.network
        cdef int64_t period, times = 0
        if network.now < self.again or not self.has_room(until):
            return 0
        if self.now < 0:
            return self.keep()
        period = network.now - self.now
        if self.same():
            times = self.strides(period, until)
        elif period < LONGEST:
            return 0
        self.now = -1
        if times:
            self.skip(period, times)
        else:  # look again when as long a time has passed once more
            self.again = 2 * network.now - network.bounded
        return 0

    cdef bint has_room(self, int64_t until) noexcept nogil:
        """Whether there are so many cycles before a packet begins or ends that looking pays."""
        cdef int64_t least = 2 * (self.network.wheel_mask + 1) + LONGEST
        cdef Terminal* terminal
        cdef int32_t i
        if self.network.n_sending == 0 or until - self.network.now < least:
            return False
        for i in range(self.network.n_sending):
            terminal = &self.network.terminals[self.network.sending[i]]
            if self.network.packets[terminal.first].size - terminal.sent < least:
                return False
        return True

    # -- the copy ----------------------------------------------------------------------------------------------

    cdef int keep(self) except -1:
        """Copy the state of the network."""
        cdef Network network = self.network
        if self.branches.shape[0] != network.branches.shape[0]:  # the two that may grow
            self.branches = np.array(network.branches)
        if self.wheel.shape[1] != network.wheel.shape[1]:
            self.wheel = np.array(network.wheel)
        memcpy(&self.channels[0], &network.channels[0], self.channels.shape[0] * sizeof(Channel))
        memcpy(&self.arbiters[0], &network.arbiters[0], self.arbiters.shape[0] * sizeof(Arbiter))
        memcpy(&self.lanes[0], &network.lanes[0], self.lanes.shape[0] * sizeof(Lane))
        memcpy(&self.times[0], &network.times[0], self.times.shape[0] * sizeof(int64_t))
        self.keep_branches()
        memcpy(&self.routers[0], &network.routers[0], self.routers.shape[0] * sizeof(Router))
        memcpy(&self.terminals[0], &network.terminals[0], self.terminals.shape[0] * sizeof(Terminal))
        memcpy(&self.active[0], &network.active[0], network.n_active * sizeof(int32_t))
        memcpy(&self.sending[0], &network.sending[0], network.n_sending * sizeof(int32_t))
        memcpy(&self.wheel[0, 0], &network.wheel[0, 0], self.wheel.shape[0] * self.wheel.shape[1] * sizeof(int32_t))
        memcpy(&self.wheel_count[0], &network.wheel_count[0], self.wheel_count.shape[0] * sizeof(int32_t))
        self.now, self.in_wheel = network.now, network.in_wheel
        self.n_active, self.n_sending = network.n_active, network.n_sending
        self.free_packet, self.free_wait, self.free_branch = (
            network.free_packet, network.free_wait, network.free_branch
        )
        return 0

    cdef void keep_branches(self) noexcept nogil:
        """Copy the branches of the lanes that have any: most have none, and nothing else is compared."""
        cdef int32_t l, b
        for l in range(self.lanes.shape[0]):
            b = l if self.lanes[l].branches else -1
            while b >= 0:
                self.branches[b] = self.network.branches[b]
                b = self.network.branches[b].sibling

    cdef bint as_far(self, int64_t new, int64_t old) noexcept nogil:
        """Whether a time is as far ahead as another was when the copy was made; what has passed is no longer asked for."""
        if new <= self.network.now:
            return old <= self.now
        return new - self.network.now == old - self.now or new == old == NEVER

    cdef bint same(self) noexcept nogil:
        """Whether the network is as it was when it was copied, apart from counters and times."""
        return (
            self.same_lists() and self.same_terminals() and self.same_wheel() and self.same_lanes()
            and self.same_channels()
        )

    cdef bint same_lists(self) noexcept nogil:
        cdef int32_t i
        if (
            self.network.n_active != self.n_active or self.network.n_sending != self.n_sending
            or self.network.in_wheel != self.in_wheel or self.network.free_packet != self.free_packet
            or self.network.free_wait != self.free_wait or self.network.free_branch != self.free_branch
        ):
            return False
        for i in range(self.n_active):
            if self.network.active[i] != self.active[i]:
                return False
        for i in range(self.n_sending):
            if self.network.sending[i] != self.sending[i]:
                return False
        for i in range(self.routers.shape[0]):
            if (
                self.network.routers[i].asking != self.routers[i].asking
                or self.network.routers[i].ready != self.routers[i].ready
                or self.network.routers[i].active != self.routers[i].active
            ):
                return False
        return True

    cdef bint same_wheel(self) noexcept nogil:
        """Whether the same comes due in as many cycles from now."""
        cdef int64_t ahead, then, now
        cdef int32_t k
        if self.network.wheel.shape[1] != self.wheel.shape[1]:
            return False
        for ahead in range(self.network.wheel_mask + 1):
            then = (self.now + ahead) & self.network.wheel_mask
            now = (self.network.now + ahead) & self.network.wheel_mask
            if self.network.wheel_count[now] != self.wheel_count[then]:
                return False
            for k in range(self.wheel_count[then]):
                if self.network.wheel[now, k] != self.wheel[then, k]:
                    return False
        return True

    cdef bint same_lanes(self) noexcept nogil:
        """Whether as many flits stand in each lane, come as long ago, and as many credits are on their way.

        No packet begins or ends: heads and tails stay in their lanes, and none with a tail moves on as before. A lane
        that nothing has entered or left is as it was.
        """
        cdef int32_t l, moved
        cdef Lane* new
        cdef Lane* old
        if self.network.branches.shape[0] != self.branches.shape[0]:
            return False
        for l in range(self.lanes.shape[0]):
            new = &self.network.lanes[l]
            old = &self.lanes[l]
            moved = new.popped - old.popped
            if (
                moved < 0 or moved and new.popped + new.flits >= new.size or new.flits != old.flits or new.hungry != old.hungry or new.starved != old.starved
                or new.owner != old.owner or new.packet != old.packet or new.branches != old.branches
                or new.grant_pointer != old.grant_pointer or new.accept_pointer != old.accept_pointer
            ):
                return False
            if new.carried != old.carried and not self.same_ring(l):
                return False
            if new.branches and not self.same_branches(l):
                return False
        return True

    cdef int32_t behind(self, Lane* lane, int32_t l, int32_t place) noexcept nogil:
        """Where the flit sent last stands in a lane's ring, or the one this many before it."""
        place = lane.tail - 1 - place
        return l * self.network.buffer + (place if place >= 0 else place + self.network.buffer)

    cdef bint same_ring(self, int32_t l) noexcept nogil:
        """Whether the flits of a lane have come as long ago, and its credits come as soon."""
        cdef Lane* new = &self.network.lanes[l]
        cdef Lane* old = &self.lanes[l]
        cdef int64_t then, now, since = self.network.now - self.now
        cdef int32_t k
        for k in range(self.network.buffer):
            now = self.network.times[self.behind(new, l, k)]
            then = self.times[self.behind(old, l, k)]
            if not (now - then == since if k < new.flits else self.as_far(now, then)):
                return False
        return True

    cdef bint same_branches(self, int32_t l) noexcept nogil:
        """Whether the packet in front of a lane leaves it on the same ways, each as far behind what has been popped."""
        cdef int32_t moved = self.network.lanes[l].popped - self.lanes[l].popped
        cdef int32_t b = l
        cdef Branch* new
        cdef Branch* old
        while b >= 0:
            new = &self.network.branches[b]
            old = &self.branches[b]
            if (
                new.lane != old.lane or new.hop != old.hop or new.channel != old.channel or new.out != old.out
                or new.sent - old.sent != moved or new.sibling != old.sibling or new.listed != old.listed
                or new.chain != old.chain or new.rank != old.rank or new.head_left != old.head_left
                or not self.as_far(new.time, old.time)
            ):
                return False
            if new.listed and (new.before != old.before or new.after != old.after):
                return False
            b = new.sibling
        return True

    cdef bint same_channels(self) noexcept nogil:
        cdef Arbiter* new
        cdef Arbiter* old
        cdef int32_t i
        for i in range(self.channels.shape[0]):
            new = &self.network.arbiters[i]
            old = &self.arbiters[i]
            if (
                self.network.channels[i].waited != self.channels[i].waited or new.vc_pointer != old.vc_pointer
                or new.accept_pointer != old.accept_pointer or new.grant_pointer != old.grant_pointer
            ):
                return False
        return True

    cdef bint same_terminals(self) noexcept nogil:
        cdef Terminal* new
        cdef Terminal* old
        cdef int32_t i
        for i in range(self.terminals.shape[0]):
            new = &self.network.terminals[i]
            old = &self.terminals[i]
            if (
                new.first != old.first or new.last != old.last or new.lane != old.lane or new.sent < old.sent
                or new.vc_pointer != old.vc_pointer or new.blocked != old.blocked
                or not self.as_far(new.time, old.time)
            ):
                return False
        return True

    # -- the stride --------------------------------------------------------------------------------------------

    cdef int64_t strides(self, int64_t period, int64_t until) noexcept nogil:
        """How many periods there are before `until`, and before a terminal sends the last flit of its packet.

        In all they take as many cycles as make whole turns of the wheel, if it holds anything.
        """
        cdef int64_t turns = self.network.wheel_mask + 1 if self.network.in_wheel else 1, times = (until - 1 - self.network.now) // period
        cdef Terminal* terminal
        cdef int32_t i, sent
        for i in range(self.terminals.shape[0]):
            terminal = &self.network.terminals[i]
            sent = terminal.sent - self.terminals[i].sent
            if sent:
                times = min(times, (self.network.packets[terminal.first].size - 1 - terminal.sent) // sent)
        while turns > 1 and period % 2 == 0:  # the wheel's size is a power of two
            turns //= 2
            period //= 2
        return times - times % turns

    cdef int64_t later(self, int64_t time, int64_t cycles) noexcept nogil:
        """A time after so many cycles more, if it is still to come."""
        return time + cycles if self.network.now < time < NEVER else time

    cdef void skip(self, int64_t period, int64_t times) noexcept nogil:
        """Let so many periods pass."""
        cdef int64_t cycles = period * times
        cdef int32_t i, k, b, moved, place
        cdef Lane* lane
        for i in range(self.terminals.shape[0]):
            self.network.terminals[i].sent += <int32_t>times * (self.network.terminals[i].sent - self.terminals[i].sent)
            self.network.terminals[i].time = self.later(self.network.terminals[i].time, cycles)
        for i in range(self.routers.shape[0]):
            self.network.routers[i].soonest = self.later(self.network.routers[i].soonest, cycles)
        for i in range(self.lanes.shape[0]):
            lane = &self.network.lanes[i]
            moved = lane.popped - self.lanes[i].popped
            lane.popped += <int32_t>times * moved
            if lane.carried != self.lanes[i].carried:
                lane.carried += times * (lane.carried - self.lanes[i].carried)
                for k in range(self.network.buffer):
                    place = self.behind(lane, i, k)
                    if k < lane.flits:
                        self.network.times[place] += cycles
                    else:
                        self.network.times[place] = self.later(self.network.times[place], cycles)
            b = i if lane.branches else -1
            while b >= 0:
                self.network.branches[b].sent += <int32_t>times * moved
                self.network.branches[b].time = self.later(self.network.branches[b].time, cycles)
                b = self.network.branches[b].sibling
        self.network.soonest = self.later(self.network.soonest, cycles)
        self.network.now += cycles
