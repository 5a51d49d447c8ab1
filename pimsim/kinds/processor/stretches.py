"""Ops of vector units: cut into equal stretches, so that loading, working and storing overlap."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from pimsim.chip.parts import DigitalUnit
from pimsim.kinds.processor.kernel import MOST_PIECES, Piece, Total, dealt, operand_bits, share_of
from pimsim.kinds.processor.site import Processor
from pimsim.mapping.flow.dataflow import Node

PIECE_BITS = 8 * 256 * 1024
"""A kernel is cut into `FEWEST_PIECES`, unless they would be smaller than this."""
FEWEST_PIECES = 8


def stretches(
    site: Processor, unit: DigitalUnit, node: Node, weight_bits: int, input_bits: int
) -> Iterator[Piece]:
    """Cut an op of a vector unit into equal stretches, so that loading, working and storing overlap."""
    op = node.op
    assert op is not None
    seen = node.seen if unit.skips_masked else 1.0
    share = share_of(node)
    loaded = math.ceil(sum(operand_bits(node, weight_bits, input_bits, share)) * seen)
    stored = math.ceil(sum(each.elements for each in op.outputs) * node.bits * seen * share)
    size = loaded + stored
    held = 8 * site.buffer.capacity_bytes // (2 * site.in_flight)
    pieces = max(-(-size // max(1, held)), min(FEWEST_PIECES, -(-size // PIECE_BITS)), 1)
    pieces = min(pieces, MOST_PIECES)
    elements = node.work * node.positions * seen
    rows = 1 if node.right is None else node.right.rows
    each = unit.work(node.type, elements / pieces / unit.count, rows, site.clocks)
    cycles = each.held // site.clocks[unit.clock].period_fs
    total = Total(loaded, loaded, stored, stored, elements)
    yield from dealt(total, pieces - 1, Fraction(1, pieces), cycles, cycles)
