"""What one more copy of an op would win: the plan with it, predicted by the predictor that all share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pimsim.errors import MappingError
from pimsim.mapping.given.restore import restore
from pimsim.mapping.given.write import saved_of
from pimsim.mapping.lowering.predicted import predict
from pimsim.mapping.numbers import from_text, to_text
from pimsim.mapping.planning.options import PlanOptions
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planned import PlannedOp
from pimsim.mapping.planning.planner import flows_of
from pimsim.netlist.prediction import Prediction
from pimsim.trace.schema import Trace

TRIES = 4  # tiles whose buffers may turn out to be full


@dataclass(frozen=True)
class NextCopy:
    """What one more copy of the op that holds the busiest part would do.

    Parameters
    ----------
    op : str
        Which.
    copies : int
        That it would have.
    prediction : Prediction or None
        Of the plan with it; None if it has no place.
    why : str
        Then, why; else empty.
    """

    op: str
    copies: int
    prediction: Prediction | None
    why: str = ""


def next_copy(plan: Plan, trace: Trace, options: PlanOptions, now: Prediction) -> NextCopy | None:
    """Return what one more copy would do of the op that holds the busiest part the longest; None for the host.

    Parameters
    ----------
    plan : Plan
        Of inferences.
    trace : Trace
        What is mapped, bound.
    options : PlanOptions
        What was asked of the plan.
    now : Prediction
        Of the plan as it is.
    """
    names = {op.node.name: n for n, op in enumerate(plan.ops)}
    number = names.get(now.busiest[0].op, -1)
    while number >= 0 and plan.ops[number].attached:
        number = plan.ops[number].node.edges[0].source
    if number < 0 or plan.ops[number].site is None:
        return None
    op = plan.ops[number]
    name, count = op.node.name, len(op.replicas) + 1
    why = _refusal(plan, op)
    if why:
        return NextCopy(name, count, None, why)
    saved = saved_of(plan.chip, trace, [plan], options)
    flows = flows_of(plan.chip, trace, options)
    why = f"no {op.tiling.arrays} arrays are free" if op.tiling is not None else "no buffer has room"
    for _, more in zip(range(TRIES), _places(plan, op), strict=False):
        rows = saved.to_dict()["ops"]
        row = rows[number]
        row.pop("places", None)
        row["copies" if op.tiling is not None else "tiles"].append(more)
        try:
            (other,) = restore(plan.chip, trace, flows, saved.with_(ops=rows), options)
        except MappingError as error:
            why = error.message
            continue
        return NextCopy(name, count, predict(other))
    return NextCopy(name, count, None, why)


def _refusal(plan: Plan, op: PlannedOp) -> str:
    """Say why an op can have no further copy, wherever it was; empty if it can."""
    if op.slices > 1:
        return "it is cut by heads"
    if op.whole:
        return "it is done as a whole"
    if op.dealt:
        return "it is dealt out as its inputs fit"
    if len(op.replicas) >= op.node.positions:
        return "each position has one"
    if op.tiling is None and op.node.tokens != op.node.positions:
        return "it works over all positions together"
    return "weights take turns" if plan.rounds > 1 else ""


def _places(plan: Plan, op: PlannedOp) -> Iterator[Any]:
    """Yield where a copy could be, the nearest to the last one first: rows of its arrays, or tiles."""
    order = plan.package.order()
    rank = {tile: n for n, tile in enumerate(order)}
    last = rank[op.replicas[-1].home]
    seats = sorted(plan.package.seats_of(str(op.site)), key=lambda tile: (abs(rank[tile] - last), rank[tile]))
    if op.tiling is None:
        yield from seats
        return
    kind = plan.package.kinds[str(op.site)]
    used = _used(plan)
    for first in seats:
        cores, left = [], op.tiling.arrays
        for tile in [first, *(tile for tile in seats if rank[tile] > rank[first])]:
            for core in range(kind.slots // kind.core_slots):
                free = [n for n in range(kind.core_slots) if (tile, core, n) not in used][:left]
                if free:
                    begin = op.tiling.arrays - left
                    blocks = to_text(range(begin, begin + len(free)))
                    cores.append({"tile": tile, "core": core, "arrays": to_text(free), "blocks": blocks})
                    left -= len(free)
            if not left:
                break
        if cores and cores[0]["tile"] == first and not left:
            held = Counter({each["tile"]: 0 for each in cores})
            for each in cores:
                held[each["tile"]] += len(from_text(str(each["blocks"])))
            name = f"{op.node.name}.{len(op.replicas)}"
            yield {"home": held.most_common(1)[0][0], "slots": name, "cores": cores}


def _used(plan: Plan) -> set[tuple[int, int, int]]:
    """Return the arrays in use, by tile, core and number in it, as a saved plan counts them."""
    found: set[tuple[int, int, int]] = set()
    taken: Counter[tuple[int, int, int]] = Counter()
    for _, _, replica in plan.sets():
        for chunk in replica.chunks:
            key = chunk.tile, chunk.core, chunk.bank
            first = chunk.bank * plan.package.kind(chunk.tile).bank_slots + taken[key]
            taken[key] += len(chunk.blocks)
            found.update((chunk.tile, chunk.core, n) for n in range(first, first + len(chunk.blocks)))
    return found
