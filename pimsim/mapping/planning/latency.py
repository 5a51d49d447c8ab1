"""The bound of a latency: no plan of a model on so many chips brings an inference through in less.

An op begins when the first firings of those before it are over, and what reads its last token works after it ends. In
between it does all its positions, on the copies that the arrays have room for. Nothing is moved, and nothing waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from pimsim.mapping.planning.optimum import ChipBound, chip_bound
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planned import IN_BUFFERS, PlannedOp
from pimsim.mapping.planning.replication import Weight, optimum_fs


class _Span(NamedTuple):
    """What is left for an op of the latency: it begins so long after the beginning, and ends so long before the end.

    Parameters
    ----------
    before, after : int
        Femtoseconds, at least.
    counts : bool
        Whether the end of the op holds up what comes after it.
    """

    before: int
    after: int
    counts: bool


def latency_bound(plan: Plan) -> ChipBound:
    """Return the least latency of an inference by any plan with each op at the sites where it is.

    Of weights that take turns in rounds, and where ops may be passed by or be done as a whole, only the work counts.
    """
    least = chip_bound(plan)
    if plan.rounds > 1 or any(op.whole or op.node.expert is not None for op in plan.ops):
        return least
    firings = [_firing_fs(plan, op) for op in plan.ops]
    spans = _spans(plan.ops, firings)
    chain = max(span.before + fs + span.after for span, fs in zip(spans, firings, strict=True))
    bounds = [least, ChipBound(chain, "a firing of each op of the longest chain"), *_arrays(plan, spans)]
    return max(bounds, key=lambda bound: bound.fs)


def _firing_fs(plan: Plan, op: PlannedOp) -> int:
    """Return the least time of a firing."""
    if op.site is None or op.unit == IN_BUFFERS:
        return 0
    kind = plan.package.kinds[op.site]
    if op.tiling is not None:
        return kind.alone_fs(op.tiling, op.node.read_bits)
    return int(0 if op.written else kind.service_fs(op.node, op.slices))


def _spans(ops: Sequence[PlannedOp], firings: Sequence[int]) -> list[_Span]:
    """Return what comes before the first firing of each op, and after its last."""
    before = [0] * len(ops)
    for n, op in enumerate(ops):
        needed = (edge.source for edge in op.node.edges if _always(edge.need, edge.low))
        before[n] = max((before[source] + firings[source] for source in needed), default=0)
    readers: list[list[tuple[int, bool]]] = [[] for _ in ops]
    for n, op in enumerate(ops):
        positions = np.arange(op.node.positions, dtype=np.int64)
        for edge in op.node.edges:
            read = edge.wanted(positions, ops[edge.source].node.tokens)
            readers[edge.source].append((n, bool(read.all())))
    spans = [_Span(0, 0, False)] * len(ops)
    for n in reversed(range(len(ops))):
        after = [(spans[reader].after + firings[reader], whole) for reader, whole in readers[n]]
        some = [each for each, whole in after if whole]
        ends = ops[n].node.type == "Output" or bool(some)
        spans[n] = _Span(before[n], max(some, default=0), ends)
    return spans


def _always(need: Iterable[int], low: Iterable[int]) -> bool:
    """Whether each firing needs a token or more."""
    return bool((np.asarray(need) > np.asarray(low)).all())


def _arrays(plan: Plan, spans: Sequence[_Span]) -> list[ChipBound]:
    """Return the bound of each name of sites whose slots do not take turns, with the best numbers of copies."""
    found = []
    for name, kind in plan.package.kinds.items():
        if kind.in_turn:
            continue
        users: dict[str, list[int]] = defaultdict(list)
        for n, op in enumerate(plan.ops):
            if op.site == name and op.tiling is not None and spans[n].counts:
                users[op.shares or op.node.name].append(n)
        weights = []
        for own in users.values():
            tiling = plan.ops[own[0]].tiling
            assert tiling is not None
            outside = min(spans[n].before for n in own) + min(spans[n].after for n in own)
            positions = sum(plan.ops[n].node.positions for n in own)
            step = max(1, kind.alone_fs(tiling, min(plan.ops[n].node.read_bits for n in own)))
            weights.append(Weight(tiling.arrays, positions, step, outside))
        if weights:
            seats = len(plan.package.seats_of(name))
            words = f"all {kind.slots_are} of '{name}', and a firing of each op before and after"
            found.append(ChipBound(optimum_fs(weights, kind.slots * seats), words))
    return found
