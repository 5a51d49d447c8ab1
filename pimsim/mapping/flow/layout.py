"""How a tensor is cut into tokens, and which ops leave that cut as it is: they move no data.

A tensor is an array of positions (pixels, rows) that carry features each. Which of its axes count positions is all
that there is to say; a view, a transposition that keeps the order of both kinds of axes, a slice of the features or a
repetition of them only addresses the same tokens otherwise, and vanishes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pimsim.trace.schema import Op

Shape = tuple[int, ...]
Axes = tuple[int, ...]

VIEWS = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast"}


def rows_of(rank: int) -> Axes:
    """All axes but the last: each row is a token."""
    return tuple(range(max(0, rank - 1)))


def pixels_of(rank: int) -> Axes:
    """The batch and the last two axes of four or more (the last of three): each pixel is a token (NC…HW, NCL)."""
    if rank < 3:
        return rows_of(rank)
    return (0, rank - 1) if rank == 3 else (0, rank - 2, rank - 1)


@dataclass(frozen=True, slots=True)
class Layout:
    """A tensor as ``images * height * width`` positions of ``features`` elements each.

    Parameters
    ----------
    shape : tuple of int
        Of the tensor.
    axes : tuple of int
        Those that count positions, the last of them fastest.
    """

    shape: Shape
    axes: Axes

    @property
    def channels(self) -> bool:
        """Whether it is NC…HW or NCL: a window slides over its positions."""
        return len(self.shape) >= 3 and self.axes == pixels_of(len(self.shape))

    @property
    def images(self) -> int:
        """Images of pixels; other tensors are one."""
        return self.shape[0] if self.channels else 1

    @property
    def height(self) -> int:
        """Rows of an image."""
        return self.shape[-2] if self.channels and len(self.shape) >= 4 else 1

    @property
    def width(self) -> int:
        """Positions of a row."""
        return self.positions // (self.images * self.height)

    @property
    def positions(self) -> int:
        """Positions of one inference."""
        return math.prod(self.shape[axis] for axis in self.axes)

    @property
    def features(self) -> int:
        """Elements of a position."""
        return math.prod(size for axis, size in enumerate(self.shape) if axis not in self.axes)

    @property
    def heads(self) -> int:
        """Attention heads, if its tokens are rows of (batch, heads, rows, features); else 0."""
        return self.shape[1] if len(self.shape) == 4 and self.axes == (0, 2) else 0

    def same_tokens(self, axes: Axes | None) -> bool:
        """Whether these axes cut the tensor into the same tokens."""
        if axes is None:
            return False
        return [a for a in axes if self.shape[a] > 1] == [a for a in self.axes if self.shape[a] > 1]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the tokens of a tensor come from.

    Parameters
    ----------
    node : int
        The node that puts them out.
    axes : tuple of int or None
        Axes of the tensor that count the node's tokens; None if they are cut otherwise.
    features : int
        Elements of a token that the tensor is made of.
    piece : tuple
        Which slice of the node's features they are; empty for all.
    cached : int
        Tokens of each image that a cache holds before them.
    """

    node: int
    axes: Axes | None
    features: int
    piece: tuple[object, ...] = ()
    cached: int = 0


def carried(op: Op, source: Source, index: int = 0) -> Source | None:
    """Return the source of an op's output if the op only addresses the tokens of its input otherwise; else None."""
    shape, axes = op.inputs[0].tensor.shape, source.axes
    after = op.outputs[index].shape
    if op.type in VIEWS:
        return replace(source, axes=None if axes is None else _reshaped(shape, after, axes))
    if axes is None:
        return None
    if op.type == "Transpose":
        perm = op.attributes["perm"]
        tokens = [axis for axis in perm if axis in axes and shape[axis] > 1]
        features = [axis for axis in perm if axis not in axes and shape[axis] > 1]
        if tokens == sorted(tokens) and features == sorted(features):
            return replace(source, axes=tuple(n for n, axis in enumerate(perm) if axis in axes))
    if op.type == "Expand" and len(after) == len(shape) and all(after[axis] == shape[axis] for axis in axes):
        return source
    if op.type == "Split" and op.attributes["axis"] not in axes:
        part = source.features * after[op.attributes["axis"]] // shape[op.attributes["axis"]]
        return replace(source, features=part, piece=(*source.piece, op.name, index))
    if op.type == "Slice" and not set(op.attributes["axes"]) & set(axes):
        part = source.features * math.prod(after) // math.prod(shape)
        return replace(source, features=max(1, part), piece=(*source.piece, op.name))
    return None


def appended(op: Op, source: Source) -> Source | None:
    """Return the source of a Concat that appends an activation's tokens to those of a cache; None if it does not."""
    if op.type != "Concat" or source.axes is None:
        return None
    axis, shape = op.attributes["axis"], op.activations[0].tensor.shape
    if axis not in source.axes and shape[axis] > 1:
        return None
    cached = sum(o.tensor.shape[axis] for o in op.inputs if o.role == "cache")
    axes = tuple(sorted({*source.axes, axis}))  # an axis of size 1 may not have been among them
    return replace(source, axes=axes, cached=source.cached + cached)


def _reshaped(before: Shape, after: Shape, axes: Axes) -> Axes | None:
    """Return the axes that count the same positions after a reshape; None if it mixes positions and features."""
    found: list[int] = []
    i = j = 0
    while i < len(before) or j < len(after):
        here, there = [i] if i < len(before) else [], [j] if j < len(after) else []
        left, right = before[i] if here else 1, after[j] if there else 1
        i, j = i + len(here), j + len(there)
        while left != right:
            if left < right and i < len(before):
                here.append(i)
                left *= before[i]
                i += 1
            elif right < left and j < len(after):
                there.append(j)
                right *= after[j]
                j += 1
            else:
                return None
        kinds = {axis in axes for axis in here if before[axis] > 1}
        if len(kinds) > 1:
            return None
        if True in kinds:
            found += [axis for axis in there if after[axis] > 1]
    return tuple(found)
