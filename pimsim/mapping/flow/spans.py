"""Which positions of an operand an op reads, where its own are laid out otherwise: a window over the operand's.

Each takes an op, the number of the activation, the output's layout and how the op sees the operand; None where it
cannot say, and all of the operand is needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pimsim.mapping.flow.layout import Layout, Table
from pimsim.mapping.flow.windows import Window
from pimsim.trace.op import Op

Span = tuple[Table, Table]
"""First and last element of the operand along an axis, by the output's."""


def _between(out: Layout, sizes: Sequence[int], spans: Sequence[Span]) -> Window:
    """Return what lies between ranges along each axis of an image of those sizes."""
    rest = np.arange(out.positions, dtype=np.int64)
    places = []
    for size in reversed(out.shape[2:]):
        rest, at = np.divmod(rest, size)
        places.append(at)
    ranges = [(low[at], high[at]) for (low, high), at in zip(spans, reversed(places), strict=True)]
    top = bottom = rest
    for size, (low, high) in zip(sizes[:-1], ranges[:-1], strict=True):
        top, bottom = top * size + low, bottom * size + high
    return Window(top, bottom, *ranges[-1], sizes[-1])


def _images(out: Layout, seen: Layout) -> bool:
    return out.channels and seen.channels and out.images == seen.images


def from_blocks(op: Op, operand: int, out: Layout, seen: Layout) -> Window | None:
    """A pixel comes from the one that its block was (DepthToSpace)."""
    if not _images(out, seen):
        return None
    block = op.attributes["blocksize"]
    at = [np.arange(size, dtype=np.int64) // block for size in out.shape[2:]]
    return _between(out, seen.shape[2:], [(each, each) for each in at])


def to_blocks(op: Op, operand: int, out: Layout, seen: Layout) -> Window | None:
    """A pixel comes from a block of them (SpaceToDepth)."""
    if not _images(out, seen):
        return None
    block = op.attributes["blocksize"]
    at = [np.arange(size, dtype=np.int64) * block for size in out.shape[2:]]
    return _between(out, seen.shape[2:], [(each, each + block - 1) for each in at])


def resized(op: Op, operand: int, out: Layout, seen: Layout) -> Window | None:
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


def overlapped(op: Op, operand: int, out: Layout, seen: Layout) -> Window | None:
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


def cut_out(op: Op, operand: int, out: Layout, seen: Layout) -> Window | None:
    """A position of a Slice is one of the operand's."""
    attributes = op.attributes
    if not set(attributes["axes"]) & set(seen.axes):
        return None
    cut = zip(attributes["axes"], attributes["starts"], attributes["ends"], attributes["steps"], strict=True)
    places = {axis: np.arange(seen.shape[axis], dtype=np.int64) for axis in seen.axes}
    places |= {axis: np.arange(*each, dtype=np.int64) for axis, *each in cut if axis in places}
    return _one_each(seen, places)


def side_by_side(op: Op, operand: int, out: Layout, seen: Layout) -> Window | None:
    """A position of a Concat is one of the operand's, or of another operand."""
    axis = op.attributes["axis"]
    if axis not in out.axes or seen.axes != out.axes:
        return None
    number = [n for n, each in enumerate(op.inputs) if each.role == "activation"][operand]
    begin = sum(each.tensor.shape[axis] for each in op.inputs[:number])
    at = np.arange(out.shape[axis], dtype=np.int64) - begin
    at[(at < 0) | (at >= seen.shape[axis])] = -1
    return _one_each(seen, {n: at if n == axis else np.arange(out.shape[n]) for n in out.axes})


def padded(op: Op, operand: int, out: Layout, seen: Layout) -> Window | None:
    """A position of a Pad is one of the operand's, or none where it adds a constant."""
    pads, rank = op.attributes["pads"], len(out.shape)
    if len(seen.shape) != rank or not any(pads[axis] or pads[axis + rank] for axis in out.axes):
        return None
    places = {}
    for axis in out.axes:
        at, size = np.arange(out.shape[axis], dtype=np.int64) - pads[axis], seen.shape[axis]
        if op.attributes.get("mode") == "edge":
            at = np.clip(at, 0, size - 1)
        elif op.attributes.get("mode") == "wrap":
            at = at % size
        elif op.attributes.get("mode") == "reflect":
            turn = max(1, 2 * size - 2)
            at = np.minimum(at % turn, turn - at % turn) if size > 1 else at * 0
        else:
            at[(at < 0) | (at >= size)] = -1
        places[axis] = at
    return _one_each(seen, places)


def tiled(op: Op, operand: int, out: Layout, seen: Layout) -> Window | None:
    """A position of a Tile is one of the operand's, again and again."""
    if seen.axes != out.axes or all(op.attributes["repeats"][axis] == 1 for axis in out.axes):
        return None
    return _one_each(seen, {axis: np.arange(out.shape[axis]) % seen.shape[axis] for axis in out.axes})


def _one_each(seen: Layout, places: Mapping[int, Table]) -> Window:
    """Return a window over one position each, by its place along each of the axes that count; -1 for none."""
    at = np.zeros((1,) * len(places), dtype=np.int64)
    there = np.ones((1,) * len(places), dtype=np.bool_)
    for n, (axis, place) in enumerate(places.items()):
        place = place.reshape([-1 if m == n else 1 for m in range(len(places))])
        at, there = at * seen.shape[axis] + place, there & (place >= 0)
    there = there.ravel()
    at = np.where(there, at.ravel(), seen.positions)
    first = np.where(there, at, np.minimum.accumulate(at[::-1])[::-1])
    nowhere = np.zeros_like(first)
    return Window(nowhere, nowhere, first, np.where(there, first, first - 1), seen.positions)
