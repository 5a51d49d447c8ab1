"""Which sites the blocks of a copy go to where slots take turns at one unit, and where the sums of a copy meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pimsim.mapping.planning.package import Package
from pimsim.mapping.planning.tiling import Block, distinct_outputs

Ranks = npt.NDArray[np.int64]
READERS = 2
"""Tiles that a result is taken to go to, where it matters on which of two chips it is made."""


def spread(
    blocks: Sequence[Block],
    near: Ranks,
    free: Mapping[int, int],
    loads: Mapping[str, npt.NDArray[np.float64]],
    share: Callable[[Sequence[Block]], Mapping[str, float]],
) -> Iterator[tuple[int, int]]:
    """Yield a site and how many of the blocks, from the first on, it may take; the best first.

    That is the nearest that has time for one block or more, of which it takes as many as it has time for; where none
    has, the one that then has the least to do, with one.

    Parameters
    ----------
    blocks : sequence of Block
        That have no slot yet.
    near : int array
        Ranks of the sites, the nearest first.
    free : mapping of int to int
        By rank, slots.
    loads : mapping of str to float array
        By what the slots of a site share, and rank: the share of time that it is at work.
    share : function
        What some blocks add to that, were they in one site.
    """
    there = near[[free[rank] > 0 for rank in near.tolist()]]
    each = {part: loads[part][there] + more for part, more in share(blocks[:1]).items()}
    busy = np.max(list(each.values()), axis=0) if each else np.zeros(len(there))
    for rank in there[busy <= 1.0].tolist():
        count = 1
        while count < min(len(blocks), free[rank]):
            more = share(blocks[: count + 1])
            if any(loads[part][rank] + share_of > 1.0 for part, share_of in more.items()):
                break
            count += 1
        yield rank, count
    late = busy > 1.0
    for rank in there[late][np.argsort(busy[late], kind="stable")].tolist():
        yield rank, 1


def home_of(held: Mapping[int, Sequence[Block]], rank: Mapping[int, int], package: Package, bits: int) -> int:
    """Return the tile where the sums of a copy come together: the fullest on the chip that least must cross to.

    Over the links between chips go the sums of tiles on other chips; and the result, if that chip is not the last:
    whoever reads it is there or beyond, `READERS` tiles of them.

    Parameters
    ----------
    held : mapping of int to sequence of Block
        The blocks in each tile.
    rank : mapping of int to int
        Of each tile; of tiles that are as full, the first.
    package : Package
        The chips.
    bits : int
        Of an element of the result.
    """
    per_chip, wide = package.config.tiles, package.config.precision.accumulator_bits
    sums = {tile: wide * distinct_outputs(blocks) for tile, blocks in held.items()}
    chips = sorted({tile // per_chip for tile in held})
    result = distinct_outputs(block for blocks in held.values() for block in blocks) * READERS * bits

    def crossing(chip: int) -> int:
        others = sum(n for tile, n in sums.items() if tile // per_chip != chip)
        return others + (result if chip != chips[-1] else 0)

    chip = min(chips, key=crossing)
    here = [tile for tile in held if tile // per_chip == chip]
    return max(here, key=lambda tile: (len(held[tile]), -rank[tile]))
