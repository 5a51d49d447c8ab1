"""What lies in the off-chip memory while weights take turns."""

from __future__ import annotations

from collections import defaultdict

from pimsim.mapping.planning.plan import Plan


def bytes_in_memory(plan: Plan) -> dict[int, int]:
    """Return what lies in the memory of each chip, in bytes: weights that are written in turn, and tokens that wait."""
    tiles = plan.chip.config.tiles
    found: dict[int, int] = defaultdict(int)
    for op, index, replica in plan.sets():
        for share in (op.share_of(index, chunk) for chunk in replica.chunks):
            if share.when == "round":
                found[share.tile // tiles] += -(-share.elements * share.width // 8)
    crossing = {
        (edge.source, edge.piece, tile // tiles): edge.features
        for op in plan.ops
        for edge in op.node.edges
        for tile in op.buffer_tiles
        if plan.ops[edge.source].round != op.round and tile >= 0
    }
    for (source, _, chip), features in crossing.items():
        found[chip] += plan.ops[source].node.tokens * -(-features * plan.ops[source].node.bits // 8)
    return found
