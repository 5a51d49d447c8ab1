"""How much may be under way: firings that cover what a path takes, and places for tokens that are on their way.

What is under way must cover rate times latency, or the busiest part waits for it. Firings are free; places take room in
a tile's buffer, so there they cover it as far as there is room.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from pimsim.mapping.planning.plan import Plan
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import HOST, Step, Window
from pimsim.netlist.times import path_latency_fs, step_held_fs, step_latency_fs

FEWEST = 2  # firings of an actor: one begins while another ends
MOST = 1 << 20


def under_way(net: Netlist, path: Sequence[Step]) -> int:
    """Return the firings that are under way along a path: two, and those that hold nothing but are on their way."""
    latent = sum(max(0, step_latency_fs(step) - step_held_fs(step)) for step in path)
    return min(MOST, FEWEST + latent // _pace_fs(net, path))


def needed_under_way(net: Netlist, path: Sequence[Step], pace_fs: int = 0) -> int:
    """Return the firings that must be under way along a path so that what sets the pace never waits for the next.

    Beyond two, there is one more than what the path takes: others may hold a part of it for a while.

    Parameters
    ----------
    net, path
        Which path of which machine.
    pace_fs : int
        The time that there is for each firing anyway, fs; it is not less than the path's busiest part takes.
    """
    covers = -(-_crossing_fs(net, path) // max(pace_fs, _pace_fs(net, path)))
    return min(MOST, covers + 1) if covers > FEWEST else FEWEST


def _pace_fs(net: Netlist, path: Sequence[Step]) -> int:
    """Return the time that the busiest part of a path takes for a firing, fs."""
    return (
        max((-(-step_held_fs(step) // net.resources[step.resource].servers) for step in path), default=1) or 1
    )


def _crossing_fs(net: Netlist, path: Sequence[Step]) -> int:
    """Return what a path takes on an idle machine, with a cycle of each clock that it comes to from another."""
    periods = [net.resources[step.resource].period_fs for step in path]
    edges = sum(here for before, here in pairwise(periods) if here != before)
    return path_latency_fs(path) + edges


@dataclass(frozen=True, slots=True)
class Buffered:
    """A stream whose places may become more.

    Parameters
    ----------
    stream : int
        Which.
    needed : int
        Places without which the data flow can deadlock.
    register : bool
        Whether it is in registers: its reader holds what it works on, but no more.
    """

    stream: int
    needed: int
    register: bool = False


@dataclass(slots=True)
class _Ends:
    """What fills and empties a stream."""

    takes_fs: int = 0  # from the start of a firing to its token's arrival, the longest
    come_fs: int = 0  # when its first token can have come, at the earliest
    readers: list[int] = field(default_factory=list)
    writers: list[int] = field(default_factory=list)


class Widening:
    """Gives streams of a program more places where tokens on their way need them.

    Parameters
    ----------
    net : Netlist
        The machine.
    first : int
        The program's first actor; it is the last one that was lowered.
    plan : Plan
        The program's.
    units : set of int
        Actors that have as many firings under way as their path needs.
    """

    def __init__(self, net: Netlist, first: int, plan: Plan, units: set[int]) -> None:
        self.net, self.first, self.plan, self.units = net, first, plan, units
        self.inputs, self.outputs = defaultdict(list), defaultdict(list)  # of an actor
        for row in net.inputs:
            if row.actor >= first:
                self.inputs[row.actor].append(row.stream)
        for out in net.outputs:
            if out.actor >= first:
                self.outputs[out.actor].append(out)
        self.paths = {a: self._path(net.actors[a].path, net.actors[a].selector) for a in self.actors}
        self.pace_fs = max(1, self._busiest_fs() // plan.rounds)
        for each in units:  # with stages that take turns, two firings may not be enough
            actor = net.actors[each]
            needed = needed_under_way(net, self.paths[each], self.pace_fs // actor.period)
            net.actors[each] = actor._replace(depth=max(actor.depth, needed))
        self.ends: dict[int, _Ends] = defaultdict(_Ends)
        self.begin_fs = dict.fromkeys(self.actors, 0)
        self._follow()

    @property
    def actors(self) -> range:
        """The program's."""
        return range(self.first, len(self.net.actors))

    def widen(self, streams: Sequence[Buffered], room: list[int]) -> None:
        """Give streams places, as far as there is room in the buffers; `room`, in bytes, is what is left then."""
        asked: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for each in streams:
            row, more = (
                self.net.streams[each.stream],
                self._wanted(each) - self.net.streams[each.stream].capacity,
            )
            if more <= 0 or row.capacity < each.needed:  # a plan with fewer is as it says
                continue
            if row.part == HOST:
                self._add(each.stream, more, more)
            elif each.register:
                self._add(each.stream, more, min(more, self._held(each.stream)))
            elif row.tile is not None:
                asked[row.tile].append((each.stream, more))
        for tile, rows in asked.items():
            size = sum(more * self._bytes(stream) for stream, more in rows)
            part = min(1.0, room[tile] / max(1, size))
            for stream, more in rows:
                given = int(more * part)
                self._add(stream, more, given)
                room[tile] -= given * self._bytes(stream)

    def _bytes(self, stream: int) -> int:
        return -(-self.net.streams[stream].bits // 8)

    def _add(self, stream: int, more: int, given: int) -> None:
        """Give a stream places, and note it if it needs more."""
        row = self.net.streams[stream]
        self.net.streams[stream] = row._replace(capacity=row.capacity + given)
        if given < more:
            site = self.plan.package.site(row.tile if row.tile is not None else self._tile(stream))
            key = (
                f"{site.name}.in_flight" if row.tile is None else f"{site.label(site.store_at)}.capacity_kib"
            )
            self.net.windows.append(Window("places", stream, row.capacity + more, key))

    def _tile(self, stream: int) -> int:
        """Return a tile that the reader of registers works at; of one in a router, the first."""
        steps = (step for reader in self.ends[stream].readers for step in self.paths[reader])
        tiles = (self.net.resources[step.resource].tile for step in steps)
        return next((tile for tile in tiles if tile is not None), 0)

    def _wanted(self, each: Buffered) -> int:
        """Return the places that a stream needs for what is on its way at the pace of the busiest part."""
        row, ends = self.net.streams[each.stream], self.ends[each.stream]
        last = max((self.begin_fs[reader] - ends.come_fs for reader in ends.readers), default=0)
        work = max((_crossing_fs(self.net, self.paths[reader]) for reader in ends.readers), default=0)
        loop = ends.takes_fs + max(0, last) + work
        return min(MOST, each.needed + (not each.register) + -(-loop * row.tokens // self.pace_fs))

    def _held(self, stream: int) -> int:
        """Return the places in registers that may be more: what a unit works on is in the unit."""
        ends = self.ends[stream]
        before = max((self.net.actors[each].depth for each in ends.writers if each in self.units), default=0)
        behind = max((self.net.actors[each].depth for each in ends.readers), default=0)
        return int(before + behind)

    def _path(self, path: int, selector: int | None) -> tuple[Step, ...]:
        """Return a path; of one past an expert and one through it, the latter."""
        return self.net.paths[path + (selector is not None)]

    def _busiest_fs(self) -> int:
        """Return the work of the program's busiest resource for one inference, fs."""
        net, work = self.net, np.zeros(len(self.net.resources))
        for step, times in self._visits():
            work[step.resource] += times * step_held_fs(step)
            if step.mvm is not None:
                work[step.mvm.bank] += times * step.mvm.phases * step.mvm.convert
        period = net.network.period_fs if net.network is not None else 1
        for cast in net.casts:
            for number in net.tables[cast.tree] if cast.actor >= self.first else ():
                if number >= 0:
                    work[cast.trees[number].resource] += sum(cast.trees[number].pieces) * period
        servers = np.array([row.servers for row in net.resources])
        return math.ceil(float((work / servers).max(initial=0)))

    def _visits(self) -> Iterator[tuple[Step, int]]:
        """Yield each step of an inference, and how often it is visited."""
        for actor in self.actors:
            for step in self.paths[actor]:
                yield step, self.net.actors[actor].period
            for out in self.outputs[actor]:
                if out.path is not None:
                    times = int((self.net.tables[out.token] >= 0).sum())
                    for step in self._path(out.path, out.selector):
                        yield step, times

    def _in_order(self) -> list[int]:
        """Return the actors, producers before their readers: what passes tokens on is made after these."""
        readers: dict[int, list[int]] = defaultdict(list)
        for actor in self.actors:
            for stream in self.inputs[actor]:
                readers[stream].append(actor)
        missing = Counter(out.stream for actor in self.actors for out in self.outputs[actor])
        waiting = {a: sum(missing[stream] > 0 for stream in self.inputs[a]) for a in self.actors}
        order = [actor for actor, count in waiting.items() if not count]
        for actor in order:  # grows while it is read
            for out in self.outputs[actor]:
                missing[out.stream] -= 1
                if not missing[out.stream]:
                    for reader in readers[out.stream]:
                        waiting[reader] -= 1
                        if not waiting[reader]:
                            order.append(reader)
        return order

    def _follow(self) -> None:
        """Find when firings can begin at the earliest, and what tokens take; producers come before their readers."""
        for actor in self._in_order():
            for stream in self.inputs[actor]:
                self.ends[stream].readers.append(actor)
                self.begin_fs[actor] = max(self.begin_fs[actor], self.ends[stream].come_fs)
            takes = _crossing_fs(self.net, self.paths[actor])
            for out in self.outputs[actor]:
                way = () if out.path is None else self._path(out.path, out.selector)
                sent = takes + (out.cast or 0) + _crossing_fs(self.net, way)
                ends = self.ends[out.stream]
                ends.writers.append(actor)
                ends.takes_fs = max(ends.takes_fs, sent)
                ends.come_fs = max(ends.come_fs, self.begin_fs[actor] + sent)
