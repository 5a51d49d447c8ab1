"""Positions dealt out to tiles so that each buffer holds a part of a map: what one tile cannot hold, several can.

An op that works position by position holds, at each tile, only what its positions there read. Dealt out one by one,
as copies of layers are, neighbours lie in different tiles. Where positions look at their neighbourhood they are dealt
out by columns instead, each tile a stripe, so that the rows that wait are spread evenly at any time; or by squares,
where a whole map waits. Where a window is dilated, positions a step apart read the same pixels, and their neighbours
others: each tile then takes every so many rows and columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pimsim.mapping.flow.dataflow import Edge, Node
from pimsim.mapping.flow.layout import Table
from pimsim.mapping.flow.windows import Window
from pimsim.mapping.planning.shared import most_within

Parts = tuple[Table, ...]
"""The positions of each copy, in order."""


@dataclass(frozen=True, slots=True)
class Deal:
    """How the positions of an op are dealt out.

    Parameters
    ----------
    parts : tuple of int64 arrays
        The positions of each copy, in order.
    places : tuple of int
        Tokens of each input that a copy has to have room for.
    """

    parts: Parts
    places: tuple[int, ...]


def deal(
    node: Node,
    tokens: Sequence[int],
    least: Sequence[int],
    sizes: Sequence[int],
    capacity: float,
    most: int,
    tried: int = 0,
) -> Deal | None:
    """Return the fewest copies of an op whose inputs fit a buffer each; None if no number up to the most does.

    Parameters
    ----------
    node : Node
        What works position by position: it puts out a token at each.
    tokens : sequence of int
        Of the source of each input.
    least : sequence of int
        Tokens of each input that all copies together must have room for.
    sizes : sequence of int
        Bytes of one.
    capacity : float
        Bytes that a copy may take.
    most : int
        Copies.
    tried : int
        The most that was asked for before, in vain: what is up to that need not be looked at again.
    """

    def places(parts: Sequence[Table]) -> tuple[int, ...]:
        rows = zip(node.edges, tokens, least, strict=True)
        return tuple(max(_places(*row, part) for part in parts) for row in rows)

    def fits(found: tuple[int, ...]) -> bool:
        return sum(count * size for count, size in zip(found, sizes, strict=True)) <= capacity

    if not fits(_least_of(node, least)):
        return None
    held = sum(count * size for count, size in zip(least, sizes, strict=True))
    for count in _counts(node, max(2, int(held // capacity)), min(most, node.positions)):
        for parts in _ways(node, count) if count > tried else ():
            # Most copies hold about as much: a few tell whether it is worth looking at all.
            if all(fits(places([parts[n]])) for n in sorted({0, 1, count // 2, count - 1})):
                found = places(parts)
                if fits(found):
                    return Deal(parts, found)
    return None


def _least_of(node: Node, least: Sequence[int]) -> tuple[int, ...]:
    """Return the tokens of each input that a copy with one position would hold: none holds less.

    Where tokens are not pixels one to one that is not counted.
    """
    return tuple(
        min(few, edge.window.most()) if edge.window is not None and edge.order is None else 1
        for edge, few in zip(node.edges, least, strict=True)
    )


def _counts(node: Node, fewest: int, most: int) -> Iterator[int]:
    """Yield numbers of copies that are worth looking at, from the fewest to the most."""
    windows = [edge.window for edge in node.edges if edge.window is not None]
    dilated = sorted({math.prod(each) for window in windows for each in _cycles(window)})
    count = min(most, fewest)
    while count >= 2:
        yield count
        if count == most:
            break
        after = min(most, count + max(1, count // 4))
        count = next((each for each in dilated if count < each < after), after)


def _cycles(window: Window) -> set[tuple[int, int]]:
    """Return after how many rows and columns positions read the same pixels of a dilated input again."""
    down, across = window.steps
    return {(down, across), (1, across), (down, 1)} - {(1, 1)}


def _ways(node: Node, count: int) -> Iterator[Parts]:
    """Yield ways to deal positions out to so many copies."""
    yield tuple(np.arange(n, node.positions, count, dtype=np.int64) for n in range(count))
    for edge in node.edges:
        if edge.window is not None and edge.window.width >= count:
            # What reads nothing of this input may stand behind its last column.
            left = np.minimum(edge.window.left, edge.window.width - 1)
            stripe = left * count // edge.window.width
            parts = tuple(np.flatnonzero(stripe == n) for n in range(count))
            if all(len(part) for part in parts):
                yield parts
        if edge.window is not None:
            yield from _by_squares(edge.window, count)
            yield from _by_steps(edge.window, count)


def _by_squares(window: Window, count: int) -> Iterator[Parts]:
    """Yield squares of positions, of which as few as can be look beyond their edges: for maps that wait as a whole."""
    high, wide = int(window.bottom.max()) + 1, window.width
    down = next((n for n in range(math.isqrt(count), 1, -1) if count % n == 0), 1)
    if 1 < down <= high and count // down <= wide:
        left = np.minimum(window.left, wide - 1)
        square = window.top * down // high * (count // down) + left * (count // down) // wide
        parts = tuple(np.flatnonzero(square == n) for n in range(count))
        if all(len(part) for part in parts):
            yield parts


def _by_steps(window: Window, count: int) -> Iterator[Parts]:
    """Yield every so many rows and columns of positions, as far apart as what a dilated window reads."""
    for down, across in sorted(_cycles(window)):
        if down * across == count:
            turn = window.top % down * across + window.left % across
            parts = tuple(np.flatnonzero(turn == n) for n in range(count))
            if all(len(part) for part in parts):
                yield parts


def _places(edge: Edge, tokens: int, least: int, part: Table) -> int:
    """Return the places that some positions need: as many tokens in a row as wait at once, those that they read."""
    wanted = edge.wanted(part, tokens, dealt=True)
    return max(1, most_within(wanted, least))
