"""Two times that no run can beat: the busiest resource's work, and the longest chain of dependences."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import numpy.typing as npt

from pimsim.machine.machine import Machine
from pimsim.mapping.flow.rules import rule_of
from pimsim.netlist.chain import dependence_fs
from pimsim.netlist.rows import Growing, Resource
from pimsim.netlist.times import path_latency_fs

Figures = npt.NDArray[np.int64]
STEPS = 8  # how finely a growing cache is followed


def busiest(machine: Machine, busy: Figures, flits: Figures | None) -> tuple[int, str]:
    """Return the most work of a resource, shared out over its servers, in fs, and its name; the first of equals.

    Parameters
    ----------
    machine : Machine
        Whose.
    busy : int64, shape (resources,)
        How long each was held, in fs.
    flits : int64, shape (links,), optional
        What each channel of the network has carried; without it, channels are left out.
    """
    net = machine.net
    work = [work_fs(row, held) for row, held in zip(net.resources, busy, strict=True) if row.link is None]
    if flits is not None:
        work += zip(link_busy_fs(machine, flits).tolist(), net.link_names, strict=True)
    return max(work, key=lambda each: each[0])


def work_fs(row: Resource, held: int) -> tuple[int, str]:
    """Return how long all servers of a resource together are busy at least, in fs, and its name."""
    return -(-int(held) // row.servers), row.name


def link_busy_fs(machine: Machine, flits: Figures) -> Figures:
    """Return how long each channel carried so many flits, in fs."""
    assert machine.net.network is not None
    busy: Figures = flits * machine.net.network.period_fs
    return busy


def chain_fs(machine: Machine) -> int:
    """Return the longest chain of dependences of a run: of one inference, or of the last sequence that is generated.

    What grows with a cache is counted as if it grew in steps, each at its least, so that it is never too long; of the
    experts of a layer, those count that could be done first, as many as a token goes to.
    """
    first = dependence_fs(machine.net, machine.ends[0].sinks)
    if len(machine.programs) == 1 or machine.ends[1].selector is None:
        return first
    counts = machine.caches.counts(machine.ends[1].selector)
    ops = machine.programs[1].plan.ops
    tops = [
        op.node.op.attributes["top"] for op in ops if op.node.op and rule_of(op.node.type).expert == "ends"
    ]
    top = dict.fromkeys(machine.ends[1].experts.values(), min(tops, default=0))
    steps = sorted({cached: n // machine.programs[0].inferences for cached, n in counts.items()}.items())
    stride, chain = -(-len(steps) // STEPS), 0
    memo: dict[tuple[Hashable, int], int] = {}

    def grown(row: Growing, cached: int) -> int:
        key = row.key, cached
        if key not in memo:
            memo[key] = path_latency_fs(row.at(cached))
        return memo[key]

    for begin in range(0, len(steps), stride):
        block = steps[begin : begin + stride]
        latencies = {row.path: grown(row, block[0][0]) for row in machine.net.growing}
        each = dependence_fs(machine.net, machine.ends[1].sinks, latencies, top)
        chain += each * sum(n for _, n in block)
    return first + chain
