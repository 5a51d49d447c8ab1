"""The same plan in other tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pimsim.mapping.planning.plan import Plan, Slack
from pimsim.mapping.planning.planned import PlannedOp, Replica


def moved(plan: Plan, to: Sequence[int]) -> Plan:
    """Return the plan with everything of each tile in another of the same name.

    Parameters
    ----------
    plan : Plan
        What is where.
    to : sequence of int
        The tile that each tile's work goes to; no two to the same.
    """

    def there(tile: int) -> int:
        return to[tile] if tile >= 0 else tile

    def replica(one: Replica) -> Replica:
        chunks = [replace(chunk, tile=there(chunk.tile)) for chunk in one.chunks]
        return replace(one, home=there(one.home), chunks=chunks)

    def planned(op: PlannedOp) -> PlannedOp:
        operand = op.operand
        if operand is not None:
            shares = tuple(share._replace(tile=there(share.tile)) for share in operand.shares)
            operand = replace(operand, shares=shares)
        elsewhere = {key: tuple(map(there, tiles)) for key, tiles in op.elsewhere.items()}
        replicas = [replica(each) for each in op.replicas]
        return replace(op, replicas=replicas, operand=operand, elsewhere=elsewhere)

    room = list(plan.slack.room)
    for tile, left in enumerate(plan.slack.room):
        room[there(tile)] = left
    return replace(
        plan,
        ops=[planned(op) for op in plan.ops],
        places={(op, edge, there(tile)): places for (op, edge, tile), places in plan.places.items()},
        slack=Slack({(op, edge, there(tile)): n for (op, edge, tile), n in plan.slack.needed.items()}, room),
    )
