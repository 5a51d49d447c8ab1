"""Products on tensor units: tiles of the output over the cores, sizes and cuts of K by predicted time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from pimsim.errors import MappingError
from pimsim.kinds.processor.kernel import (
    MOST_PIECES,
    Kernel,
    Piece,
    Total,
    dealt,
    operand_bits,
    share_of,
    widths_of,
)
from pimsim.kinds.processor.product import Product, product_of, unmasked
from pimsim.kinds.processor.site import Processor
from pimsim.kinds.processor.tensor import K_STEP, STAGES, TensorUnit
from pimsim.mapping.flow.dataflow import Node

SIDES = (4, 2, 1)
"""Rows and columns of a tile that are tried, in those of the smallest; at most `LARGEST` of these together. With 64
they are the eight tiles of CUTLASS's kernels for 16-bit tensor units (`GenerateSM80_TensorOp_16816`)."""
LARGEST = 8
SPLITS = (1, 2, 4, 8, 16, 32)
"""Parts that K is cut into, so that there are tiles for all cores; their sums are added by another kernel."""
FEWEST_PIECES = 8
"""A small kernel is cut into so many pieces, so that loading and working overlap."""
CLOSE = 1.05
"""Predictions that are no further apart are as good: a part that is nearly busy all the time makes others wait."""


class Tile(NamedTuple):
    """How a product is cut.

    Parameters
    ----------
    rows, columns : int
        Of the output, in a tile.
    split : int
        Parts of K.
    """

    rows: int
    columns: int
    split: int


class Task(NamedTuple):
    """A product, and what of it lies where.

    Parameters
    ----------
    product : Product
        Its sizes.
    widths : (int, int)
        Bits of an element of both matrices.
    operands : (int, int)
        Bits of both matrices in memory.
    others : int
        Bits of what is read beside them.
    outputs, output_bits : int
        Elements of the result, and bits of one.
    cost : float
        Of a multiply-accumulate, cycles a lane.
    sparse : bool
        Whether two of four elements of the right matrix in a row are zero, and left out.
    """

    product: Product
    widths: tuple[int, int]
    operands: tuple[int, int]
    others: int
    outputs: int
    output_bits: int
    cost: float
    sparse: bool


def tiles(
    site: Processor,
    name: str,
    unit: TensorUnit,
    node: Node,
    weight_bits: int,
    input_bits: int,
    *,
    alone: bool = False,
) -> list[Kernel]:
    """Return the kernels of a product: of the tiles that are predicted to be about as fast, what feeds the units least.

    With `alone` K is not cut, so that there is one.

    Raises
    ------
    MappingError
        If its elements are wider than the unit's, or no tile fits the scratchpad.
    """
    op = node.op
    assert op is not None
    product = product_of(op)
    if unit.skips_masked and node.seen < 1:
        product = unmasked(product, node)
    widths = widths_of(node, weight_bits, input_bits)
    if unit.type_for(max(widths)) is None:
        raise unit.refused(name, site.name, max(widths), f"op '{op.name}' ({op.type})")
    share = share_of(node)
    product = product._replace(m=max(1, round(product.m * share)))
    left, right, *others = operand_bits(node, weight_bits, input_bits, share)
    sparse = unit.sparse_weights and op.inputs[1].role == "weight"
    if sparse:
        right = _pruned(right, widths[1])
    cost = unit.cost_of(op.type)
    assert cost is not None
    outputs = math.ceil(op.output.elements * share)
    task = Task(product, widths, (left, right), sum(others), outputs, node.bits, cost, sparse)
    choices = [_kernels(site, name, unit, task, tile) for tile in _candidates(site, unit, task, alone)]
    if not choices:
        least = STAGES * K_STEP * unit.rows * sum(widths) / 8192
        raise MappingError(
            f"the scratchpad of '{name}' of {unit.scratchpad_kib:g} KiB does not hold the smallest tile, {least:g} KiB",
            where=f"op '{op.name}' ({op.type})",
            mend=f"give a larger --set {site.name}.digital.{name}.scratchpad_kib",
        )
    times = [sum(kernel.predicted_fs(site) for kernel in kernels) for kernels in choices]
    close = [each for each, time in zip(choices, times, strict=True) if time <= CLOSE * min(times)]
    return min(close, key=_fed)


def _pruned(bits: int, width: int) -> int:
    """Return the bits of a matrix of which half is left, with two bits of index for each element."""
    return math.ceil(bits / width * (width + 2) / 2)


def _fed(kernels: Sequence[Kernel]) -> int:
    """Return the bits that go into the units."""
    return sum(piece.times * piece.fed for kernel in kernels for piece in kernel.pieces)


