"""The network of ``docs/network.md`` in plain Python, one loop a cycle: slow, readable, sharing no code with the core.

Everything is looked at in every cycle, whether it has something to do or not. Channels, ports and routes are the rows
that `pimsim_core.network.Network` takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Packet:
    tag: int
    hops: list  # trees of (channel, class, [hops at the next router])
    size: int
    created: int


@dataclass
class Branch:
    """A packet at the front of a lane on one of its ways out."""

    channel: int
    vcs: int
    onward: list
    asks_from: int
    out: int | None = None  # virtual channel
    asks_switch_from: int = 0
    sent: int = 0


@dataclass
class Lane:
    """The buffer of one virtual channel, and what its sender knows of it."""

    credits: int
    flits: list = field(default_factory=list)  # (packet, number), those that are here
    owner: object = None
    branches: list = field(default_factory=list)
    popped: int = 0
    grant_pointer: int = 0
    accept_pointer: int = 0


def way_of(hops):
    """A way without branches, a list of (channel, class), as nested hops."""
    onward = []
    for channel, vcs in reversed(hops):
        onward = [(channel, vcs, onward)]
    return onward


def merged(ways):
    """The tree of several ways, as nested hops; a way that others have not begun with comes before them."""
    onward = []
    for way in ways:
        if not way:
            continue
        (channel, vcs), *rest = way
        found = [i for i, row in enumerate(onward) if row[:2] == [channel, vcs]]
        if found:
            onward[found[0]][2].append(rest)
        else:
            onward.insert(0, [channel, vcs, [rest]])
    return [(channel, vcs, merged(rest)) for channel, vcs, rest in onward]


class Routers:
    """A network and its terminals; `cycle` is called for every cycle, in order."""

    def __init__(self, channels, injection, *, vcs, buffer, rd, va, sa, st, credit=0, speculative=False):
        self.channels = channels  # rows of (source, target, delay, out_port, in_port)
        self.injection = injection
        self.vcs, self.buffer = vcs, buffer
        self.rd, self.va, self.sa, self.st, self.credit = rd, va, sa, st, credit
        self.speculative = speculative
        self.lanes = {(c, v): Lane(buffer) for c in range(len(channels)) for v in range(vcs)}
        self.routers = sorted(
            {row[1] for row in channels if row[1] >= 0} | {row[0] for row in channels if row[0] >= 0}
        )
        self.inputs = {r: [c for c, row in enumerate(channels) if row[1] == r] for r in self.routers}
        self.outputs = {r: [c for c, row in enumerate(channels) if row[0] == r] for r in self.routers}
        self.out_grant = {c: 0 for c in range(len(channels))}
        self.in_accept = {c: 0 for c in range(len(channels))}
        self.in_vc = {c: 0 for c in range(len(channels))}
        self.queues = [[] for _ in injection]
        self.sent = [0] * len(injection)
        self.vc = [None] * len(injection)
        self.next_vc = [0] * len(injection)
        self.flits_coming = {}  # cycle -> [(lane, packet, number, hops)]
        self.credits_coming = {}
        self.entered, self.arrived, self.left = {}, {}, []
        self.log = []
        self.onward = {}  # (lane, packet tag) -> hops at the router there

    @property
    def idle(self):
        return (
            not any(self.queues)
            and not self.flits_coming
            and not self.credits_coming
            and not any(lane.flits for lane in self.lanes.values())
        )

    def ask_delay(self):
        return self.rd + (max(0, self.va - self.sa) if self.speculative else self.va - 1)

    def inject(self, terminal, packet):
        self.queues[terminal].append(packet)

    # -- a cycle -----------------------------------------------------------------------------------------------

    def cycle(self, now):
        for key, packet, number, hops in self.flits_coming.pop(now, []):
            lane = self.lanes[key]
            lane.flits.append((packet, number, now))
            if number == 0:
                self.onward[key, packet.tag] = hops
            if len(lane.flits) == 1 and not lane.branches:
                self.to_front(key, now)
        for key in self.credits_coming.pop(now, []):
            self.lanes[key].credits += 1
        for terminal, queue in enumerate(self.queues):
            if queue and queue[0].created <= now:
                self.send_from(terminal, queue, now)
        leaving, granted = [], []
        for r in self.routers:  # everything that follows reads the state before this loop
            leaving += self.match_switch(r, now)
            granted += self.match_vcs(r, now)
        for branch, (c, v) in granted:
            branch.out = v
            self.lanes[c, v].owner = branch
            branch.asks_switch_from = now + 1
        for key, branch, speculative in leaving:
            if speculative and (branch.out is None or not self.lanes[branch.channel, branch.out].credits):
                continue
            self.traverse(key, branch, now)

    def to_front(self, key, arrived):
        """A head is in front as of a cycle."""
        lane = self.lanes[key]
        packet = lane.flits[0][0]
        lane.popped = 0
        lane.branches = [
            Branch(channel, vcs, onward, arrived + self.ask_delay())
            for channel, vcs, onward in self.onward.pop((key, packet.tag))
        ]

    def send_from(self, terminal, queue, now):
        packet, c = queue[0], self.injection[terminal]
        if self.vc[terminal] is None:
            for i in range(self.vcs):
                v = (self.next_vc[terminal] + i) % self.vcs
                if self.lanes[c, v].credits:
                    self.vc[terminal] = v
                    self.next_vc[terminal] = (v + 1) % self.vcs
                    self.entered[packet.tag] = now
                    break
        v = self.vc[terminal]
        if v is None or not self.lanes[c, v].credits:
            return
        self.lanes[c, v].credits -= 1
        arrival = now + 1 + self.channels[c][2] + self.sa - 1
        row = ((c, v), packet, self.sent[terminal], packet.hops)
        self.flits_coming.setdefault(arrival, []).append(row)
        self.sent[terminal] += 1
        if self.sent[terminal] == packet.size:
            queue.pop(0)
            self.sent[terminal], self.vc[terminal] = 0, None
            self.left.append((packet.tag, now))

    def front(self, key, branch):
        """The flit that a branch sends next, if it is here."""
        lane = self.lanes[key]
        place = branch.sent - lane.popped
        if place < len(lane.flits) and lane.flits[place][0] is lane.flits[0][0]:
            return lane.flits[place]
        return None

    def requests(self, r, now):
        """Every branch at a router, in order of lanes."""
        for c in sorted(self.inputs[r], key=lambda c: self.channels[c][4]):
            for v in range(self.vcs):
                for branch in self.lanes[c, v].branches:
                    yield (c, v), branch

    def allowed(self, branch):
        lower = self.vcs - self.vcs // 2
        return {0: range(self.vcs), 1: range(lower), 2: range(lower, self.vcs)}[branch.vcs]

    def asks_vc(self, branch, now):
        return branch.out is None and branch.sent == 0 and branch.asks_from <= now

    def match_vcs(self, r, now):
        """iSLIP between input lanes and output lanes, one iteration."""
        wanted = {}
        for (c, v), branch in self.requests(r, now):
            if self.asks_vc(branch, now):
                for w in self.allowed(branch):
                    if self.lanes[branch.channel, w].owner is None:
                        number = self.channels[c][4] * self.vcs + v
                        wanted.setdefault((branch.channel, w), []).append((number, (c, v), branch))
        offers = {}
        n = len(self.inputs[r]) * self.vcs
        for out, asking in wanted.items():
            pointer = self.lanes[out].grant_pointer
            number, key, branch = min(asking, key=lambda row: (row[0] - pointer) % n)
            offers.setdefault(id(branch), []).append((out, number, key, branch))
        granted = []
        m = len(self.outputs[r]) * self.vcs
        accepted = {}

        def place(out):
            return self.channels[out[0]][3] * self.vcs + out[1]

        for offered in offers.values():
            pointer = self.lanes[offered[0][2]].accept_pointer
            out, number, key, branch = min(offered, key=lambda row: (place(row[0]) - pointer) % m)
            self.lanes[out].grant_pointer = (number + 1) % n
            accepted.setdefault(key, []).append(place(out))
            granted.append((branch, out))
        for (
            key,
            places,
        ) in accepted.items():  # several branches of a packet: the highest lane sets the pointer
            self.lanes[key].accept_pointer = (max(places) + 1) % m
        return granted

    def match_switch(self, r, now):
        """iSLIP between inputs and outputs, one iteration; an input speaks for one lane an output."""
        asking = {}
        for key, branch in self.requests(r, now):
            c, v = key
            if branch.out is not None:
                if (
                    branch.asks_switch_from <= now
                    and self.lanes[branch.channel, branch.out].credits
                    and self.front(key, branch)
                ):
                    asking.setdefault((branch.channel, c), []).append(
                        (False, (v - self.in_vc[c]) % self.vcs, key, branch)
                    )
            elif self.speculative and self.asks_vc(branch, now):
                lanes = [self.lanes[branch.channel, w] for w in self.allowed(branch)]
                if any(lane.owner is None and lane.credits for lane in lanes):
                    asking.setdefault((branch.channel, c), []).append(
                        (True, (v - self.in_vc[c]) % self.vcs, key, branch)
                    )
        n, m = len(self.inputs[r]), len(self.outputs[r])
        offers = {}
        for out in self.outputs[r]:
            inputs = [c for o, c in asking if o == out]
            if inputs:
                c = min(inputs, key=lambda c: (self.channels[c][4] - self.out_grant[out]) % n)
                offers.setdefault(c, []).append(out)
        leaving = []
        for c, outs in offers.items():
            out = min(outs, key=lambda o: (self.channels[o][3] - self.in_accept[c]) % m)
            speculative, _, key, branch = min(asking[out, c], key=lambda row: row[:2])
            self.out_grant[out] = (self.channels[c][4] + 1) % n
            self.in_accept[c] = (self.channels[out][3] + 1) % m
            self.in_vc[c] = (key[1] + 1) % self.vcs
            leaving.append((key, branch, speculative))
        return leaving

    def traverse(self, key, branch, now):
        lane, out = self.lanes[key], (branch.channel, branch.out)
        packet, number, _ = self.front(key, branch)
        _, target, delay, _, _ = self.channels[branch.channel]
        self.log.append((now, branch.channel, branch.out, packet.tag, number))
        self.lanes[out].credits -= 1
        arrival = now + 1 + self.st + delay
        last = number == packet.size - 1
        if target >= 0:
            row = (out, packet, number, branch.onward)
            self.flits_coming.setdefault(arrival + self.sa - 1, []).append(row)
        else:
            self.credits_coming.setdefault(arrival + 1 + delay, []).append(out)
            if last:
                self.arrived.setdefault(packet.tag, []).append((branch.channel, arrival))
        branch.sent += 1
        if last:
            self.lanes[out].owner = None
            branch.out = None
        if min(each.sent for each in lane.branches) > lane.popped:
            lane.flits.pop(0)
            lane.popped += 1
            back = now + 1 + self.channels[key[0]][2] + (self.credit if self.channels[key[0]][0] >= 0 else 0)
            self.credits_coming.setdefault(back, []).append(key)
            if lane.popped == packet.size:
                lane.branches = []
                if lane.flits:
                    self.to_front(key, now + 1)
