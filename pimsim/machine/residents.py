"""Weights where they are: which op's share of which operand is in which resource of a machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pimsim.mapping.lowering.transport import Transport
    from pimsim.mapping.planning.kind import Kind
    from pimsim.mapping.planning.plan import Plan
    from pimsim.mapping.planning.stationary import Share
    from pimsim.netlist.rows import Actor, Step


class Resident(NamedTuple):
    """An op's weights in the slots of one place.

    Parameters
    ----------
    op : str
        Whose.
    share : Share
        How much, and when it is written.
    resource : int
        The slots.
    kind : Kind
        What they are slots of.
    """

    op: str
    share: Share
    resource: int
    kind: Kind

    def writing(self, rows: int | None = None) -> Step:
        """Return the visit that writes so many of its rows, or all, one after another."""
        rows = self.share.rows if rows is None else rows
        return self.kind.write_step(self.resource, rows, self.share.cells * rows / self.share.rows)


def residents_of(plan: Plan, transport: Transport) -> list[Resident]:
    """Return all weights of a plan whose writing is modelled, op by op in its order.

    What several ops take turns on counts once, for the first of them.
    """
    found: list[Resident] = []
    seen = set[int]()
    for op in plan.ops:
        if op.operand is None or op.operand.what != "weights":
            continue
        shares = iter(op.operand.shares)
        for index, replica in enumerate(op.replicas):
            works = len(op.positions(index)) > 0  # or else there are fewer positions than copies
            for chunk in replica.chunks:
                kind, share = plan.package.kind(chunk.tile), next(shares)
                if works:
                    resource = kind.home(transport, op, index, chunk)
                    if resource is None or resource in seen:
                        continue
                    seen.add(resource)
                    found.append(Resident(op.node.name, share, resource, kind))
    return found


def users_of(
    residents: Sequence[Resident], actors: Sequence[Actor], paths: Sequence[Sequence[Step]]
) -> dict[int, list[int]]:
    """Return the actors that work with what each resource holds, without those that only write it."""
    holding = {resident.resource for resident in residents}
    found: dict[int, list[int]] = {resource: [] for resource in sorted(holding)}
    for number, actor in enumerate(actors):
        ways = paths[actor.path : actor.path + (1 if actor.selector is None else 2)]
        visited = {step.resource for way in ways for step in way if step.cause != "programming"}
        for resource in sorted(visited & holding):
            found[resource].append(number)
    return found
