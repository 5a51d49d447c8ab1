"""From which to which position an op reads, where it lays out an image otherwise: `need` and `low` over its positions.

Each takes an op, the number of the activation, the output's layout and how the op sees the operand; None where it
cannot say, and all of the operand is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pimsim.mapping.flow.layout import Layout, Table
from pimsim.trace.op import Op

Span = tuple[Table, Table]
"""First and last element of the operand along an axis, by the output's."""


def _between(out: Layout, sizes: Sequence[int], spans: Sequence[Span]) -> Span:
    """Return `need` and `low` over the pixels, row by row, of ranges along each axis of an image of those sizes."""
    rest = np.arange(out.positions, dtype=np.int64)
    places = []
    for size in reversed(out.shape[2:]):
        rest, at = np.divmod(rest, size)
        places.append(at)
    first = last = rest
    for size, (low, high), at in zip(sizes, spans, reversed(places), strict=True):
        first, last = first * size + low[at], last * size + high[at]
    need = np.maximum.accumulate(last) + 1
    return need, np.minimum.accumulate(first[::-1])[::-1]


def _images(out: Layout, seen: Layout) -> bool:
    return out.channels and seen.channels and out.images == seen.images


def from_blocks(op: Op, operand: int, out: Layout, seen: Layout) -> Span | None:
    """A pixel comes from the one that its block was (DepthToSpace)."""
    if not _images(out, seen):
        return None
    block = op.attributes["blocksize"]
    at = [np.arange(size, dtype=np.int64) // block for size in out.shape[2:]]
    return _between(out, seen.shape[2:], [(each, each) for each in at])


def to_blocks(op: Op, operand: int, out: Layout, seen: Layout) -> Span | None:
    """A pixel comes from a block of them (SpaceToDepth)."""
    if not _images(out, seen):
        return None
    block = op.attributes["blocksize"]
    at = [np.arange(size, dtype=np.int64) * block for size in out.shape[2:]]
    return _between(out, seen.shape[2:], [(each, each + block - 1) for each in at])


def resized(op: Op, operand: int, out: Layout, seen: Layout) -> Span | None:
    """A pixel comes from the one at its place, or from those around it: two along an axis, four of a cubic one."""
    if not _images(out, seen):
        return None
    more = {"nearest": (0, 0), "cubic": (1, 2)}.get(op.attributes["mode"], (0, 1))
    spans = []
    for size, before in zip(out.shape[2:], seen.shape[2:], strict=True):
        at = np.arange(size, dtype=np.int64)
        one, other = (
            at * before // size,
            at * (before - 1) // max(size - 1, 1),
        )  # by size, or corner on corner
        first, last = np.minimum(one, other) - 1 - more[0], np.maximum(one, other) + 1 + more[1]
        spans.append((np.clip(first, 0, before - 1), np.clip(last, 0, before - 1)))
    return _between(out, seen.shape[2:], spans)


def overlapped(op: Op, operand: int, out: Layout, seen: Layout) -> Span | None:
    """A pixel comes from all blocks that lie over it (Col2Im)."""
    if not out.channels or out.images != seen.images:
        return None
    about = op.attributes
    rank = len(about["image_shape"])
    sizes, spans = [], []
    for axis, size in enumerate(about["image_shape"]):
        stride, begin = about["strides"][axis], about["pads"][axis]
        reach = about["dilations"][axis] * (about["block_shape"][axis] - 1)
        blocks = (size + begin + about["pads"][axis + rank] - reach - 1) // stride + 1
        at = np.arange(size, dtype=np.int64) + begin
        sizes.append(blocks)
        first = np.clip(-((reach - at) // stride), 0, blocks - 1)  # rounded up
        spans.append((first, np.clip(at // stride, 0, blocks - 1)))
    if math.prod(sizes) * seen.images != seen.positions:
        return None
    return _between(out, sizes, spans)
