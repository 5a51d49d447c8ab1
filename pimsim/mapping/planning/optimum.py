"""The bound of a chip: no plan of a model is faster than all arrays, or all units, at work with no transport."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planned import IN_BUFFERS, PlannedOp


class ChipBound(NamedTuple):
    """The least interval of any plan with each op at the sites where it is.

    Parameters
    ----------
    fs : int
        0 where nothing is known to take time.
    what : str
        What sets it.
    """

    fs: int
    what: str


def chip_bound(plan: Plan) -> ChipBound:
    """Return the bound of the chips that a plan is on; rounds of weights take turns, so theirs add up."""
    found = [_of_round([op for op in plan.ops if op.round == turn], plan) for turn in range(plan.rounds)]
    total = sum(each.fs for each in found)
    most = max(found, key=lambda each: each.fs)
    return ChipBound(total, most.what if plan.rounds == 1 else f"{most.what}, in each round")


def _of_round(ops: Sequence[PlannedOp], plan: Plan) -> ChipBound:
    bounds = [ChipBound(0, "nothing")]
    for name, kind in plan.package.kinds.items():
        own = [op for op in ops if op.site == name]
        seats = len(plan.package.seats_of(name)) // kind.site.sharers
        users: dict[str, list[PlannedOp]] = defaultdict(list)
        work: dict[str, float] = defaultdict(float)
        for op in own:
            if op.tiling is not None:
                users[op.shares or op.node.name].append(op)
            elif op.unit != IN_BUFFERS:
                words = "kernels" if op.whole else f"{op.unit} units"
                work[words] += kind.service_fs(op.node) * op.node.positions
        if users:
            weights = [
                (each[0].tiling, sum(op.node.positions for op in each), min(op.node.read_bits for op in each))
                for each in users.values()
                if each[0].tiling is not None
            ]
            fs = kind.least_fs(weights, seats)
            bounds.append(ChipBound(fs, f"all {kind.slots_are} of '{name}'"))
        bounds += [ChipBound(int(fs / seats), f"all {words} of '{name}'") for words, fs in work.items()]
    return max(bounds, key=lambda bound: bound.fs)
