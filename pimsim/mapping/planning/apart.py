"""What a plan keeps elsewhere than in the buffer of the tile that reads it, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planned import IN_BUFFERS, PlannedOp


def apart_notes(plan: Plan) -> list[str]:
    """Return what is to be said of inputs that lie in several tiles' buffers."""
    return list(_notes(plan.ops))


def _notes(ops: Iterable[PlannedOp]) -> Iterator[str]:
    for op in ops:
        name = op.node.name
        if op.unit == IN_BUFFERS:
            yield (
                f"{name} does not fit beside the arrays: it lies in the buffers of {len(op.replicas)} tiles, which "
                "send each firing what it reads."
            )
        elif op.dealt and not op.attached:
            yield (
                f"The inputs of {name} do not fit one tile: its positions are dealt out to {len(op.replicas)} copies, "
                "each beside what it reads."
            )
        inputs = sorted({number for number, _ in op.elsewhere})
        if inputs:
            tiles = {tile for tiles in op.elsewhere.values() for tile in tiles}
            which = " and ".join(
                "right matrix" if op.node.edges[n] is op.node.right else f"input {n}" for n in inputs
            )
            rows = f", once for {op.rows_at_once} rows" if op.rows_at_once > 1 else ""
            yield (
                f"The {which} of {name} does not fit one tile: it lies in the buffers of {len(tiles)} tiles and is "
                f"fetched from there{rows}."
            )
