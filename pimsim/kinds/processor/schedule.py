"""A kernel as its machine does it: pieces one after another, each loaded, worked on and stored; all units in step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from pimsim.chip.parts import DigitalUnit
from pimsim.errors import MappingError
from pimsim.kinds.processor.product import Product, product_of
from pimsim.kinds.processor.site import Processor
from pimsim.kinds.processor.systolic import Systolic
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.rules import rule_of
from pimsim.trace.op import Op
from pimsim.trace.optypes import class_of

MOST_PIECES = 512
"""Pieces of a kernel that are simulated one by one: more folds than that are grouped."""
PIECE_BITS = 8 * 256 * 1024
"""A kernel of a vector unit is cut into `FEWEST_PIECES`, unless they would be smaller than this."""
FEWEST_PIECES = 8


class Piece(NamedTuple):
    """What is done so many times, one after another.

    Parameters
    ----------
    times : int
        How often.
    cycles : int
        Of the unit, each time.
    loaded, fed, sums, stored : int
        Bits from the memory, from the buffer to the units, from the units, and back to the memory, each time.
    elements : float
        That all units work on, each time.
    """

    times: int
    cycles: int
    loaded: int
    fed: int
    sums: int
    stored: int
    elements: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """A kernel.

    Parameters
    ----------
    unit : str
        The unit that works.
    pieces : tuple of Piece
        First those that are alike, if any, and then the last one, which may be smaller.
    """

    unit: str
    pieces: tuple[Piece, ...]

    @property
    def last(self) -> Piece:
        """The last piece; it is done once."""
        return self.pieces[-1]

    def predicted_fs(self, site: Processor) -> int:
        """Return the time of the kernel if the busiest of its parts never waited, and its start, fs."""
        unit, clocks = site.digital[self.unit], site.clocks
        work = moved = fed = 0
        for piece in self.pieces:
            work += piece.times * piece.cycles * clocks[unit.clock].period_fs
            moved += piece.times * (
                site.memory.read(piece.loaded, clocks).held + site.memory.write(piece.stored, clocks).held
            )
            fed += piece.times * site.bus.transfer(piece.fed + piece.sums, clocks).held
        return site.launcher.launch(clocks).held + max(work, moved, fed)


def schedule(site: Processor, node: Node, weight_bits: int, input_bits: int) -> Schedule:
    """Return how a processor does an op.

    Parameters
    ----------
    site : Processor
        Which.
    node : Node
        The op.
    weight_bits, input_bits : int
        Of an element.

    Raises
    ------
    MappingError
        If its buffer does not hold what one piece needs.
    """
    name = site.unit_of(node.type)
    assert name is not None
    assert node.op is not None
    unit = site.digital[name]
    if rule_of(node.type).multiplies and isinstance(unit, Systolic):
        pieces = _folds(site, unit, node, weight_bits, input_bits)
    else:
        pieces = _stretches(site, unit, node, weight_bits, input_bits)
    return Schedule(name, tuple(pieces))


def operand_bits(op: Op, weight_bits: int, input_bits: int) -> list[int]:
    """Return the bits of each operand that lie in memory; what only moves data reads no more than it puts out."""
    most = op.output.elements if class_of(op.type) == "movement" else None
    found = []
    for operand in op.inputs:
        elements = operand.tensor.elements
        width = weight_bits if operand.role == "weight" else input_bits
        found.append(width * (elements if most is None else min(elements, most)))
    return found


def _folds(site: Processor, unit: Systolic, node: Node, weight_bits: int, input_bits: int) -> Iterator[Piece]:
    """Cut a product into folds of systolic arrays: what stays is read once, what passes once if the buffer keeps it."""
    op = node.op
    assert op is not None
    product = product_of(op)
    if unit.skips_masked and node.seen < 1:
        product = _unmasked(product, node)
    left, right, *others = operand_bits(op, weight_bits, input_bits)
    widths = [weight_bits if each.role == "weight" else input_bits for each in op.inputs[:2]]
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
    fed = _fed(unit, product, *widths)
    sums = op.output.elements * site.place.precision.accumulator_bits
    total = _Total(loaded, fed, sums, op.output.elements * input_bits, float(product.macs))
    cost = unit.cost_of(op.type)
    assert cost is not None
    cycles = math.ceil(unit.fold_cycles(product) * cost)
    waves = -(-unit.folds(product) // unit.count)
    together = -(-waves // MOST_PIECES)
    alike = (waves - 1) // together
    share = Fraction(together * unit.count, unit.folds(product))
    yield from _dealt(total, alike, share, together * cycles, (waves - alike * together) * cycles)


def _unmasked(product: Product, node: Node) -> Product:
    """Return a product of what a causal mask leaves, as if each row had the mean of all rows: of keys, or of scores."""
    if node.edges[0].seen < 1:
        return product._replace(k=math.ceil(product.k * node.seen))
    return product._replace(n=math.ceil(product.n * node.seen))


def _fed(unit: Systolic, product: Product, left_bits: int, right_bits: int) -> int:
    """Return the bits that go from the buffer into the arrays: what stays once, what passes once each pass."""
    batch, m, n, k = product
    passes = unit.passes(product)
    across = -(-n // unit.columns)
    return {
        "output-stationary": batch * (across * m * k * left_bits + passes * k * n * right_bits),
        "weight-stationary": batch * (k * n * right_bits + passes * m * k * left_bits),
        "input-stationary": batch * (m * k * left_bits + passes * k * n * right_bits),
    }[unit.dataflow]


class _Total(NamedTuple):
    """What a kernel moves and does in all: bits, and elements."""

    loaded: int
    fed: int
    sums: int
    stored: int
    elements: float


def _dealt(total: _Total, alike: int, share: Fraction, cycles: int, rest_cycles: int) -> Iterator[Piece]:
    """Deal a kernel out to so many pieces of a share each, and a last one with all that is left."""
    loaded, fed, sums, stored = (int(each * share) for each in total[:4])
    elements = total.elements * float(share)
    if alike:
        yield Piece(alike, cycles, loaded, fed, sums, stored, elements)
    yield Piece(
        1,
        rest_cycles,
        total.loaded - alike * loaded,
        total.fed - alike * fed,
        total.sums - alike * sums,
        total.stored - alike * stored,
        total.elements - alike * elements,
    )


def _stretches(
    site: Processor, unit: DigitalUnit, node: Node, weight_bits: int, input_bits: int
) -> Iterator[Piece]:
    """Cut an op of a vector unit into equal stretches, so that loading, working and storing overlap."""
    op = node.op
    assert op is not None
    seen = node.seen if unit.skips_masked else 1.0
    loaded = math.ceil(sum(operand_bits(op, weight_bits, input_bits)) * seen)
    stored = math.ceil(sum(each.elements for each in op.outputs) * input_bits * seen)
    size = loaded + stored
    held = 8 * site.buffer.capacity_bytes // (2 * site.in_flight)
    pieces = max(-(-size // max(1, held)), min(FEWEST_PIECES, -(-size // PIECE_BITS)), 1)
    pieces = min(pieces, MOST_PIECES)
    elements = node.work * node.positions * seen
    rows = 1 if node.right is None else node.right.rows
    each = unit.work(node.type, elements / pieces / unit.count, rows, site.clocks)
    cycles = each.held // site.clocks[unit.clock].period_fs
    total = _Total(loaded, loaded, stored, stored, elements)
    yield from _dealt(total, pieces - 1, Fraction(1, pieces), cycles, cycles)
