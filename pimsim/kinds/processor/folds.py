"""Products on systolic arrays: folds, side by side on the arrays of a site, wave after wave."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from pimsim.errors import MappingError
from pimsim.kinds.processor.kernel import MOST_PIECES, Piece, Total, dealt, operand_bits, share_of, widths_of
from pimsim.kinds.processor.product import product_of, unmasked
from pimsim.kinds.processor.site import Processor
from pimsim.kinds.processor.systolic import Systolic
from pimsim.mapping.flow.dataflow import Node


def folds(site: Processor, unit: Systolic, node: Node, weight_bits: int, input_bits: int) -> Iterator[Piece]:
    """Cut a product into folds of systolic arrays: what stays is read once, what passes once if the buffer keeps it."""
    op = node.op
    assert op is not None
    product = product_of(op)
    if unit.skips_masked and node.seen < 1:
        product = unmasked(product, node)
    share = share_of(node)
    product = product._replace(m=max(1, round(product.m * share)))
    outputs = math.ceil(op.output.elements * share)
    left, right, *others = operand_bits(node, weight_bits, input_bits, share)
    widths = widths_of(node, weight_bits, input_bits)
    stays = {"output-stationary": 0, "weight-stationary": widths[1], "input-stationary": widths[0]}
    block = unit.count * unit.lanes * stays[unit.dataflow]
    if block > 8 * site.buffer.capacity_bytes:
        raise MappingError(
            f"its buffer of {site.buffer.capacity_kib:g} KiB does not hold what stays in the arrays of "
            f"'{site.name}', {block / 8192:g} KiB",
            where=f"op '{op.name}' ({op.type})",
            mend=f"give a larger --set {site.name}.buffer.capacity_kib or fewer arrays",
        )
    passing, stationary = (left, right) if unit.dataflow == "weight-stationary" else (right, left)
    kept = passing <= 8 * site.buffer.capacity_bytes // 2
    loaded = stationary + (1 if kept else unit.passes(product)) * passing + sum(others)
    fed = unit.fed(product, *widths)
    sums = outputs * site.place.precision.accumulator_bits
    total = Total(loaded, fed, sums, outputs * node.bits, float(product.macs))
    cost = unit.cost_of(op.type)
    assert cost is not None
    cycles = math.ceil(unit.fold_cycles(product) * cost)
    waves = -(-unit.folds(product) // unit.count)
    together = -(-waves // MOST_PIECES)
    alike = (waves - 1) // together
    each = Fraction(together * unit.count, unit.folds(product))
    yield from dealt(total, alike, each, together * cycles, (waves - alike * together) * cycles)
