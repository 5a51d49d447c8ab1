"""Where in the channels of memories the steps of a netlist read and write.

Each step has addresses of its own, as many as its visits of an inference move, one behind another: a firing's come
behind those of the firing before, and replicas take turns as they do with positions. In a channel, regions follow one
another in the order of the steps; past its end, addresses begin anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from pimsim.netlist.netlist import Netlist


class Region(NamedTuple):
    """The addresses of a step, in bursts."""

    path: int
    step: int  # of the path
    resource: int
    first: int
    span: int  # after which they repeat
    write: bool
    sharers: int  # actors of its op, which share positions


def regions(net: Netlist) -> list[Region]:
    """Return the addresses of each step that has an access, in the order of paths and steps."""
    firings, sharers = _firings(net), Counter(actor.op for actor in net.actors)
    ends: Counter[int] = Counter()
    found = []
    for path, steps in enumerate(net.paths):
        for number, step in enumerate(steps):
            if step.access is None:
                continue
            owner = net.path_owners.get(path)
            many = sharers[owner.op] if owner is not None else 1
            span = max(1, step.access.bursts) * firings.get(path, 1) * many
            first = ends[step.resource]
            ends[step.resource] += span
            found.append(Region(path, number, step.resource, first, span, step.access.write, many))
    return found


def turns(net: Netlist) -> list[int]:
    """Return of each actor which of the actors of its op it is."""
    seen: Counter[str] = Counter()
    found = []
    for actor in net.actors:
        found.append(seen[actor.op])
        seen[actor.op] += 1
    return found


def access_numbers(net: Netlist) -> Iterator[int]:
    """Yield for each step of each path its place among the regions, or -1."""
    number = 0
    for path in net.paths:
        for step in path:
            yield -1 if step.access is None else number
            number += step.access is not None


def _firings(net: Netlist) -> dict[int, int]:
    """Return the most firings of an inference that take a path."""
    found: dict[int, int] = {}
    users = [(actor.path, actor.selector, actor.period) for actor in net.actors]
    users += [
        (row.path, row.selector, net.actors[row.actor].period) for row in net.outputs if row.path is not None
    ]
    for path, selector, period in users:
        for each in (path,) if selector is None else (path, path + 1):
            found[each] = max(found.get(each, 0), period)
    return found
