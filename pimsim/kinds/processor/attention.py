"""Attention in tiles: one kernel that keeps scores on the chip, as FlashAttention does.

T. Dao et al., "FlashAttention: fast and memory-efficient exact attention with IO-awareness", NeurIPS 2022: a block of
queries stays while keys and values pass, tile by tile, so that no score goes to the memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from pimsim.chip.base import Energy, cost
from pimsim.chip.parts.clock import period_fs
from pimsim.errors import MappingError
from pimsim.kinds.processor.kernel import MOST_PIECES, Kernel, Total, dealt
from pimsim.kinds.processor.product import Product
from pimsim.kinds.processor.site import Processor
from pimsim.kinds.processor.systolic import Systolic
from pimsim.kinds.processor.tensor import TensorUnit
from pimsim.kinds.processor.tiles import CLOSE, SPLITS, added_up, cut
from pimsim.mapping.flow.attention import Attention
from pimsim.trace.op import Op

SIDES = (1, 2)
"""Queries and keys of a tile that are tried, in rows of the unit's smallest one: FlashAttention-2's have 64 or 128."""


def has_tiles(site: Processor) -> bool:
    """Whether a site can do attention in tiles: on systolic arrays or tensor units, with a unit for the softmax."""
    name = site.unit_of("MatMul")
    unit = None if name is None else site.digital[name]
    return isinstance(unit, Systolic | TensorUnit) and site.unit_of("Softmax") is not None


def attend(
    site: Processor, op: Op | None, attention: Attention, bits: int, *, alone: bool = False
) -> list[Kernel]:
    """Return the kernels of all of attention: one, and one that adds parts up where keys are dealt out over cores.

    Parameters
    ----------
    site : Processor
        Which; it `has_tiles`.
    op : Op
        The product by the values, whose kernel it is.
    attention : Attention
        Its sizes.
    bits : int
        Of an element.
    alone : bool
        Whether it grows with a cache: keys are then dealt out as the cores alone say, not the keys.

    Raises
    ------
    MappingError
        If no tile fits, or its elements are wider than the units'.
    """
    assert op is not None
    name = site.unit_of("MatMul")
    assert name is not None
    unit = site.digital[name]
    where = f"op '{op.name}' (attention)"
    if isinstance(unit, Systolic):
        return [_on_arrays(site, name, unit, attention, bits, where)]
    assert isinstance(unit, TensorUnit)
    if unit.type_for(bits) is None:
        raise unit.refused(name, site.name, bits, where)
    choices = [
        _kernels(site, name, unit, attention, bits, tile)
        for tile in _tiles(site, unit, attention, bits, alone)
    ]
    if not choices:
        least = unit.rows * (2 * attention.depth + attention.width) * bits / 8192
        raise MappingError(
            f"the scratchpad of '{name}' of {unit.scratchpad_kib:g} KiB does not hold the smallest tile, {least:g} KiB",
            where=where,
            mend=f"give a larger --set {site.name}.digital.{name}.scratchpad_kib, or {site.name}.attention=written",
        )
    times = [sum(kernel.predicted_fs(site) for kernel in kernels) for kernels in choices]
    return next(each for each, time in zip(choices, times, strict=True) if time <= CLOSE * min(times))


# -- tensor units --------------------------------------------------------------------------------------------------


class _Tile(NamedTuple):
    """Queries and keys of a tile, and parts that keys are dealt out in."""

    rows: int
    keys: int
    split: int


def _packed(attention: Attention, most: int) -> tuple[int, int]:
    """Return matrices of queries, and rows of each: of heads that share keys together, if a tile holds them."""
    together = attention.sharing * attention.rows
    if together <= most:
        return attention.products, together
    return attention.products * attention.sharing, attention.rows


def _tiles(
    site: Processor, unit: TensorUnit, attention: Attention, bits: int, alone: bool
) -> Iterator[_Tile]:
    """Yield the tiles whose queries, keys and values a scratchpad holds; large ones first, so that they win ties."""
    depth, width = attention.depth, attention.width
    for rows in (unit.rows * side for side in reversed(SIDES)):
        for keys in (unit.rows * side for side in reversed(SIDES)):
            held = (rows * depth + keys * (depth + width)) * bits
            if held > 8 * 1024 * unit.scratchpad_kib:
                continue
            matrices, each = _packed(attention, rows)
            items = matrices * -(-each // rows)
            splits = SPLITS if site.unit_of("Accumulate") is not None else SPLITS[:1]
            if alone:  # as many, whatever the cache holds
                splits = (max(split for split in splits if split == 1 or items * split <= unit.count),)
            yield from (
                _Tile(rows, keys, split)
                for split in splits
                if split == 1 or alone or (items * split < 2 * unit.count and split * keys <= attention.keys)
            )


def _work(attention: Attention, tile: _Tile, cores: int) -> tuple[int, int]:
    """Return the tiles of a row of scores that the cores do one after another, and all tiles of keys of all rows."""
    matrices, each = _packed(attention, tile.rows)
    blocks = -(-each // tile.rows)
    whole = -(-attention.keys // tile.keys)
    if not attention.causal or each != attention.rows:
        items = matrices * blocks * tile.split
        return -(-items // cores) * -(-whole // tile.split), matrices * blocks * whole
    before = attention.keys - attention.rows
    rows = [min(attention.rows, (n + 1) * tile.rows) for n in range(blocks)]
    total = matrices * sum(-(-(before + last) // tile.keys) for last in rows)
    # The longest begin first, so that cores end at about the same time.
    return max(-(-total // cores), -(-whole // tile.split)), total


def _cycles(site: Processor, unit: TensorUnit, attention: Attention, bits: int, tile: _Tile) -> float:
    """Return the cycles of a core for a tile: both products, then its softmax, unless these go side by side."""
    name, each = site.unit_of("Softmax"), unit.cost_of("MatMul")
    assert name is not None
    assert each is not None
    vector = site.digital[name]
    by_score = vector.cost_of("Softmax")
    assert by_score is not None
    scores, features = tile.rows * tile.keys, attention.depth + attention.width
    products = scores * features * each / (unit.lanes * unit.achievable * unit.speed(bits))
    ratio = period_fs(site.clocks, vector.clock) / period_fs(site.clocks, unit.clock)
    softmax = scores * by_score * ratio * unit.count / (vector.lanes * vector.count)
    worked = max(products, softmax) if unit.asynchronous else products + softmax
    return max(worked, tile.keys * features * bits / unit.feed_bits)


def _fill_cycles(site: Processor, unit: TensorUnit, attention: Attention, bits: int, tile: _Tile) -> float:
    """Return the cycles before a core begins with a block: its queries and first keys come from the memory."""
    clocks = site.clocks
    away = site.memory.latency_cycles * period_fs(clocks, site.memory.clock)
    away += site.buffer.latency_cycles * period_fs(clocks, site.buffer.clock)
    first = (tile.rows + tile.keys) * attention.depth * bits
    return away / period_fs(clocks, unit.clock) + first / unit.feed_bits


def _kernels(
    site: Processor, name: str, unit: TensorUnit, attention: Attention, bits: int, tile: _Tile
) -> list[Kernel]:
    """Return the kernels of attention with one tile."""
    matrices, rows = _packed(attention, tile.rows)
    blocks = matrices * -(-rows // tile.rows)
    in_turn, tiles = _work(attention, tile, unit.count)
    each = _cycles(site, unit, attention, bits, tile)
    fill = -(-blocks * tile.split // unit.count) * _fill_cycles(site, unit, attention, bits, tile)
    queries, both, results = attention.elements()
    again = 1
    if 2 * both * bits * _active(attention, blocks, unit.count) > 8 * site.buffer.capacity_bytes:
        again = -(-blocks // (attention.products * unit.count))
    loaded = math.ceil((queries + again * both + attention.masks * attention.rows * attention.keys) * bits)
    fed = blocks * tile.split * min(rows, tile.rows) * attention.depth * bits
    fed += tiles * tile.keys * (attention.depth + attention.width) * bits
    partial = math.ceil(attention.queries * (attention.width + 2) * tile.split) * _sum_bits(site)
    stays = 2 * partial <= 8 * site.buffer.capacity_bytes
    stored = math.ceil(results * bits)
    kept = stored if tile.split == 1 else 0 if stays else partial
    total = Total(loaded, fed, kept if tile.split == 1 else partial, kept, attention.macs)
    cores = min(blocks * tile.split, unit.count)
    pieces = tuple(cut(site, unit, total, cores, max(1, math.ceil(in_turn * each + fill)), in_turn))
    how = f"scores stay on the chip: tiles of {tile.rows} queries x {tile.keys} keys on {unit.count} cores"
    how += f", keys in {tile.split} parts" if tile.split > 1 else ""
    spent, kind = _spent(site, attention, sum(piece.times for piece in pieces)), unit.type_for(bits) or ""
    how += f", {kind}" if kind else ""
    kernels = [Kernel(name, pieces, how, streams=True, spent=spent, type=kind)]
    if tile.split > 1:
        parts = float(attention.queries * (attention.width + 2) * tile.split)
        kernels.append(added_up(site, parts, partial, 0 if stays else partial, stored))
    return kernels


def _active(attention: Attention, blocks: int, cores: int) -> float:
    """Return the share of all keys and values that the cores work on at once."""
    each = blocks / attention.products
    return min(1.0, math.ceil(cores / each) / attention.products)


def _sum_bits(site: Processor) -> int:
    return site.place.precision.accumulator_bits


def _spent(site: Processor, attention: Attention, pieces: int) -> Energy:
    """Return what the softmax of a piece costs in its unit."""
    name = site.unit_of("Softmax")
    assert name is not None
    unit = site.digital[name]
    work = attention.scores * (unit.cost_of("Softmax") or 0.0) / pieces
    return cost(site.label(f"digital.{name}"), work, unit.action_pj)


# -- systolic arrays -----------------------------------------------------------------------------------------------


def _on_arrays(
    site: Processor, name: str, unit: Systolic, attention: Attention, bits: int, where: str
) -> Kernel:
    """Return the kernel on systolic arrays: as many queries stay as half of the buffer holds, with results and scores.

    Arrays work on one block's products while the vector unit works on the scores of the one before.
    """
    depth, width, sums = attention.depth, attention.width, _sum_bits(site)
    row = depth * bits + width * sums + unit.columns * (sums + bits)
    rows = 4 * site.buffer.capacity_bytes // row
    if rows < 1:
        raise MappingError(
            f"half of the buffer of '{site.name}' does not hold a row of attention, {row / 8192:.3g} KiB",
            where=where,
            mend=f"give a larger --set {site.name}.buffer.capacity_kib, or {site.name}.attention=written",
        )
    heads = attention.products * attention.sharing
    rows = min(rows, attention.rows)
    blocks = -(-attention.rows // rows)
    queries, both, results = attention.elements()
    kept = 2 * both * bits / attention.products <= 8 * site.buffer.capacity_bytes
    loaded = queries * bits + attention.masks * attention.rows * attention.keys * bits
    loaded += both * bits * (1 if kept else blocks * attention.sharing)
    keys = attention.scores / (heads * attention.rows)
    cycles, fed = _of_block(site, unit, attention, rows, math.ceil(keys), bits)
    stored = math.ceil(results * bits)
    out = math.ceil(attention.queries * width * sums)
    total = Total(math.ceil(loaded), heads * blocks * fed, out, stored, attention.macs)
    count = heads * blocks
    together = -(-count // MOST_PIECES)
    alike = (count - 1) // together
    pieces = tuple(
        dealt(total, alike, Fraction(together, count), together * cycles, (count - alike * together) * cycles)
    )
    how = f"scores stay on the chip: {rows} queries at once, keys and values pass"
    return Kernel(name, pieces, how, streams=True, spent=_spent(site, attention, alike + 1))


def _of_block(
    site: Processor, unit: Systolic, attention: Attention, rows: int, keys: int, bits: int
) -> tuple[int, int]:
    """Return the cycles of a block of queries against so many keys, and the bits that go into the arrays for it."""
    name = site.unit_of("Softmax")
    assert name is not None
    vector = site.digital[name]
    products = Product(1, rows, keys, attention.depth), Product(1, rows, attention.width, keys)
    each = unit.cost_of("MatMul")
    assert each is not None
    worked = sum(-(-unit.folds(one) // unit.count) * unit.fold_cycles(one) for one in products) * each
    visit = vector.work("Softmax", rows * keys / vector.count, 1, site.clocks)
    softmax = visit.held / period_fs(site.clocks, unit.clock)
    fed = sum(unit.fed(one, bits, bits) for one in products)
    return math.ceil(max(worked, softmax)), fed
