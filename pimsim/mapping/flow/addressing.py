"""Which token of its source each element of a tensor is in: what layout ops change, and nothing else.

A grid has the tensor's axes; along those on which all elements are in one token it has size 1. Reshape, Transpose,
Slice and Split only make another grid of one: consumers read the tokens where they are, in the order that they need.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pimsim.mapping.flow.layout import Axes, Layout, Shape, Table

Grid = npt.NDArray[np.int64]

MOST = 1 << 24
"""Elements that a grid is written out for."""


def in_order(layout: Layout, tokens: int) -> Grid:
    """Return the grid of a tensor whose tokens are its positions in order; the host's may be several positions each."""
    sizes = [size if axis in layout.axes else 1 for axis, size in enumerate(layout.shape)]
    each = max(1, layout.positions // tokens)
    return (np.arange(layout.positions, dtype=np.int64) // each).reshape(sizes)


def is_in_order(grid: Grid, tokens: int) -> bool:
    """Whether positions are all of the tokens, in order."""
    return grid.size == tokens and bool((grid.ravel() == np.arange(tokens)).all())


def reshaped(grid: Grid, before: Shape, after: Shape, axes: Axes | None) -> Grid | None:
    """Return the grid after a reshape; `axes` are those that count the tokens then, if they stay apart."""
    if axes is not None:
        return grid.reshape([size if axis in axes else 1 for axis, size in enumerate(after)])
    if math.prod(before) > MOST:
        return None
    return compact(np.broadcast_to(grid, before).reshape(after))


def compact(grid: Grid) -> Grid:
    """Return a grid without the sizes of axes on which it does not change."""
    for axis in range(grid.ndim):
        first = grid.take([0], axis=axis)
        if grid.shape[axis] > 1 and bool((grid == first).all()):
            grid = first
    return grid


def counting(grid: Grid, shape: Shape, features: int) -> Axes | None:
    """Return the axes that count tokens, if all others count features: None if some do both."""
    if grid.size * features != math.prod(shape):
        return None
    return tuple(axis for axis, size in enumerate(grid.shape) if size > 1)


def looked_up(grid: Grid, seen: Layout) -> Table | None:
    """Return the tokens of each position, shape (positions, some); None if that would be too much."""
    sizes = [size if axis in seen.axes else grid.shape[axis] for axis, size in enumerate(seen.shape)]
    if math.prod(sizes) > MOST:
        return None
    rest = [axis for axis in range(len(sizes)) if axis not in seen.axes]
    found: Table = np.broadcast_to(grid, sizes).transpose(*seen.axes, *rest).reshape(seen.positions, -1)
    return found


def through(table: Table, tokens: int, need: Table, low: Table) -> tuple[Table, Table]:
    """Turn `need` and `low` over positions into those over tokens.

    Parameters
    ----------
    table : int64, shape (positions of the operand, some)
        The tokens of each.
    tokens : int
        How many the source has.
    need, low : int64, shape (positions of the consumer,)
        Positions that must have come, and the first one of use.
    """
    upto = np.concatenate([[0], np.maximum.accumulate(table.max(axis=1)) + 1])
    since = np.minimum.accumulate(table.min(axis=1)[::-1])[::-1]
    return upto[need], np.concatenate([since, [tokens]])[low]


def beside(grid: Grid, tokens: int, other: Grid | None, others: int) -> tuple[Table, Table]:
    """Return `need` and `low` of a second operand, where positions are the tokens of the first one's source.

    Parameters
    ----------
    grid, tokens
        Of the first operand.
    other, others
        Of the second: its grid, which may broadcast, and its source's tokens.
    """
    everything = np.full(tokens, others, dtype=np.int64), np.zeros(tokens, dtype=np.int64)
    if other is None:
        return everything
    sizes = np.broadcast_shapes(grid.shape, other.shape)
    if math.prod(sizes) > MOST:
        return everything
    here, there = np.broadcast_to(grid, sizes).ravel(), np.broadcast_to(other, sizes).ravel()
    last, first = np.full(tokens, -1, dtype=np.int64), np.full(tokens, others, dtype=np.int64)
    np.maximum.at(last, here, there)
    np.minimum.at(first, here, there)
    return np.maximum.accumulate(last) + 1, np.minimum.accumulate(first[::-1])[::-1]
