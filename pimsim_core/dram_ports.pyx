"""Ports of memories whose channels are run command by command: a visit is bursts from one address on.

Bursts come in one a cycle, in order, visit after visit: who has the port holds it until its last burst is in a queue, and
goes on when its last data are there. Nothing is looked at between two cycles in which something can happen, and an idle
channel is refreshed when somebody comes. ``docs/memory.md`` has the rules of a channel.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from pimsim_core.dram cimport DramChannel
from pimsim_core.dram_time cimport CONFLICTED, MISSED, MOVING, REFRESHING, TURNING, USES
from pimsim_core.event_queue cimport NEVER
from pimsim_core.records cimport BANK_CONFLICT, REFRESHED, RELEASE, ROW_MISS, TURNAROUND
from pimsim_core.service cimport Service
from pimsim_core.state cimport State

cdef enum:
    OFFERED = 64  # bursts at a time
cdef int64_t AHEAD = 1 << 16  # cycles between two looks at what else there is

cdef int64_t[64] _room  # larger than a record
_VISIT, _DOOR = np.asarray(<Visit[:1]> <Visit*> _room).dtype, np.asarray(<Door[:1]> <Door*> _room).dtype


class StarvedError(RuntimeError):
    """No request can ever be served again."""


cdef class DramPorts(Service):
    """Channels of memories, and who visits them.

    Parameters
    ----------
    channels : sequence of pimsim_core.dram.DramChannel
        Idle ones, which keep what their time goes to.
    resources : sequence of int
        The port of each.
    periods : sequence of int
        Of the clock of each, fs.
    cuts : sequence of int64 arrays, shape (digits, 3)
        How an address becomes a place, from the lowest digit up: its size, whether it counts banks (0), rows (1) or
        columns (2), and what it counts for.
    accesses : int64, shape (accesses, 4)
        First burst, bursts after which the addresses repeat, 1 for a write, and by how many actors positions are dealt.
    turns : sequence of int
        Of each actor: which of those that share positions it is.
    used : sequence of int
        Bursts of each channel that have an owner; those of jobs follow.
    """

    def __init__(self, channels=(), resources=(), periods=(), cuts=(), accesses=(), turns=(), used=()):
        self.channels, self.resources, self.visits = [], [], []
        self.periods, self.used, self.times = np.zeros((3, 0), dtype=np.int64)
        self.cuts = np.zeros((0, 0, 3), dtype=np.int64)
        self.accesses = np.array(accesses, dtype=np.int64).reshape(-1, 4)
        self.turns = np.array(turns, dtype=np.int64)
        for each in zip(channels, resources, periods, cuts, used, strict=True):
            self._append(*each)

    def _append(self, channel, resource, period, cuts, used):
        self.channels.append(channel)
        self.resources.append(resource)
        self.visits.append(np.zeros(0, dtype=_VISIT))
        self.periods, self.used = np.append(self.periods, period), np.append(self.used, used)
        self.times = np.append(self.times, NEVER)
        self.doors = np.zeros(len(self.channels), dtype=_DOOR)
        table = np.zeros((len(self.channels), max(self.cuts.shape[1], len(cuts)), 3), dtype=np.int64)
        table[:, :, 0] = 1
        table[:-1, : self.cuts.shape[1]] = self.cuts
        table[-1, : len(cuts)] = cuts
        self.cuts = table

    def attach(self, State core, int32_t number):
        """Join a machine; see `Service`."""
        Service.attach(self, core, number)
        self.extend()

    def add_channel(self, DramChannel channel, resource, period, cuts):
        """Let a resource that the machine has only now be the port of a channel."""
        doors = np.asarray(self.doors) if self.channels else None
        self._append(channel, resource, period, cuts, 0)
        if doors is not None:
            np.asarray(self.doors)[:-1] = doors
        self.extend()

    def extend(self):
        """The machine has more resources than before."""
        of = np.full(self.core.resources.shape[0], -1, dtype=np.int32)
        of[self.resources] = np.arange(len(self.resources))
        self.channel_of = of

    def add_access(self, int32_t resource, int64_t bursts, bint write):
        """Give a job addresses of its own at a port, and return the number of its access."""
        cdef int32_t c = self.channel_of[resource]
        self.accesses = np.concatenate([np.asarray(self.accesses), [[self.used[c], max(1, bursts), write, 1]]])
        self.used[c] += bursts
        return self.accesses.shape[0] - 1

    @property
    def figures(self):
        """Of each channel: its resource, what its requests came to, cycles by `USE_NAMES`, and how often each command went."""
        return [
            (r, (<DramChannel>each).queues.outcomes, (<DramChannel>each).kept.sums, (<DramChannel>each).counts.tolist())
            for r, each in zip(self.resources, self.channels)
        ]

    def settle(self, int64_t time):
        """Bring all channels up to a time, fs: the refreshes of idle ones."""
        cdef int32_t c
        for c in range(self.times.shape[0]):
            (<DramChannel>self.channels[c]).go(time // self.periods[c], False)

    cdef int grant(self, int32_t w, int32_t r) except -1:
        """Somebody has the port: its bursts come in from now on."""
        cdef int32_t c = self.channel_of[r], a = self.core.steps[self.core.walkers[w].visit].access, v
        cdef int32_t actor = self.core.walkers[w].actor
        cdef int64_t bursts = self.core.costs[self.core.walkers[w].cost].bursts, position = 0
        cdef int64_t cycle = self.core.now // self.periods[c]
        cdef DramChannel channel = <DramChannel>self.channels[c]
        cdef Visit[::1] visits
        if actor < self.core.n_actors:
            position = self.core.walkers[w].firing % self.core.actors[actor].period * self.accesses[a, 3] + self.turns[actor]
        if self.times[c] == NEVER:
            self.check(c, channel.go(cycle, False))
        v = channel.queues.new_visitor(bursts)
        visits = self.visits[c]
        if v >= visits.shape[0]:
            more = np.zeros(channel.queues.left.shape[0], dtype=_VISIT)
            more[: visits.shape[0]] = np.asarray(visits)
            self.visits[c] = visits = more
        visits[v].walker, visits[v].begin = w, cycle
        channel.kept.before(cycle, channel.queues.is_idle(), visits[v].before)
        visits[v].hold = self.core.new_hold(r, w, self.core.walkers[w].label, self.core.walkers[w].cost)
        self.core.walkers[w].packet = v
        self.doors[c].visitor, self.doors[c].write = v, <int32_t>self.accesses[a, 2]
        self.doors[c].first, self.doors[c].span = self.accesses[a, 0], self.accesses[a, 1]
        self.doors[c].at, self.doors[c].left = position * bursts % self.accesses[a, 1], bursts
        channel.queues.hungry = True
        self.fill(c)
        channel.wake(cycle)
        self.times[c] = self.core.now
        self.core.next_times[self.number] = self.core.now
        return 0

    cdef int fill(self, int32_t c) except -1:
        """Offer the next bursts of the visit that has the port."""
        cdef DramChannel channel = <DramChannel>self.channels[c]
        cdef int32_t more = <int32_t>min(self.doors[c].left, OFFERED), k, bank, row, column
        cdef int64_t address, digit, i
        channel.make_room(more)
        for i in range(more):
            address = self.doors[c].first + self.doors[c].at
            bank = row = column = 0
            for k in range(self.cuts.shape[1]):
                digit = address % self.cuts[c, k, 0]
                address //= self.cuts[c, k, 0]
                if self.cuts[c, k, 1] == 0:
                    bank += <int32_t>(digit * self.cuts[c, k, 2])
                elif self.cuts[c, k, 1] == 1:
                    row = <int32_t>digit
                else:
                    column = <int32_t>digit
            channel.queues.push(self.doors[c].visitor, self.doors[c].write, bank, row, column, 0)
            self.doors[c].at += 1
            if self.doors[c].at == self.doors[c].span:
                self.doors[c].at = 0
        self.doors[c].left -= more
        if not self.doors[c].left:
            channel.queues.hungry = False
        return 0

    cdef int advance(self, int64_t time) except -1:
        """Run the channels whose time has come, as long as nobody else has anything to do."""
        cdef int64_t limit = self.core.alone, until
        cdef int32_t i, c, due = 0
        for i in range(self.core.next_times.shape[0]):
            if i != self.number:
                limit = min(limit, self.core.next_times[i])
        for c in range(self.times.shape[0]):
            if self.times[c] > time:
                limit = min(limit, self.times[c])
            else:
                due += 1
        for c in range(self.times.shape[0]):
            if self.times[c] == time:
                until = time // self.periods[c] + 1
                if due == 1:
                    until = max(until, min((limit - 1) // self.periods[c] + 1, until + AHEAD))
                self.run(c, until)
        self.core.next_times[self.number] = NEVER
        for c in range(self.times.shape[0]):
            self.core.next_times[self.number] = min(self.core.next_times[self.number], self.times[c])
        return 0

    cdef int run(self, int32_t c, int64_t until) except -1:
        """Run a channel before a cycle, but no further than to one in which a visit is in, or its bursts are sent."""
        cdef DramChannel channel = <DramChannel>self.channels[c]
        cdef int32_t k
        while channel.now < until and not channel.queues.n_entered and not channel.queues.n_over:
            self.check(c, channel.go(until, True))
            if channel.queues.hungry and channel.queues.coming == channel.queues.count:
                self.fill(c)
                channel.wake(channel.gone + 1)
        if channel.gone * self.periods[c] > self.core.now:
            self.core.now = self.core.path.now = channel.gone * self.periods[c]
        for k in range(channel.queues.n_entered):
            self.enter(c, channel.queues.entered[k])
        for k in range(channel.queues.n_over):
            self.over(c, channel.queues.over[k])
        channel.queues.n_entered = channel.queues.n_over = 0
        self.times[c] = NEVER
        if not channel.queues.is_empty():
            self.times[c] = channel.now * self.periods[c]
        return 0

    cdef int check(self, int32_t c, int stuck) except -1:
        """Refuse to go on where refresh leaves no time for a column."""
        if stuck:
            raise StarvedError("no request is served any more; does refresh leave time for a row to be opened?")
        return 0

    cdef int enter(self, int32_t c, int32_t v) except -1:
        """All bursts of a visit are in: the next one may come a cycle later."""
        cdef DramChannel channel = <DramChannel>self.channels[c]
        cdef Visit[::1] visits = self.visits[c]
        cdef int32_t h = visits[v].hold, node
        cdef int64_t until = channel.queues.last_accepted + 1
        channel.kept.before(until, channel.queues.is_idle(), visits[v].spent)
        node = self.charge(c, v, self.core.holds[h].node, self.core.holds[h].begin, until - visits[v].begin)
        self.core.path.drop(self.core.holds[h].node)
        self.core.holds[h].node = node
        return self.core.queue.push(until * self.periods[c], <int64_t>h * 8 + RELEASE)

    cdef int over(self, int32_t c, int32_t v) except -1:
        """All bursts of a visit are sent: it goes on when the last data are there."""
        cdef DramChannel channel = <DramChannel>self.channels[c]
        cdef Visit[::1] visits = self.visits[c]
        cdef int64_t last = channel.queues.latest[v]
        channel.kept.before(min(last, max(channel.kept.until, channel.gone + 1)), channel.queues.is_idle(), visits[v].spent)
        return self.core.go_on(visits[v].walker, last * self.periods[c])

    cdef int leave(self, int32_t w) except -1:
        """Charge what the visit waited for in the channel."""
        cdef int32_t c = self.channel_of[self.core.steps[self.core.walkers[w].visit].resource]
        cdef int32_t v = self.core.walkers[w].packet, node
        cdef DramChannel channel = <DramChannel>self.channels[c]
        node = self.charge(
            c, v, self.core.walkers[w].node, self.core.walkers[w].grant,
            (self.core.now - self.core.walkers[w].grant) // self.periods[c],
        )
        self.core.path.drop(self.core.walkers[w].node)
        self.core.walkers[w].node = node
        channel.queues.forget(v)
        return 0

    cdef int32_t charge(self, int32_t c, int32_t v, int32_t node, int64_t begin, int64_t rest) except -1:
        """Return a node from which on a visit has waited for nothing: what it waited for in so many cycles lies before."""
        cdef Visit[::1] visits = self.visits[c]
        cdef int32_t w = visits[v].walker, part = self.core.resources[self.resources[c]].part, following, use
        cdef int32_t[5] causes = [0, ROW_MISS, BANK_CONFLICT, REFRESHED, TURNAROUND]
        cdef int64_t cycles
        self.core.path.hold(node)
        for use in range(1, USES):
            cycles = min(rest, max(visits[v].spent[use] - visits[v].before[use], 0))
            if cycles:
                rest -= cycles
                begin += cycles * self.periods[c]
                following = self.core.path.new(
                    node, begin, self.core.label_of(causes[use], part, self.core.walkers[w].op), self.core.walkers[w].place
                )
                self.core.path.drop(node)
                node = following
        return node
