"""From a plan that is given as data to one that can be lowered: checked, with all that follows from what is decided."""

from __future__ import annotations

from dataclasses import replace

from pimsim import __version__
from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.mapping.flow.stores import STORE
from pimsim.mapping.given.buffers import Buffers
from pimsim.mapping.given.frame import Frame, frame_of
from pimsim.mapping.given.rules import (
    check_arrays,
    check_attached,
    check_elsewhere,
    check_product,
    check_rounds,
    product_of,
)
from pimsim.mapping.given.seats import deal_of, parts_of, seats, where_of
from pimsim.mapping.planning.dealing import Deal, Parts
from pimsim.mapping.planning.job import Flows
from pimsim.mapping.planning.memory import bytes_in_memory
from pimsim.mapping.planning.operands import give_operands
from pimsim.mapping.planning.options import PlanOptions
from pimsim.mapping.planning.places import works_apart
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planned import IN_BUFFERS, PlannedOp, Replica
from pimsim.mapping.planning.product import Product
from pimsim.mapping.planning.stationary import ARRAYS
from pimsim.mapping.saved import SavedPlan
from pimsim.trace.schema import Trace


def restore(chip: Chip, trace: Trace, flows: Flows, saved: SavedPlan, options: PlanOptions) -> list[Plan]:
    """Return the plans of data flows as a saved plan has them.

    Parameters
    ----------
    chip, trace
        What it is for.
    flows : Flows
        The trace's data flows.
    saved : SavedPlan
        What is decided.
    options : PlanOptions
        Of which the widths count.

    Raises
    ------
    MappingError
        If it is for something else, or breaks a rule: which op, or tile, and which rule.
    """
    try:
        check_identity(chip, trace, saved)
        return _Restoring(chip, frame_of(chip, trace, flows, saved, options)).plans()
    except MappingError as error:
        where = f"{saved.source}: {error.where}" if error.where else saved.source
        raise MappingError(error.message, where=where, mend=error.mend) from None


def check_identity(chip: Chip, trace: Trace, saved: SavedPlan) -> None:
    """Refuse a plan of another chip or trace, or of another version."""
    content = saved.content
    again = "make one with pimsim map"
    if content.pimsim != __version__:
        raise MappingError(f"is a plan of pimsim {content.pimsim:.20}, this is {__version__}", mend=again)
    for what, named, name, digest in (
        ("chip", content.chip, chip.config.name, chip.digest),
        ("trace", content.trace, trace.model, trace.digest),
    ):
        if named.digest != digest:
            same = " of other values" if named.name == name else f" '{named.name:.60}'"
            raise MappingError(
                f"is a plan for another {what}: found the {what}{same} ({named.digest[:12]}), this run is of "
                f"'{name}' ({digest[:12]})",
                mend=again,
            )


class _Restoring:
    """Working state of `restore`."""

    def __init__(self, chip: Chip, frame: Frame) -> None:
        self.chip, self.frame = chip, frame
        self.ops: list[PlannedOp] = []
        self.parts: list[list[Parts]] = []
        self.deals: dict[int, Deal] = {}
        self.products: dict[int, Product] = {}
        self.owner = {n: owner for owner, users in frame.users.items() for n in users}
        self._sets: dict[tuple[int, int], dict[str, Replica]] = {}

    def plans(self) -> list[Plan]:
        """Return the plans, one a data flow."""
        frame = self.frame
        check_rounds(frame)
        for number in range(len(frame.rows)):
            self._add(number)
        right_in = {n: row.right_in for n, row in enumerate(frame.rows) if row.right_in is not None}
        written = {
            n: product.arrays(frame.caches)
            for n, product in self.products.items()
            if right_in.get(n) == ARRAYS
        }
        check_arrays(frame, written)
        buffers = Buffers(frame, self.ops, self.parts, self.deals, right_in)
        plans = []
        for program, nodes in enumerate(frame.programs):
            own = [
                replace(op, node=node, parts=self.parts[n][program], product_fs=self._product_fs(n, program))
                for n, (op, node) in enumerate(zip(self.ops, nodes, strict=True))
            ]
            give_operands(own, frame.kinds, right_in, written, frame.weight_bits)
            slack = buffers.slack(program)
            plans.append(
                Plan(self.chip, frame.package, own, buffers.places[program], frame.input_bits, 0, slack)
            )
        self._check_memory(plans)
        return plans

    def _add(self, number: int) -> None:
        """Add an op."""
        frame, row, node = self.frame, self.frame.rows[number], self.frame.nodes[number]
        tiling, kind = frame.tilings[number], frame.kind(number)
        check_attached(frame, number, self.ops)
        check_elsewhere(frame, number)
        product = product_of(frame, number) if node.right is not None else None
        check_product(frame, number, product)
        if product is not None:
            self.products[number] = product
        sets = self._sets.setdefault((self.owner.get(number, -1 - number), row.round), {})
        replicas = seats(frame, number, sets, [op.replicas for op in self.ops])
        self._check_together(number, replicas)
        unit = None if kind is None or tiling is not None else kind.site.unit_of(node.type)
        op = PlannedOp(node, replicas, tiling, IN_BUFFERS if node.type == STORE else unit, row.attached)
        op.slices, op.round, op.site, op.why = row.slices, row.round, row.site, row.why
        op.rows_at_once = row.rows_at_once
        shared = any(number in each and len(each) > 1 for each in frame.users.values())
        op.side_by_side = not shared and works_apart(node, row.site, frame.kinds)
        op.elsewhere = {(each.input, each.slice): tuple(each.tiles) for each in row.elsewhere}
        if kind is not None and kind.whole:
            op.whole = True
            op.how = kind.how(node, frame.weight_bits[number], frame.input_bits)
        owner = self.owner.get(number, number)
        op.shares = frame.nodes[owner].name if owner != number else None
        parts = parts_of(frame, number, len(replicas))
        deal = deal_of(frame, number, parts[0])
        if deal is not None:
            self.deals[number] = deal
        if row.attached and row.slices == 1:
            source = node.edges[0].source
            parts = self.parts[source]
            if source in self.deals:
                self.deals[number] = self.deals[source]
        if number in self.deals:
            op.dealt = self.deals[number].parts
        self.ops.append(op)
        self.parts.append(parts)

    def _check_together(self, number: int, replicas: list[Replica]) -> None:
        """See that the ops that attention keeps together have their slices in the same tiles."""
        group = self.frame.group_of(number)
        first = group.members[0] if group is not None else number
        if first < number and [each.home for each in replicas] != [
            each.home for each in self.ops[first].replicas
        ]:
            raise MappingError(
                f"found its slices of heads in other tiles than those of '{self.ops[first].node.name}'",
                where=where_of(self.frame.rows[number]),
            )

    def _product_fs(self, number: int, program: int) -> tuple[int, int] | None:
        return self.products[number].fs[program] if number in self.products else None

    def _check_memory(self, plans: list[Plan]) -> None:
        """Refuse more weights that take turns, and tokens between rounds, than the memory holds."""
        memory = self.chip.config.memory
        if plans[0].rounds == 1 or memory is None:
            return
        there = int(memory.capacity_gib * 2**30)
        for plan in plans:
            for chip, size in bytes_in_memory(plan).items():
                if size > there:
                    raise MappingError(
                        f"would hold {size} bytes of weights and of tokens between rounds, it has {there}",
                        where=f"the memory of chip {chip}",
                    )
