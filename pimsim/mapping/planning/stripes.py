"""Which positions each copy of an op does: a stripe of columns of the map, so that neighbours lie together.

A window of a copy then reads its own columns and a few beside them, and what one op's copy puts out goes to the copy
of the next op that has the same columns, not to all of them. All copies work on one row of the map at the same time,
so that rows can go as they come. The stripes of two rows differ by a column at most, by which all copies do the same
number of positions, or one more.
"""

from __future__ import annotations

import numpy as np

from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.planning.dealing import Parts


def stripes(node: Node, copies: int) -> Parts:
    """Return the positions of each of so many copies in order, or nothing where a position has no columns.

    Parameters
    ----------
    node : Node
        What is done in copies.
    copies : int
        How many, up to one a position.
    """
    together = _rows_at_once(node, copies)
    if not together:
        return ()
    layout = node.layout
    rows, width = layout.images * layout.height, layout.width
    groups = max(1, rows // together)
    owner = np.empty((rows, width), dtype=np.int64)
    done, begun = 0, np.zeros(copies + 1, dtype=np.int64)
    for group in range(groups):
        last = rows if group == groups - 1 else (group + 1) * together
        here = owner[group * together : last]
        done += here.size
        ended = np.arange(copies + 1) * done // copies
        counts = np.diff(ended - begun)
        here[:] = np.repeat(np.arange(copies), counts).reshape(width, -1).T  # column by column
        begun = ended
    owners = owner.ravel()
    order = np.argsort(owners, kind="stable")
    return tuple(np.split(order, np.cumsum(np.bincount(owners, minlength=copies))[:-1]))


def reach(node: Node, copies: int) -> int:
    """Return how many positions, one after another, copies that are busy are at: two each, or those of the rows too."""
    return copies + max(copies, _rows_at_once(node, copies) * node.layout.width)


def _rows_at_once(node: Node, copies: int) -> int:
    """Return the rows of which each copy has a position; 0 where there are no stripes."""
    layout = node.layout
    if (
        copies < 2
        or layout.width == 1
        or layout.width == layout.positions
        or layout.positions != node.positions
    ):
        return 0
    return -(-copies // layout.width)


def are_striped(node: Node) -> bool:
    """Whether copies of an op take stripes, each with inputs of its own."""
    return _rows_at_once(node, 2) > 0