def _candidates(site: Processor, unit: TensorUnit, task: Task, alone: bool) -> Iterator[Tile]:
    """Yield the tiles that fit a scratchpad; sums of parts of K need a unit that adds them."""
    left, right = task.widths
    splits = SPLITS[:1] if alone or site.unit_of("Accumulate") is None else SPLITS
    product = task.product
    sides = [unit.rows * side for side in SIDES]
    for rows in sides:
        for columns in sides:
            covered = (rows // 2 >= product.m, columns // 2 >= product.n)  # by a smaller one
            if any(more and side > unit.rows for more, side in zip(covered, (rows, columns), strict=True)):
                continue
            held = STAGES * K_STEP * (rows * left + columns * right)
            if rows * columns > LARGEST * unit.rows**2 or held > 8 * 1024 * unit.scratchpad_kib:
                continue
            yield from (
                Tile(rows, columns, split)
                for split in splits
                if split * K_STEP <= max(task.product.k, K_STEP)
            )


def _kernels(site: Processor, name: str, unit: TensorUnit, task: Task, tile: Tile) -> list[Kernel]:
    """Return the kernels of a product with one tile: the product, and what adds its parts, if it is cut along K."""
    product = task.product
    depth = -(-product.k // tile.split)
    grid = -(-product.m // tile.rows), -(-product.n // tile.columns)
    count = product.batch * grid[0] * grid[1] * tile.split
    rows, columns = min(tile.rows, product.m), min(tile.columns, product.n)
    left, right = rows * task.widths[0], columns * task.widths[1]
    if task.sparse:
        right = _pruned(right, task.widths[1])
    fed = math.ceil(depth * (left + right - (1 - 1 / unit.cluster) * max(left, right)))
    kept, name_of_type = 0.5 if task.sparse else 1.0, unit.type_for(max(task.widths)) or ""
    rate = unit.lanes * unit.achievable * unit.speed(max(task.widths))
    worked = tile.rows * tile.columns * depth * task.cost * kept / rate
    cycles = math.ceil(max(worked, fed / unit.feed_bits))
    partial = task.outputs * tile.split * site.place.precision.accumulator_bits
    stays = 2 * partial <= 8 * site.buffer.capacity_bytes
    stored = task.outputs * task.output_bits if tile.split == 1 else 0 if stays else partial
    loaded = _loaded(site, unit, task, grid) + task.others
    sums = stored if tile.split == 1 else partial
    total = Total(loaded, count * fed, sums, stored, product.macs * kept)
    how = f"tiles of {tile.rows} x {tile.columns} on {unit.count} cores, {count / unit.count:.3g} waves"
    how += f", K in {tile.split} parts" if tile.split > 1 else ""
    waves = -(-count // unit.count)
    pieces = cut(site, unit, total, min(count, unit.count), waves * cycles, waves * -(-depth // K_STEP))
    how += f", {name_of_type}" if name_of_type else ""
    how += ", 2:4 sparse" if task.sparse else ""
    kernels = [Kernel(name, tuple(pieces), how, streams=True, type=name_of_type)]
    if tile.split > 1:
        parts, out = float(task.outputs * tile.split), task.outputs * task.output_bits
        kernels.append(added_up(site, parts, partial, 0 if stays else partial, out))
    return kernels


def _loaded(site: Processor, unit: TensorUnit, task: Task, grid: tuple[int, int]) -> int:
    """Return the bits that come from the memory: a matrix once if half of the buffer keeps it, else once a strip.

    The tiles of a wave form a rectangle; of those that there can be, the one that reads the least.
    """
    kept = [2 * each <= 8 * site.buffer.capacity_bytes for each in task.operands]
    left, right = task.operands
    if all(kept):
        return left + right
    least = None
    for high in (1 << n for n in range(unit.count.bit_length())):
        wide = max(1, unit.count // high)
        again = 1 if kept[0] else -(-grid[1] // wide), 1 if kept[1] else -(-grid[0] // high)
        read = left * again[0] + right * again[1]
        least = read if least is None else min(least, read)
    assert least is not None
    return least


def cut(
    site: Processor, unit: TensorUnit, total: Total, cores: int, cycles: int, steps: int
) -> Iterator[Piece]:
    """Cut a kernel into equal pieces: `in_flight` of them fill the scratchpads of the cores at work."""
    held = 8 * 1024 * unit.scratchpad_kib * cores / site.in_flight
    pieces = max(math.ceil(total.fed / held), min(FEWEST_PIECES, steps))
    pieces = max(1, min(pieces, MOST_PIECES, cycles))
    each = -(-cycles // pieces)
    yield from dealt(total, pieces - 1, Fraction(1, pieces), each, max(1, cycles - (pieces - 1) * each))


def added_up(site: Processor, elements: float, partial: int, loaded: int, stored: int) -> Kernel:
    """Return the kernel that adds parts of sums up, from the buffer if they are still there.

    Parameters
    ----------
    site : Processor
        With a unit that has ``Accumulate``.
    elements : float
        Of all parts.
    partial, loaded, stored : int
        Bits of these, those that come from the memory, and those of the result.
    """
    name = site.unit_of("Accumulate")
    assert name is not None
    unit = site.digital[name]
    visit = unit.work("Accumulate", elements / unit.count, 1, site.clocks)
    cycles = visit.held // site.clocks[unit.clock].period_fs
    return Kernel(name, (Piece(1, cycles, loaded, partial, stored, stored, elements),), "parts added")
