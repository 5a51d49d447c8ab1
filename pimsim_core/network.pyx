"""A network of input-queued routers with virtual channels and credits, flit by flit.

The rules are in ``docs/network.md``; ``tests/oracle/router.py`` says the same in plain Python. A flit or a credit on
its way is no event: each place of a buffer knows when its flit arrives or, if it is free, when its credit does, so that
whoever waits for either knows from when it may ask. Work is kept in lists: a router without a request costs nothing,
and a cycle in which nothing happens is skipped.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from pimsim_core.event_queue cimport NEVER

cdef enum:
    NOT = 0
    ASKING = 1  # for a virtual channel
    READY = 2  # for the switch
    DOZING = 3  # will ask, but not soon

cdef enum:
    SOON = 8  # cycles: until then a branch stands in its router's list, and is passed over

cdef int64_t[32] _room  # larger than any record; it stands for one of each kind in turn
_DTYPES = {
    "channel": np.asarray(<Channel[:1]> <Channel*> _room).dtype,
    "arbiter": np.asarray(<Arbiter[:1]> <Arbiter*> _room).dtype,
    "lane": np.asarray(<Lane[:1]> <Lane*> _room).dtype,
    "head": np.asarray(<Head[:1]> <Head*> _room).dtype,
    "branch": np.asarray(<Branch[:1]> <Branch*> _room).dtype,
    "router": np.asarray(<Router[:1]> <Router*> _room).dtype,
    "terminal": np.asarray(<Terminal[:1]> <Terminal*> _room).dtype,
    "hop": np.asarray(<Hop[:1]> <Hop*> _room).dtype,
    "packet": np.asarray(<Packet[:1]> <Packet*> _room).dtype,
    "wait": np.asarray(<Wait[:1]> <Wait*> _room).dtype,
    "arrival": np.asarray(<Arrival[:1]> <Arrival*> _room).dtype,
    "crossing": np.asarray(<Crossing[:1]> <Crossing*> _room).dtype,
}


def network_dtype(name):
    """Return the numpy dtype of the network's records called `name`, e.g. ``"channel"``."""
    return _DTYPES[name]


cdef _grown(view, dtype):
    old = np.asarray(view)
    bigger = np.zeros(2 * len(old), dtype=dtype)
    bigger[: len(old)] = old
    return bigger


