"""Steps a network, and takes in one stride the cycles in which it only repeats itself.

A network has no other input than its packets, so what it does follows from its state. Where no packet begins or ends,
and after some cycles (a period) everything is again where it was, only counters and times being ahead, the same
follows again, until a packet begins or ends: as many periods as there is room for are added to the counters. Nothing
is approximated; ``tests/oracle/test_clock.py`` compares with every single cycle. Packets of thousands of flits, such as
a tile's weights, so cost no more than short ones. Only what holds packets is copied and compared: the rest stays as it
is until a head comes, which is a packet's begin.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from pimsim_core.event_queue cimport NEVER
from pimsim_core.network cimport Arbiter, Branch, Lane, Network, Router, Terminal

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
        self.lanes = np.array(network.lanes)
        self.arbiters = np.array(network.arbiters)
        self.times, self.branches = np.array(network.times), np.array(network.branches)
        self.routers, self.terminals = np.array(network.routers), np.array(network.terminals)
        self.active, self.sending = np.array(network.active), np.array(network.sending)
        self.wheel, self.wheel_count = np.array(network.wheel), np.array(network.wheel_count)
        self.live, self.loaded = np.array(network.wanted), np.array(network.sending)
        self.ports = np.zeros(len(network.lanes) + len(network.branches), dtype=np.int32)

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
        """Copy the state of the network, where there is any."""
        cdef Network network = self.network
        cdef int32_t i
        if self.branches.shape[0] != network.branches.shape[0]:  # the two that may grow
            self.branches = np.array(network.branches)
            self.ports = np.zeros(len(network.lanes) + len(network.branches), dtype=np.int32)
        if self.wheel.shape[1] != network.wheel.shape[1]:
            self.wheel = np.array(network.wheel)
        self.now, self.in_wheel = network.now, network.in_wheel
        self.n_active, self.n_sending = network.n_active, network.n_sending
        self.free_packet, self.free_wait, self.free_branch = (
            network.free_packet, network.free_wait, network.free_branch
        )
        memcpy(&self.active[0], &network.active[0], self.n_active * sizeof(int32_t))
        memcpy(&self.sending[0], &network.sending[0], self.n_sending * sizeof(int32_t))
        for i in range(self.n_active):
            self.routers[self.active[i]] = network.routers[self.active[i]]
        self.n_loaded = 0
        for i in range(self.terminals.shape[0]):
            if network.terminals[i].first >= 0:
                self.terminals[i] = network.terminals[i]
                self.loaded[self.n_loaded] = i
                self.n_loaded += 1
        if self.in_wheel:
            memcpy(&self.wheel[0, 0], &network.wheel[0, 0], self.wheel.shape[0] * self.wheel.shape[1] * sizeof(int32_t))
            memcpy(&self.wheel_count[0], &network.wheel_count[0], self.wheel_count.shape[0] * sizeof(int32_t))
        self.n_live = self.n_ports = 0
        for i in range(self.lanes.shape[0]):
            if network.lanes[i].flits or network.lanes[i].branches or network.lanes[i].owner >= 0:
                self.keep_lane(i)
        return 0

    cdef void keep_lane(self, int32_t l) noexcept nogil:
        """Copy a lane with its ring, the branches that leave it, and the arbiters that they meet."""
        cdef int32_t b = l if self.network.lanes[l].branches else -1
        self.live[self.n_live] = l
        self.n_live += 1
        self.lanes[l] = self.network.lanes[l]
        self.keep_arbiter(self.lanes[l].channel)
        memcpy(
            &self.times[l * self.network.buffer], &self.network.times[l * self.network.buffer],
            self.network.buffer * sizeof(int64_t),
        )
        while b >= 0:
            self.branches[b] = self.network.branches[b]
            self.keep_arbiter(self.branches[b].channel)
            b = self.branches[b].sibling

    cdef void keep_arbiter(self, int32_t channel) noexcept nogil:
        self.ports[self.n_ports] = channel
        self.n_ports += 1
        self.arbiters[channel] = self.network.arbiters[channel]

    cdef bint as_far(self, int64_t new, int64_t old) noexcept nogil:
        """Whether a time is as far ahead as another was when the copy was made; what has passed is no longer asked for."""
        if new <= self.network.now:
            return old <= self.now
        return new - self.network.now == old - self.now or new == old == NEVER

    cdef bint same(self) noexcept nogil:
        """Whether the network is as it was when it was copied, apart from counters and times."""
        return (
            self.same_lists() and self.same_terminals() and self.same_wheel() and self.same_lanes()
            and self.same_arbiters()
        )

    cdef bint same_lists(self) noexcept nogil:
        cdef int32_t i, r
        if (
            self.network.n_active != self.n_active or self.network.n_sending != self.n_sending
            or self.network.in_wheel != self.in_wheel or self.network.free_packet != self.free_packet
            or self.network.free_wait != self.free_wait or self.network.free_branch != self.free_branch
        ):
            return False
        for i in range(self.n_active):
            r = self.active[i]
            if (
                self.network.active[i] != r or self.network.routers[r].asking != self.routers[r].asking
                or self.network.routers[r].ready != self.routers[r].ready
            ):
                return False
        for i in range(self.n_sending):
            if self.network.sending[i] != self.sending[i]:
                return False
        return True

    cdef bint same_wheel(self) noexcept nogil:
        """Whether the same comes due in as many cycles from now."""
        cdef int64_t ahead, then, now
        cdef int32_t k
        if not self.in_wheel:
            return True
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
        cdef int32_t i, l, moved
        cdef Lane* new
        cdef Lane* old
        if self.network.branches.shape[0] != self.branches.shape[0]:
            return False
        for i in range(self.n_live):
            l = self.live[i]
            new = &self.network.lanes[l]
            old = &self.lanes[l]
            moved = new.popped - old.popped
            if (
                moved < 0 or moved and new.popped + new.flits >= new.size or new.flits != old.flits
                or new.hungry != old.hungry or new.starved != old.starved or new.owner != old.owner
                or new.packet != old.packet or new.branches != old.branches
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

    cdef bint same_arbiters(self) noexcept nogil:
        cdef Arbiter* new
        cdef Arbiter* old
        cdef int32_t i
        for i in range(self.n_ports):
            new = &self.network.arbiters[self.ports[i]]
            old = &self.arbiters[self.ports[i]]
            if (
                new.vc_pointer != old.vc_pointer or new.accept_pointer != old.accept_pointer
                or new.grant_pointer != old.grant_pointer
            ):
                return False
        return True

    cdef bint same_terminals(self) noexcept nogil:
        cdef Terminal* new
        cdef Terminal* old
        cdef int32_t i
        for i in range(self.n_loaded):
            new = &self.network.terminals[self.loaded[i]]
            old = &self.terminals[self.loaded[i]]
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
        for i in range(self.n_loaded):
            terminal = &self.network.terminals[self.loaded[i]]
            sent = terminal.sent - self.terminals[self.loaded[i]].sent
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
        cdef int32_t i, k, l, b, moved, place
        cdef Terminal* terminal
        cdef Lane* lane
        for i in range(self.n_loaded):
            terminal = &self.network.terminals[self.loaded[i]]
            terminal.sent += <int32_t>times * (terminal.sent - self.terminals[self.loaded[i]].sent)
            terminal.time = self.later(terminal.time, cycles)
        for i in range(self.n_active):
            self.network.routers[self.active[i]].soonest = self.later(
                self.network.routers[self.active[i]].soonest, cycles
            )
        for i in range(self.n_live):
            l = self.live[i]
            lane = &self.network.lanes[l]
            moved = lane.popped - self.lanes[l].popped
            lane.popped += <int32_t>times * moved
            if lane.carried != self.lanes[l].carried:
                lane.carried += times * (lane.carried - self.lanes[l].carried)
                for k in range(self.network.buffer):
                    place = self.behind(lane, l, k)
                    if k < lane.flits:
                        self.network.times[place] += cycles
                    else:
                        self.network.times[place] = self.later(self.network.times[place], cycles)
            b = l if lane.branches else -1
            while b >= 0:
                self.network.branches[b].sent += <int32_t>times * moved
                self.network.branches[b].time = self.later(self.network.branches[b].time, cycles)
                b = self.network.branches[b].sibling
        self.network.soonest = self.later(self.network.soonest, cycles)
        self.network.now += cycles
