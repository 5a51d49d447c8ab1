"""In which order a weight's blocks fill tiles: whole columns, or column after column of a band of rows at a time.

A tile that holds whole columns reads all inputs and hands on few sums; one that holds a band of rows reads little and
hands on sums of more outputs, which all come together in one tile. What crosses the network is least in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pimsim.chip import ChipConfig
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.rules import rule_of
from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.tiling import Block, Tiling, distinct_outputs

PAYS = 0.9
"""Bands are made where no more than so much is left of what crosses the network without them."""

TOGETHER, WINDOWED = 1 / 2, 1 / 4
"""Of the time that a layer has for a firing: what may come to the tile where its sums come together; with a window, so
that maps of the layers before and behind it go through the same links, the second. Tried on shipped nets."""

MOST = 256
"""Bands that are tried: 1, 2, 3, 4, 6, 8 and so on up to so many."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """What the order of a weight's blocks depends on; layers that are alike in it have the same.

    Parameters
    ----------
    rows, depth, blocks, per_tile : int
        Of the matrix, of its channels, and slots in all and of a tile.
    taken_fs : float
        Time that the inputs of a firing take on one link, fs.
    output_fs, adding_fs : float
        Time of one sum on a link, and in the adder where all come together, fs.
    most_fs : float
        Time that what comes there for a firing may take, fs.
    """

    rows: int
    depth: int
    blocks: int
    per_tile: int
    taken_fs: float
    output_fs: float
    adding_fs: float
    most_fs: float


def banded(
    nodes: Sequence[Node],
    tilings: Sequence[Tiling | None],
    sites: Sequence[str | None],
    kinds: Mapping[str, Kind],
    config: ChipConfig,
) -> list[Tiling | None]:
    """Put the blocks of each weight that fills several tiles in the order in which least crosses the network."""
    pace = _pace_fs(nodes, tilings, sites, kinds)
    bit_fs = config.clocks[config.network.clock].period_fs / config.network.link_width_bits
    bands: dict[_Layer, int] = {}
    found: list[Tiling | None] = []
    for node, tiling, site in zip(nodes, tilings, sites, strict=True):
        if tiling is None or site is None or not _may_have(tiling, kinds[site]):
            found.append(tiling)
            continue
        given = [edge.features * nodes[edge.source].tokens / node.positions for edge in node.edges]
        taken = sum(min(each, edge.reads) * edge.bits for each, edge in zip(given, node.edges, strict=True))
        layer = _Layer(
            tiling.rows,
            tiling.depth,
            tiling.arrays,
            kinds[site].slots,
            taken * bit_fs,
            config.precision.accumulator_bits * bit_fs,
            _adding_fs(kinds[site]),
            (WINDOWED if node.op is not None and rule_of(node.op.type).window else TOGETHER)
            * max(kinds[site].slot_fs(tiling, node.read_bits), pace[site] / node.positions),
        )
        if layer not in bands:
            bands[layer] = _bands(tiling, layer)
        found.append(replace(tiling, blocks=_ordered(tiling, bands[layer])))
    return found


def _may_have(tiling: Tiling, kind: Kind) -> bool:
    return tiling.groups == 1 and tiling.down > 1 and tiling.arrays > kind.slots


def _pace_fs(
    nodes: Sequence[Node],
    tilings: Sequence[Tiling | None],
    sites: Sequence[str | None],
    kinds: Mapping[str, Kind],
) -> dict[str, float]:
    """Return the time an inference takes on the sites of each name if all slots of the fewest chips work all along."""
    work: Counter[str] = Counter()
    slots: Counter[str] = Counter()
    for node, tiling, site in zip(nodes, tilings, sites, strict=True):
        if tiling is not None and site is not None:
            work[site] += node.positions * tiling.arrays * kinds[site].slot_fs(tiling, node.read_bits)
            slots[site] += tiling.arrays
    there = {site: kinds[site].slots * kinds[site].site.seats for site in slots}
    return {site: work[site] / (-(-slots[site] // there[site]) * there[site]) for site in slots}


def _adding_fs(kind: Kind) -> float:
    """Return the time that a site's unit takes to add one partial sum, fs; infinity if it cannot."""
    name, many = kind.site.unit_of("Accumulate"), 1000
    if name is None:
        return float("inf")
    return kind.site.digital[name].work("Accumulate", many, 1, kind.site.clocks).held / many


def _bands(tiling: Tiling, layer: _Layer) -> int:
    """Return how many bands let least cross the network; 1 unless more pay."""
    best, least, most_fs = 1, 0.0, layer.most_fs
    for count in _counts(min(MOST, tiling.down, -(-tiling.depth // tiling.row_height))):
        blocks = _ordered(tiling, count)
        parts = [blocks[n : n + layer.per_tile] for n in range(0, len(blocks), layer.per_tile)]
        outputs = sum(distinct_outputs(part) for part in parts)
        shares = [tiling.share(part) for part in parts]
        crossing = sum(shares) * layer.taken_fs + outputs * layer.output_fs
        together = max(max(shares) * layer.taken_fs + outputs * layer.output_fs, outputs * layer.adding_fs)
        if count == 1:
            least, most_fs = PAYS * crossing, max(most_fs, together)
        elif crossing < least and together <= most_fs:
            best, least = count, crossing
    return best


def _counts(most: int) -> list[int]:
    return sorted(
        {n for power in range(most.bit_length()) for n in (1 << power, 3 << power) if n <= most} | {1}
    )


def _ordered(tiling: Tiling, bands: int) -> tuple[Block, ...]:
    """Return the blocks band after band of channels, each column after column."""

    def band(block: Block) -> int:
        return block.row * tiling.row_height % tiling.depth * bands // tiling.depth

    return tuple(sorted(tiling.blocks, key=lambda block: (band(block), block.column, block.row)))