cdef class Network:
    """Routers joined by channels, and terminals where packets begin and end.

    Parameters
    ----------
    routers : int
        How many; a channel names them by number.
    channels : mapping of str to array_like of int
        ``source`` and ``target`` (router, or -1 for a terminal), ``delay`` (cycles, at least 0), ``out_port`` at the
        source and ``in_port`` at the target (numbers from 0, that order requests).
    injection : array_like of int
        The channel on which each terminal sends.
    vcs, buffer : int
        Virtual channels of a channel, and flits that each holds at the channel's far end.
    rd, va, sa, st : int
        Cycles to route, to allocate a virtual channel and the switch (1 or more), and to traverse it.
    credit : int
        Cycles more for a credit that a router takes.
    speculative : bool
        Whether a head asks for the switch before it has a virtual channel.
    tracking : bool
        Keep where each packet waited, for the critical path.
    record : bool
        Keep a log of every flit that leaves a router (slow, for tests).
    """

    def __init__(
        self, int32_t routers, channels, injection, *, int32_t vcs, int32_t buffer, int32_t rd=1, int32_t va=1,
        int32_t sa=1, int32_t st=1, int32_t credit=0, bint speculative=False, bint tracking=False, bint record=False,
    ):
        cdef int64_t i
        cdef int64_t n = len(channels["source"])
        rows = np.zeros(n, dtype=network_dtype("channel"))
        for name in ("source", "target", "delay", "out_port", "in_port"):
            rows[name] = channels[name]
        self.channels = rows
        self.vcs, self.lower, self.buffer = vcs, vcs - vcs // 2, buffer
        self.ask = rd + (max(0, va - sa) if speculative else va - 1)
        self.pipeline = self.ask + (0 if speculative else 1)
        self.leave, self.enter, self.credit, self.speculative = 1 + st, sa - 1, credit, speculative
        self.tracking, self.recording, self.log = tracking, record, []
        lanes = np.zeros(n * vcs, dtype=network_dtype("lane"))
        lanes["owner"], lanes["best"] = -1, -1
        lanes["channel"], lanes["vc"] = np.repeat(np.arange(n), vcs), np.tile(np.arange(vcs), n)
        lanes["after_vc"] = (lanes["vc"] + 1) % vcs
        for name, cycles in self._cycles(rows).items():
            lanes[name] = np.repeat(cycles, vcs)
        self.lanes = lanes
        arbiters = np.zeros(n, dtype=network_dtype("arbiter"))
        arbiters["best"], arbiters["choice"], rows["terminal"] = -1, -1, -1
        self.arbiters = arbiters
        rows["terminal"][np.asarray(injection, dtype=np.int64)] = np.arange(len(injection))
        self.times = np.full(max(1, n * vcs * buffer), -1, dtype=np.int64)
        self.heads = np.zeros(max(1, n * vcs * buffer), dtype=network_dtype("head"))
        branches = np.zeros(max(1, n * vcs) + 16, dtype=network_dtype("branch"))
        branches["lane"], branches["out"], branches["sibling"], branches["best"] = -1, -1, -1, -1
        branches["lane"][: n * vcs] = np.arange(n * vcs)
        branches["router"][: n * vcs] = np.repeat(rows["target"], vcs)
        self.branches = branches
        self.free_branch = -1
        for i in range(len(branches) - 1, n * vcs - 1, -1):
            self.branches[i].sibling = self.free_branch
            self.free_branch = <int32_t>i
        table = np.zeros(max(1, routers), dtype=network_dtype("router"))
        table["asking"], table["ready"] = -1, -1
        for end, ports in (("target", "inputs"), ("source", "outputs")):
            np.add.at(table[ports], rows[end][rows[end] >= 0], 1)
        rows["after_in"] = (rows["in_port"] + 1) % np.maximum(1, table["inputs"][rows["target"]])
        rows["after_out"] = (rows["out_port"] + 1) % np.maximum(1, table["outputs"][rows["source"]])
        self.routers = table
        ends = np.zeros(max(1, len(injection)), dtype=network_dtype("terminal"))
        ends["channel"][: len(injection)] = injection
        ends["first"], ends["last"], ends["lane"] = -1, -1, -1
        self.terminals = ends
        self.hops = np.zeros(64, dtype=network_dtype("hop"))
        self.route_first = np.zeros(16, dtype=np.int32)
        self.route_ends = np.zeros(16, dtype=np.int32)
        self.route_base = np.zeros(16, dtype=np.int32)
        self.packets = np.zeros(256, dtype=network_dtype("packet"))
        self.free_packet = -1
        self._free_packets(0)
        self.waits = np.zeros(256, dtype=network_dtype("wait"))
        self.free_wait = -1
        self._free_waits(0)
        longest = int(rows["delay"].max(initial=0))
        span = 2 * longest + 4 + st + sa + credit + rd + va
        self.wheel = np.zeros((1 << int(span).bit_length(), 16), dtype=np.int32)
        self.wheel_count = np.zeros(self.wheel.shape[0], dtype=np.int32)
        self.wheel_mask = self.wheel.shape[0] - 1
        self.active = np.zeros(max(1, routers), dtype=np.int32)
        self.sending = np.zeros(max(1, len(injection)), dtype=np.int32)
        self.ready = np.zeros(len(branches), dtype=np.int32)
        self.touched = np.zeros(max(1, n), dtype=np.int32)
        self.wanted = np.zeros(max(1, n * vcs), dtype=np.int32)
        self.accepted = np.zeros(max(1, n), dtype=np.int32)
        self.arrivals = np.zeros(64, dtype=network_dtype("arrival"))
        self.left = np.zeros(max(1, len(injection)), dtype=np.int32)
        self.crossings = np.zeros(max(1, n), dtype=network_dtype("crossing"))
        self.entered = self.arrived = np.zeros(0, dtype=np.int64)
        self.now = self.bounded = -1
        self.soonest = NEVER
        self.load([], [], [], [])

    def _cycles(self, channels):
        """What the lanes of each channel have in common."""
        terminal, delay = channels["target"] < 0, channels["delay"]
        sent = np.where(channels["source"] < 0, 1, self.leave) + delay
        return {
            "keeps": np.where(terminal, 0, 1),
            "transit": np.where(terminal, sent + 1 + delay, sent + self.enter),
            "back": 1 + delay + np.where(channels["source"] < 0, 0, self.credit),
        }

    def _free_packets(self, int64_t first):
        cdef int64_t i
        for i in range(self.packets.shape[0] - 1, first - 1, -1):
            self.packets[i].next = self.free_packet
            self.free_packet = <int32_t>i

    def _free_waits(self, int64_t first):
        cdef int64_t i
        for i in range(self.waits.shape[0] - 1, first - 1, -1):
            self.waits[i].next = self.free_wait
            self.free_wait = <int32_t>i

    # -- from Python: routes, packets, time --------------------------------------------------------------------

    def add_routes(self, channel, vcs, child, sibling, first, ends):
        """Append routes, each a tree of hops; one way is a tree without branches.

        Parameters
        ----------
        channel, vcs, child, sibling : array_like of int, shape (hops,)
            A hop leaves a router on `channel`, on the virtual channels of a class (0 all, 1 lower, 2 upper half);
            `child` is its first hop at the next router (-1: a terminal is reached), `sibling` another hop of the same
            packet at the same router. Hops are counted within this call.
        first, ends : array_like of int, shape (routes,)
            The first hop of each route, and how many terminals it reaches.

        Returns
        -------
        int
            Number of the first of these routes; the others follow it.
        """
        cdef int64_t n = len(channel), m = len(first)
        while self.n_hops + n > self.hops.shape[0]:
            self.hops = _grown(self.hops, network_dtype("hop"))
        while self.n_routes + m > self.route_first.shape[0]:
            self.route_first = _grown(self.route_first, np.int32)
            self.route_ends = _grown(self.route_ends, np.int32)
            self.route_base = _grown(self.route_base, np.int32)
        rows = np.asarray(self.hops)[self.n_hops : self.n_hops + n]
        rows["channel"], rows["vcs"] = channel, vcs
        rows["child"] = np.where(np.asarray(child) >= 0, np.asarray(child) + self.n_hops, -1)
        rows["sibling"] = np.where(np.asarray(sibling) >= 0, np.asarray(sibling) + self.n_hops, -1)
        np.asarray(self.route_first)[self.n_routes : self.n_routes + m] = np.asarray(first) + self.n_hops
        np.asarray(self.route_ends)[self.n_routes : self.n_routes + m] = ends
        np.asarray(self.route_base)[self.n_routes : self.n_routes + m] = self.n_hops
        self.n_hops += <int32_t>n
        self.n_routes += <int32_t>m
        return self.n_routes - m

    def load(self, cycle, terminal, route, size):
        """Set the packets to come; those loaded before must all have been created.

        Parameters
        ----------
        cycle : array_like of int, shape (packets,)
            When each is created, in increasing order, none before the present.
        terminal, route, size : array_like of int, shape (packets,)
            Where it begins, its route, and its flits (1 or more).
        """
        self.due = np.ascontiguousarray(cycle, dtype=np.int64)
        self.due_terminal = np.ascontiguousarray(terminal, dtype=np.int32)
        self.due_route = np.ascontiguousarray(route, dtype=np.int32)
        self.due_size = np.ascontiguousarray(size, dtype=np.int32)
        self.next_due = 0

    def watch(self, int64_t packets):
        """Make room for the cycles at which packets 0 to `packets` enter and arrive; -1 is not yet."""
        before, after = np.asarray(self.entered), np.asarray(self.arrived)
        room = np.full(max(1, packets), -1, dtype=np.int64)
        self.entered, self.arrived = room.copy(), room
        np.asarray(self.entered)[: len(before)] = before
        np.asarray(self.arrived)[: len(after)] = after

    @property
    def next_event(self):
        """The next cycle in which something may happen, or None."""
        cdef int64_t cycle = self.next_cycle()
        return None if cycle == NEVER else cycle

    def packet_cycles(self):
        """Return copies of when each watched packet's head entered the network and its last tail arrived."""
        return np.array(self.entered), np.array(self.arrived)

    def channel_figures(self):
        """Return copies of the ``flits`` each channel carried and the cycles that heads ``waited`` for it."""
        flits = np.asarray(self.lanes)["carried"].reshape(-1, self.vcs).sum(axis=1)
        return flits, np.asarray(self.channels)["waited"].copy()

    @property
    def flit_hops(self):
        """Flits that have left a router, counted at each."""
        return int(self.channel_figures()[0][np.asarray(self.channels)["source"] >= 0].sum())

    @property
    def flit_log(self):
        """Rows of (cycle, channel, virtual channel, tag of the packet, flit), if recording."""
        return list(self.log)

    # -- small things ------------------------------------------------------------------------------------------

    cdef int at(self, int64_t cycle, int32_t value) except -1:
        """Note what comes due in a cycle, which must be close enough for the wheel."""
        cdef int64_t slot = cycle & self.wheel_mask
        cdef int32_t n = self.wheel_count[slot]
        if n == self.wheel.shape[1]:
            self.widen()
        self.wheel[slot, n] = value
        self.wheel_count[slot] = n + 1
        self.in_wheel += 1
        return 0

    cdef int widen(self) except -1:
        wider = np.zeros((self.wheel.shape[0], 2 * self.wheel.shape[1]), dtype=np.int32)
        wider[:, : self.wheel.shape[1]] = self.wheel
        self.wheel = wider
        return 0

    cdef int32_t inject(self, int32_t terminal, int32_t route, int32_t size, int32_t tag, int64_t cycle) except -1:
        """Create a packet behind those that its terminal still has to send."""
        cdef int64_t old = self.packets.shape[0]
        cdef int32_t p
        if self.free_packet < 0:
            self.packets = _grown(self.packets, network_dtype("packet"))
            self._free_packets(old)
        p = self.free_packet
        self.free_packet = self.packets[p].next
        self.packets[p].created = cycle
        self.packets[p].stay = -1
        self.packets[p].route = route
        self.packets[p].size = size
        self.packets[p].ends = self.route_ends[route]
        self.packets[p].tag = tag
        self.packets[p].next = -1
        self.packets[p].waits = -1
        self.packets_sent += 1
        self.bounded = self.now
        if self.terminals[terminal].first < 0:
            self.terminals[terminal].first = p
            self.terminals[terminal].time = self.soonest = 0
            self.sending[self.n_sending] = terminal
            self.n_sending += 1
        else:
            self.packets[self.terminals[terminal].last].next = p
        self.terminals[terminal].last = p
        return p

    cdef void forget(self, int32_t packet) noexcept nogil:
        """One of a packet's ends has been dealt with; after the last one nothing of it is kept."""
        cdef int32_t w
        self.packets[packet].ends -= 1
        if self.packets[packet].ends > 0:
            return
        self.packets_done += 1
        while self.packets[packet].waits >= 0:
            w = self.packets[packet].waits
            self.packets[packet].waits = self.waits[w].next
            self.waits[w].next = self.free_wait
            self.free_wait = w
        self.packets[packet].next = self.free_packet
        self.free_packet = packet

    cdef int32_t new_wait(self, int32_t packet, int32_t parent, int32_t channel, int64_t cycles) except -1:
        cdef int64_t old = self.waits.shape[0]
        cdef int32_t w
        if self.free_wait < 0:
            self.waits = _grown(self.waits, network_dtype("wait"))
            self._free_waits(old)
        w = self.free_wait
        self.free_wait = self.waits[w].next
        self.waits[w].channel = channel
        self.waits[w].cycles = <int32_t>min(cycles, 0x7FFFFFFF)
        self.waits[w].parent = parent
        self.waits[w].next = self.packets[packet].waits
        self.packets[packet].waits = w
        return w

    cdef int64_t next_cycle(self) noexcept nogil:
        """The next cycle in which something may happen, `NEVER` if there is none."""
        cdef int64_t cycle, following = NEVER
        if self.n_active or self.n_sending:
            following = max(self.soonest, self.now + 1)
        if self.next_due < self.due.shape[0]:
            following = min(following, max(self.due[self.next_due], self.now + 1))
        if self.in_wheel:
            cycle = self.now + 1
            while cycle < following and self.wheel_count[cycle & self.wheel_mask] == 0:
                cycle += 1
            return cycle
        return following

    cdef int32_t place_of(self, int32_t out) noexcept nogil:
        """The number of an output lane at its router."""
        return self.channels[self.lanes[out].channel].out_port * self.vcs + self.lanes[out].vc

    cdef void list_in(self, int32_t b, int32_t kind, int64_t time) noexcept nogil:
        """Put a branch into its router's list of those that ask for a virtual channel, or for the switch, from `time`."""
        cdef Branch* branch = &self.branches[b]
        cdef Router* router = &self.routers[branch.router]
        cdef int32_t first
        if kind == ASKING:
            first = router.asking
            router.asking = b
        else:
            first = router.ready
            router.ready = b
        branch.listed = kind
        branch.time = time
        branch.before = -1
        branch.after = first
        if first >= 0:
            self.branches[first].before = b
        if not router.active:
            router.active = 1
            router.soonest = time
            self.active[self.n_active] = branch.router
            self.n_active += 1
        elif time < router.soonest:
            router.soonest = time
        if time < self.soonest:
            self.soonest = time

    cdef void list_out(self, int32_t b) noexcept nogil:
        cdef Branch* branch = &self.branches[b]
        if branch.before >= 0:
            self.branches[branch.before].after = branch.after
        elif branch.listed == ASKING:
            self.routers[branch.router].asking = branch.after
        else:
            self.routers[branch.router].ready = branch.after
        if branch.after >= 0:
            self.branches[branch.after].before = branch.before
        branch.listed = NOT

    cdef int enlist(self, int32_t b, int32_t kind, int64_t time) except -1:
        """See to it that a branch asks from `time` on."""
        if time - self.now <= SOON:
            self.list_in(b, kind, time)
            return 0
        self.branches[b].listed = DOZING
        return self.at(time, b * 2 + (kind == ASKING))

    cdef int consider(self, int32_t b) except -1:
        """List a branch that holds a virtual channel, if its flit and its credit are there or on the way."""
        cdef Branch* branch = &self.branches[b]
        cdef int64_t time
        if branch.listed != NOT or branch.out < 0:
            return 0
        time = self.time_to_go(branch, &self.lanes[branch.lane])
        return 0 if time == NEVER else self.enlist(b, READY, time)

    cdef int64_t time_to_go(self, Branch* branch, Lane* lane) noexcept nogil:
        """When the next flit and a credit for it are both there; NEVER notes whose sending has to be waited for."""
        cdef Lane* onward = &self.lanes[branch.out]
        cdef int32_t place = branch.sent - lane.popped
        cdef int64_t time
        if place >= lane.flits:
            lane.hungry = 1
            time = NEVER
        else:
            time = self.times[self.place_in(lane, branch.lane, place)]
        if onward.flits == self.buffer:
            onward.starved = 1
            return NEVER
        return max(time, self.times[branch.out * self.buffer + onward.tail])

    cdef bint has_credit(self, int32_t l) noexcept nogil:
        """Whether a flit may be sent to a lane now."""
        cdef Lane* lane = &self.lanes[l]
        return lane.flits < self.buffer and self.times[l * self.buffer + lane.tail] <= self.now

    cdef int32_t place_in(self, Lane* lane, int32_t l, int32_t place) noexcept nogil:
        """Where the flit this far behind the front of a lane stands."""
        place += lane.head
        if place >= self.buffer:
            place -= self.buffer
        return l * self.buffer + place

    cdef int enter_buffer(self, int32_t l, int64_t time) except -1:
        """Send a flit to a lane, which is done with it at `time`: there it arrives, or its credit has come back."""
        cdef Lane* lane = &self.lanes[l]
        self.times[l * self.buffer + lane.tail] = time
        lane.tail = lane.tail + 1 if lane.tail + 1 < self.buffer else 0
        lane.flits += lane.keeps
        lane.carried += 1
        return self.flit_comes(l) if lane.hungry else 0

    cdef int flit_comes(self, int32_t l) except -1:
        """Call those who wait for the flit that has been sent to a lane."""
        cdef int32_t b = l
        self.lanes[l].hungry = 0
        while b >= 0:
            self.consider(b)
            b = self.branches[b].sibling
        return 0

    cdef int enter_head(self, int32_t l, int64_t time, int32_t packet, int32_t hop, int32_t chain) except -1:
        """Send a packet's first flit to a lane, where it arrives at `time`."""
        cdef Lane* lane = &self.lanes[l]
        cdef Head* head = &self.heads[l * self.buffer + lane.tail]
        head.packet, head.hop, head.chain = packet, hop, chain
        self.enter_buffer(l, time)
        return self.front(l, time) if lane.branches == 0 else 0

    # -- a cycle -----------------------------------------------------------------------------------------------

    cdef int step(self, int64_t cycle) except -1:
        """Process one cycle: terminals, then the allocators of each router with requests."""
        cdef int64_t slot = cycle & self.wheel_mask
        cdef int32_t k, value, b, i
        cdef int32_t n = self.wheel_count[slot]
        self.now = cycle
        self.soonest = NEVER
        self.wheel_count[slot] = 0
        self.in_wheel -= n
        for k in range(n):
            value = self.wheel[slot, k]
            b = value >> 1
            self.branches[b].listed = NOT
            self.list_in(b, ASKING if value & 1 else READY, cycle)
        while self.next_due < self.due.shape[0] and self.due[self.next_due] <= cycle:
            i = <int32_t>self.next_due
            self.inject(self.due_terminal[i], self.due_route[i], self.due_size[i], <int32_t>self.packets_sent, self.due[i])
            self.next_due += 1
        i = 0
        while i < self.n_sending:
            b = self.sending[i]
            if self.terminals[b].time > cycle or not self.send_from(b):
                self.soonest = min(self.soonest, self.terminals[b].time)
                i += 1
            else:
                self.n_sending -= 1
                self.sending[i] = self.sending[self.n_sending]
        i = 0
        while i < self.n_active:
            b = self.active[i]
            if self.routers[b].soonest > cycle or self.work(b):
                self.soonest = min(self.soonest, self.routers[b].soonest)
                i += 1
            else:
                self.routers[b].active = 0
                self.n_active -= 1
                self.active[i] = self.active[self.n_active]
        return 0

    cdef int send_from(self, int32_t t) except -1:
        """Send a flit from a terminal; return whether it has nothing to send, or no credit on the way."""
        cdef Terminal* terminal = &self.terminals[t]
        cdef int32_t p = terminal.first
        cdef Packet* packet = &self.packets[p]
        cdef int32_t c = terminal.channel
        cdef Channel* channel = &self.channels[c]
        cdef int32_t l = terminal.lane
        cdef int32_t sent = terminal.sent
        cdef int64_t wait
        if l < 0:
            l = self.free_lane(terminal)
            if l < 0:
                return terminal.blocked
            terminal.lane = l
            terminal.vc_pointer = self.lanes[l].after_vc
            if packet.tag < self.entered.shape[0]:
                self.entered[packet.tag] = self.now
            terminal.began = self.now
            wait = self.now - packet.created
            if wait > 0:
                channel.waited += wait
                if self.tracking:
                    self.new_wait(p, -1, c, wait)
            self.bounded = self.now
            self.enter_head(l, self.now + self.lanes[l].transit, p, self.route_first[packet.route], packet.waits)
        elif not self.has_credit(l):  # a credit of another lane has called
            return self.look_for_credit(terminal, l)
        else:
            self.enter_buffer(l, self.now + self.lanes[l].transit)
        sent += 1
        if sent < packet.size:
            terminal.sent = sent
            return self.look_for_credit(terminal, l)
        self.bounded = self.now
        if self.tracking:
            self.left[self.n_left] = packet.tag
            self.n_left += 1
        if self.keep_crossings:
            self.cross(c, l % self.vcs, packet.tag, sent, terminal.began)
        terminal.first = packet.next
        terminal.sent = 0
        terminal.lane = -1
        terminal.time = self.now + 1
        return terminal.first < 0

    cdef int32_t free_lane(self, Terminal* terminal) noexcept nogil:
        """The first lane of a terminal, from its pointer, that has a credit now; -1: it looks again, or is called."""
        cdef int32_t i, l, first = terminal.channel * self.vcs
        terminal.time = NEVER
        for i in range(self.vcs):
            l = terminal.vc_pointer + i
            if l >= self.vcs:
                l -= self.vcs
            if self.has_credit(first + l):
                return first + l
            if self.lanes[first + l].flits < self.buffer:
                terminal.time = min(terminal.time, self.times[(first + l) * self.buffer + self.lanes[first + l].tail])
        if terminal.time == NEVER:
            terminal.blocked = 1
            for i in range(self.vcs):
                self.lanes[first + i].starved = 1
        return -1

    cdef bint look_for_credit(self, Terminal* terminal, int32_t l) noexcept nogil:
        """Note when a terminal may send its next flit to a lane; return whether it has to be called for that."""
        cdef Lane* lane = &self.lanes[l]
        if lane.flits == self.buffer:
            lane.starved = terminal.blocked = 1
            return True
        terminal.time = max(self.now + 1, self.times[l * self.buffer + lane.tail])
        return False

    cdef int front(self, int32_t lane, int64_t cycle) except -1:
        """A head is at the front of a lane as of a cycle: open a branch for each way out, and ask after routing."""
        cdef int32_t f = lane * self.buffer + self.lanes[lane].head
        cdef int32_t h = self.hops[self.heads[f].hop].sibling
        cdef int32_t b = lane, extra
        cdef int64_t old
        self.bounded = self.now
        self.lanes[lane].packet = self.heads[f].packet
        self.lanes[lane].size = self.packets[self.heads[f].packet].size
        self.lanes[lane].popped = 0
        self.lanes[lane].branches = 1
        self.lead(b, lane, self.heads[f].hop)
        self.branches[b].middle = max(0, self.lanes[lane].size - 2) if h < 0 and not self.recording else 0
        while h >= 0:
            if self.free_branch < 0:
                old = self.branches.shape[0]
                self.branches = _grown(self.branches, network_dtype("branch"))
                self.ready = _grown(self.ready, np.int32)
                for extra in range(<int32_t>self.branches.shape[0] - 1, <int32_t>old - 1, -1):
                    self.branches[extra].out = self.branches[extra].best = -1
                    self.branches[extra].sibling = self.free_branch
                    self.free_branch = extra
            extra = self.free_branch
            self.free_branch = self.branches[extra].sibling
            self.branches[extra].router = self.branches[lane].router
            self.branches[extra].rank = self.lanes[lane].branches
            self.lead(extra, lane, h)
            self.branches[extra].middle = 0
            self.branches[b].sibling = extra
            self.lanes[lane].branches += 1
            b = extra
            h = self.hops[h].sibling
        b = lane
        while b >= 0:
            self.enlist(b, ASKING, cycle + self.ask)
            b = self.branches[b].sibling
        return 0

    cdef void lead(self, int32_t b, int32_t lane, int32_t hop) noexcept nogil:
        """Set where a branch comes from and goes to."""
        cdef Branch* branch = &self.branches[b]
        cdef Channel* input = &self.channels[self.lanes[lane].channel]
        cdef Channel* output = &self.channels[self.hops[hop].channel]
        branch.lane, branch.hop, branch.sent, branch.sibling = lane, hop, 0, -1
        branch.input, branch.in_port, branch.after_in = self.lanes[lane].channel, input.in_port, input.after_in
        branch.channel, branch.out_port, branch.after_out = self.hops[hop].channel, output.out_port, output.after_out
        branch.vc, branch.after_vc = self.lanes[lane].vc, self.lanes[lane].after_vc

    cdef int work(self, int32_t r) except -1:
        """Allocate the switch and virtual channels of a router; return whether requests are left.

        Both allocators read the state that the cycle began with: the switch is matched first, and its flits leave last.
        """
        cdef Router* router = &self.routers[r]
        cdef Branch* branch
        cdef int32_t n = 0, granted = -1, b = router.ready, i, c
        cdef uint64_t inputs = 0, outputs = 0, input, output  # a bit each; those 64 apart are taken for rivals
        cdef bint rivals = False, asks = False
        router.soonest = NEVER
        while b >= 0:
            branch = &self.branches[b]
            if branch.time > self.now:
                router.soonest = min(router.soonest, branch.time)
            else:
                input, output = <uint64_t>1 << (branch.in_port & 63), <uint64_t>1 << (branch.out_port & 63)
                rivals |= ((inputs & input) | (outputs & output)) != 0
                inputs |= input
                outputs |= output
                self.ready[n] = b
                n += 1
            b = branch.after
        b = router.asking
        while b >= 0:
            branch = &self.branches[b]
            if branch.time > self.now:
                router.soonest = min(router.soonest, branch.time)
            else:
                asks = True
            b = branch.after
        rivals |= asks and self.speculative
        if rivals:
            n = self.match_switch(r, n)
        if asks:
            granted = self.allocate_vcs(r)
        if rivals:
            for i in range(n):
                c = self.accepted[i]
                b = self.arbiters[self.arbiters[c].choice].best
                self.arbiters[c].choice = -1
                if self.branches[b].out >= 0 and self.has_credit(self.branches[b].out):
                    self.traverse(b)
            # What a match leaves behind is cleared here, after `traverse` has read it.
            for i in range(self.n_touched):
                self.arbiters[self.touched[i]].best = -1
            self.n_touched = 0
        else:
            for i in range(n):
                self.turn(self.ready[i])
                self.traverse(self.ready[i])
        while granted >= 0:
            b = granted
            granted = self.branches[b].granted
            self.consider(b)
        if rivals or asks:  # who has not got it asks again
            router.soonest = self.now + 1
        return router.ready >= 0 or router.asking >= 0

    cdef void turn(self, int32_t b) noexcept nogil:
        """Set the pointers behind a request that is granted and accepted."""
        cdef Branch* branch = &self.branches[b]
        self.arbiters[branch.channel].grant_pointer = branch.after_in
        self.arbiters[branch.input].accept_pointer = branch.after_out
        self.arbiters[branch.input].vc_pointer = branch.after_vc

    cdef int32_t allocate_vcs(self, int32_t r) noexcept nogil:
        """Give free virtual channels to heads that ask (iSLIP, one iteration); return a list of those that got one."""
        cdef int32_t v, low, high, c, l, out, place, size, n = 0, i
        cdef int32_t inputs = self.routers[r].inputs * self.vcs
        cdef int32_t outputs = self.routers[r].outputs * self.vcs
        cdef int32_t b = self.routers[r].asking
        cdef int32_t granted = -1, winners = -1
        while b >= 0:  # each free lane notes the first that asks for it, from its pointer
            if self.branches[b].time > self.now:
                b = self.branches[b].after
                continue
            c = self.branches[b].channel
            l = self.branches[b].lane
            low, high = 0, self.vcs
            if self.hops[self.branches[b].hop].vcs == 1:
                high = self.lower
            elif self.hops[self.branches[b].hop].vcs == 2:
                low = self.lower
            place = self.channels[self.lanes[l].channel].in_port * self.vcs + self.lanes[l].vc
            for v in range(low, high):
                out = c * self.vcs + v
                if self.lanes[out].owner >= 0:
                    continue
                size = place - self.lanes[out].grant_pointer
                if size < 0:
                    size += inputs
                if self.lanes[out].best < 0:
                    self.wanted[n] = out
                    n += 1
                elif size >= self.lanes[out].key:
                    continue
                self.lanes[out].best = b
                self.lanes[out].key = size
            b = self.branches[b].after
        for i in range(n):  # each head accepts the first lane that would take it, from its pointer
            out = self.wanted[i]
            b = self.lanes[out].best
            self.lanes[out].best = -1
            l = self.branches[b].lane
            size = self.place_of(out) - self.lanes[l].accept_pointer
            if size < 0:
                size += outputs
            if self.branches[b].best < 0:
                self.branches[b].granted = winners
                winners = b
            elif size >= self.branches[b].key:
                continue
            self.branches[b].best = out
            self.branches[b].key = size
        b = winners
        while b >= 0:  # of the branches of one packet that accept in one cycle, the highest lane sets the pointer
            out = self.branches[b].best
            l = self.branches[b].lane
            place = self.place_of(out) + 1
            size = b if self.lanes[l].branches == 1 else l
            while size >= 0:
                if size != b and self.branches[size].best >= 0 and self.place_of(self.branches[size].best) >= place:
                    break
                size = self.branches[size].sibling
            if size < 0:
                self.lanes[l].accept_pointer = place if place < outputs else 0
            b = self.branches[b].granted
        while winners >= 0:
            b = winners
            winners = self.branches[b].granted
            out = self.branches[b].best
            l = self.branches[b].lane
            self.branches[b].best = -1
            self.branches[b].out = out
            self.lanes[out].owner = b
            place = self.channels[self.lanes[l].channel].in_port * self.vcs + self.lanes[l].vc + 1
            self.lanes[out].grant_pointer = place if place < inputs else 0
            self.list_out(b)
            self.branches[b].granted = granted
            granted = b
        return granted

    cdef int32_t match_switch(self, int32_t r, int32_t requests) noexcept nogil:
        """Match inputs and outputs (iSLIP, one iteration); return how many of `accepted` are matched.

        The first `requests` of `ready` ask, and where it is speculative heads that ask for a virtual channel.

        An input's ``choice`` is its output, whose ``best`` is the branch that goes.
        """
        cdef Router* router = &self.routers[r]
        cdef Arbiter* input
        cdef Branch* branch
        cdef int32_t b, i, o, place, n = 0
        cdef int32_t v, low, high
        for i in range(requests):
            self.ask_switch(self.ready[i], router.inputs, 0)
        if self.speculative:
            b = router.asking
            while b >= 0:
                if self.branches[b].time > self.now:
                    b = self.branches[b].after
                    continue
                low, high = 0, self.vcs
                if self.hops[self.branches[b].hop].vcs == 1:
                    high = self.lower
                elif self.hops[self.branches[b].hop].vcs == 2:
                    low = self.lower
                for v in range(low, high):
                    o = self.branches[b].channel * self.vcs + v
                    if self.lanes[o].owner < 0 and self.has_credit(o):
                        self.ask_switch(b, router.inputs, 1)
                        break
                b = self.branches[b].after
        for i in range(self.n_touched):  # each input accepts the first output that would take it, from its pointer
            o = self.touched[i]
            branch = &self.branches[self.arbiters[o].best]
            input = &self.arbiters[branch.input]
            place = branch.out_port - input.accept_pointer
            if place < 0:
                place += router.outputs
            if input.choice < 0:
                self.accepted[n] = branch.input
                n += 1
            elif place >= input.key:
                continue
            input.choice = o
            input.key = place
        for i in range(n):
            self.turn(self.arbiters[self.arbiters[self.accepted[i]].choice].best)
        return n

    cdef void ask_switch(self, int32_t b, int32_t inputs, int32_t speculative) noexcept nogil:
        """Note a request at its output, which keeps the first from its pointer over inputs."""
        cdef Branch* branch = &self.branches[b]
        cdef Arbiter* output = &self.arbiters[branch.channel]
        cdef int32_t place = branch.in_port - output.grant_pointer
        cdef int32_t vc = branch.vc - self.arbiters[branch.input].vc_pointer
        if place < 0:
            place += inputs
        if vc < 0:
            vc += self.vcs
        # In order of input, then those that hold a virtual channel, then from the input's pointer, then of branches.
        cdef int64_t key = (((<int64_t>place * 2 + speculative) * self.vcs + vc) << 20) + branch.rank
        if output.best < 0:
            self.touched[self.n_touched] = branch.channel
            self.n_touched += 1
        elif key >= output.request:
            return
        output.best = b
        output.request = key

    cdef int traverse(self, int32_t b) except -1:
        """Send the next flit of a branch over the switch and its channel."""
        cdef Branch* branch = &self.branches[b]
        if <uint32_t>(branch.sent - 1) >= branch.middle:
            return self.traverse_at_ends(b)
        cdef int32_t l = branch.lane, out = branch.out
        cdef Lane* lane = &self.lanes[l]
        cdef Lane* onward = &self.lanes[out]
        cdef int64_t* here = &self.times[l * self.buffer]
        cdef int64_t* there = &self.times[out * self.buffer]
        branch.sent += 1
        there[onward.tail] = self.now + onward.transit
        onward.tail = onward.tail + 1 if onward.tail + 1 < self.buffer else 0
        onward.flits += onward.keeps
        onward.carried += 1
        here[lane.head] = self.now + lane.back
        lane.head = lane.head + 1 if lane.head + 1 < self.buffer else 0
        lane.flits -= 1
        lane.popped += 1
        if onward.hungry:
            self.flit_comes(out)
        if lane.starved:
            lane.starved = 0
            self.credit_comes(l, self.now + lane.back)
        if lane.flits == 0 or onward.flits == self.buffer:
            return self.go_on(b, self.time_to_go(branch, lane))
        return self.go_on(b, max(here[lane.head], there[onward.tail]))

    cdef int go_on(self, int32_t b, int64_t time) except -1:
        """A branch that has sent a flit may ask for the next one from `time` on; NEVER is not known."""
        cdef Branch* branch = &self.branches[b]
        if branch.listed != READY:
            return 0
        if time - self.now <= SOON:
            branch.time = time
            if time < self.routers[branch.router].soonest:
                self.routers[branch.router].soonest = time
            return 0
        self.list_out(b)
        return 0 if time == NEVER else self.enlist(b, READY, time)

    cdef int traverse_at_ends(self, int32_t b) except -1:
        """Send a flit that is its packet's first or last, or one of a packet that branches here."""
        cdef Branch* branch = &self.branches[b]
        cdef int32_t l = branch.lane
        cdef int32_t out = branch.out
        cdef Lane* lane = &self.lanes[l]
        cdef Lane* onward = &self.lanes[out]
        cdef Channel* output = &self.channels[branch.channel]
        cdef int32_t sent = branch.sent, f = self.place_in(lane, l, sent - lane.popped), other
        cdef int64_t arrived = self.times[f]
        cdef bint last = sent + 1 == lane.size
        if self.recording:
            self.log.append((self.now, branch.channel, onward.vc, self.packets[lane.packet].tag, sent))
        branch.sent = sent + 1
        if sent == 0:
            self.begin(branch, output, &self.heads[f], arrived)
        if sent == 0 and onward.keeps:
            self.enter_head(
                out, self.now + onward.transit, lane.packet, self.hops[branch.hop].child, branch.chain
            )
            branch = &self.branches[b]  # there may be more of them now
        else:
            self.enter_buffer(out, self.now + onward.transit)
        if last:
            self.end(b, arrived, self.now + self.leave + output.delay)
        if self.branches[l].sibling >= 0:  # the slowest branch sets what the buffer may forget
            other = l
            while other >= 0:
                if self.branches[other].sent <= lane.popped:
                    break
                other = self.branches[other].sibling
            if other < 0:
                self.pop(l, last and lane.branches == 0)
        else:
            self.pop(l, last)
        return 0 if last or branch.listed != READY else self.go_on(b, self.time_to_go(branch, lane))

    cdef int begin(self, Branch* branch, Channel* output, Head* head, int64_t arrived) except -1:
        """The head of a packet leaves."""
        cdef int64_t wait = self.now - arrived - self.pipeline
        self.bounded = branch.head_left = self.now
        branch.chain = head.chain
        if wait > 0:
            output.waited += wait
            if self.tracking:
                branch.chain = self.new_wait(head.packet, head.chain, branch.channel, wait)
        return 0

    cdef int end(self, int32_t b, int64_t arrived, int64_t time) except -1:
        """The tail of a packet, which had come to the router at `arrived`, is at the far end at `time`."""
        cdef Branch* branch = &self.branches[b]
        cdef Lane* lane = &self.lanes[branch.lane]
        cdef Lane* onward = &self.lanes[branch.out]
        cdef Packet* packet = &self.packets[lane.packet]
        self.bounded = self.now
        if packet.size > 1 and self.now - arrived > packet.stay:
            packet.stay = self.now - arrived
            packet.slowest = branch.channel
        if self.keep_crossings:
            self.cross(branch.channel, onward.vc, packet.tag, packet.size, branch.head_left)
        onward.owner = -1
        branch.out = -1
        lane.branches -= 1
        if branch.listed != NOT:
            self.list_out(b)
        return self.finish(b, lane.packet, time) if self.channels[branch.channel].target < 0 else 0

    cdef void cross(self, int32_t channel, int32_t vc, int32_t tag, int32_t flits, int64_t begin) noexcept nogil:
        """Note that the tail of a packet has left over a channel, on which its head left at `begin`."""
        cdef Crossing* crossing = &self.crossings[self.n_crossings]
        crossing.begin, crossing.end = begin, self.now + 1
        crossing.channel, crossing.vc, crossing.tag, crossing.flits = channel, vc, tag, flits
        self.n_crossings += 1

    cdef int pop(self, int32_t l, bint last) except -1:
        """Take the front flit out of a lane's buffer and return its credit; behind a tail the next head is in front."""
        cdef Lane* lane = &self.lanes[l]
        cdef int32_t b
        cdef int64_t time = self.now + lane.back
        self.times[l * self.buffer + lane.head] = time
        lane.head = lane.head + 1 if lane.head + 1 < self.buffer else 0
        lane.flits -= 1
        lane.popped += 1
        if lane.starved:
            lane.starved = 0
            self.credit_comes(l, time)
        if not last:
            return 0
        while self.branches[l].sibling >= 0:
            b = self.branches[l].sibling
            self.branches[l].sibling = self.branches[b].sibling
            self.branches[b].sibling = self.free_branch
            self.free_branch = b
        lane.hungry = 0
        if lane.flits == 0:
            return 0
        return self.front(l, max(self.now + 1, self.times[l * self.buffer + lane.head]))

    cdef int credit_comes(self, int32_t l, int64_t time) except -1:
        """Call who waits for a credit of a lane, which is there at `time`."""
        cdef int32_t t = self.channels[self.lanes[l].channel].terminal
        if t < 0:
            return self.consider(self.lanes[l].owner) if self.lanes[l].owner >= 0 else 0
        if self.terminals[t].blocked:
            self.terminals[t].blocked = 0
            self.terminals[t].time = time
            self.sending[self.n_sending] = t
            self.n_sending += 1
            self.soonest = min(self.soonest, time)
        return 0

    cdef int finish(self, int32_t b, int32_t packet, int64_t time) except -1:
        """The tail of a packet will arrive at a terminal at `time`."""
        cdef int64_t old = self.arrivals.shape[0]
        cdef int32_t tag = self.packets[packet].tag
        self.last_arrival = max(self.last_arrival, time)
        if not self.tracking:
            if tag < self.arrived.shape[0]:
                self.arrived[tag] = time
            self.forget(packet)
            return 0
        if self.n_arrivals == old:
            self.arrivals = _grown(self.arrivals, network_dtype("arrival"))
        self.arrivals[self.n_arrivals].cycle = time
        self.arrivals[self.n_arrivals].rest = self.now - self.branches[b].head_left - (self.packets[packet].size - 1)
        self.arrivals[self.n_arrivals].packet = packet
        self.arrivals[self.n_arrivals].hop = self.branches[b].hop - self.route_base[self.packets[packet].route]
        self.arrivals[self.n_arrivals].chain = self.branches[b].chain
        self.arrivals[self.n_arrivals].tag = tag
        self.n_arrivals += 1
        return 0
