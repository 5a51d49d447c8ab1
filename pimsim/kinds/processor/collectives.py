"""What processors exchange: partial sums that are added up, or parts that are put together, step by step in a ring.

In each step every processor sends a part to its next one and takes one from the one before (R. Thakur et al.,
"Optimization of collective communication operations in MPICH", 2005): p - 1 steps put p parts together, as many more
before that add them up. The time of a step is that of NCCL's own model of a ring (`src/graph/tuning.cc`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pimsim.chip.base import cost
from pimsim.chip.parts.clock import period_fs
from pimsim.errors import MappingError
from pimsim.kinds.processor.kernel import share_of
from pimsim.kinds.processor.site import COLLECTIVES, Processor
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.lowering.actors import Actors, Readers
from pimsim.mapping.planning.planned import PlannedOp
from pimsim.netlist.rows import Carried, Step

__all__ = ["COLLECTIVES", "Exchange", "collective_fs", "collective_rows", "exchange"]


class Exchange(NamedTuple):
    """How something is exchanged.

    Parameters
    ----------
    protocol : str
        Of the links.
    adding, passing : int
        Steps in which what comes is added to what is there, and in which it is only passed on.
    bits : int
        That each processor sends in a step.
    """

    protocol: str
    adding: int
    passing: int
    bits: int

    @property
    def steps(self) -> int:
        """All of them."""
        return self.adding + self.passing


def exchange(site: Processor, node: Node, bits: int) -> Exchange:
    """Return how an op is exchanged, by the protocol that is the fastest for its size."""
    assert node.op is not None
    assert site.links is not None
    degree = node.op.attributes["degree"]
    part = max(1, math.ceil(node.op.output.elements * share_of(node) * bits / degree))
    adding = degree - 1 if node.op.type == "AllReduce" else 0
    ways = [Exchange(name, adding, degree - 1, part) for name in site.links.protocols]
    return min(ways, key=lambda way: _time_fs(site, way))


def _time_fs(site: Processor, way: Exchange) -> int:
    """Return the time of all steps and of what comes before them, fs."""
    assert site.links is not None
    sent = site.links.send(way.protocol, way.bits, site.clocks)
    return site.links.start_fs(way.protocol, site.clocks) + way.steps * sent.after


def collective_fs(site: Processor, node: Node, bits: int) -> int:
    """Return the time of an exchange, its start included, fs."""
    return site.launcher.launch(site.clocks).held + _time_fs(site, exchange(site, node, bits))


def collective_rows(
    actors: Actors, site: Processor, number: int, op: PlannedOp, index: int
) -> tuple[Readers, int]:
    """Add a processor's steps of an exchange; with the last processor's, what each waits for of the one before it.

    Raises
    ------
    MappingError
        If what is exchanged grows with a cache.
    """
    if actors.growing(number) is not None:
        raise MappingError(
            "what processors exchange would grow with the cache, which is not modelled",
            where=f"op '{op.node.name}' ({op.node.type})",
            mend="take as many processors as divide the heads, or bind seq=1 and kv and run one step",
        )
    way = exchange(site, op.node, op.node.bits)
    launch = actors.actor(op, index, ".launch", [_launch(actors, site, op, index, way)], depth=1)
    chain = [launch]
    for step in range(way.steps):
        path = _step(actors, site, op, index, way, adds=step < way.adding)
        chain.append(actors.actor(op, index, f".step{step}", path, depth=1))
    chain.append(actors.actor(op, index, "", [actors.transport.pass_by()], depth=1))
    for before, after in itertools.pairwise(chain):
        _follow(actors, site, before, after)
    ring = actors.rings.setdefault(op.node.name, [])
    ring.append(chain)
    if len(ring) == len(op.replicas):
        _close(actors, site, actors.rings.pop(op.node.name))
    return [(launch, None)], chain[-1]


def _close(actors: Actors, site: Processor, ring: Sequence[Sequence[int]]) -> None:
    """Let each processor's step wait for the one before it of its neighbour, which it passes on."""
    for own, neighbour in zip(ring, [ring[-1], *ring[:-1]], strict=True):
        for before, after in zip(neighbour[1:-1], own[2:], strict=True):
            _follow(actors, site, before, after)


def _follow(actors: Actors, site: Processor, before: int, after: int) -> None:
    """Let an actor, which fires once, wait for another."""
    net = actors.net
    name = f"{net.actors[before].name} to {net.actors[after].name}"
    stream = net.add_stream(name, 1, 1, part=site.label("memory"))
    net.add_output(before, stream, net.add_table(np.zeros(1, dtype=np.int64)))
    once = net.add_table(np.ones(1, dtype=np.int64))
    net.add_input(after, stream, once, once)


def _launch(actors: Actors, site: Processor, op: PlannedOp, index: int, way: Exchange) -> Step:
    """Start the kernel, and what its protocol does first."""
    assert site.links is not None
    visit, tile, clock = site.launcher.launch(site.clocks), op.replicas[index].home, site.launcher.clock
    period = period_fs(site.clocks, clock)
    held = visit.held + -(-site.links.start_fs(way.protocol, site.clocks) // period) * period
    part = site.label("launcher")
    resource = actors.transport.resource(
        ("launcher", tile), f"tile{tile}.launcher", part, period, cause="launch", tile=tile
    )
    return Step(resource, held, held, energy=cost(part, 1, site.launcher.action_pj))


def _step(
    actors: Actors, site: Processor, op: PlannedOp, index: int, way: Exchange, *, adds: bool
) -> list[Step]:
    """Read a part, send it as it comes, and let it be written at the next processor as it comes there."""
    assert site.links is not None
    tile, following = op.replicas[index].home, op.replicas[(index + 1) % len(op.replicas)].home
    read = actors.transport.read_buffer(tile, way.bits)[0]
    written = actors.transport.write_buffer(following, way.bits)
    sent, clock = site.links.send(way.protocol, way.bits, site.clocks), site.links.clock
    period, part = period_fs(site.clocks, clock), site.label("links")
    resource = actors.transport.resource(
        ("links", tile), f"tile{tile}.links", part, period, cause="transport", tile=tile
    )
    energy = cost(part, sent.actions, site.links.action_pj)
    if adds:
        name = site.unit_of("AllReduce")
        assert name is not None
        unit = site.digital[name]
        work = way.bits / op.node.bits * (unit.cost_of("Accumulate") or 0.0)
        energy += cost(site.label(f"digital.{name}"), work, unit.action_pj)
    own, cycle = op.node.name, period_fs(site.clocks, site.memory.clock)
    return [
        read._replace(latency=max(cycle, read.latency - read.occupancy), tally=Carried(way.bits, reader=own)),
        Step(resource, sent.held, sent.after, energy=energy),
        written._replace(latency=cycle, tally=Carried(way.bits, sender=own)),
    ]
