"""How a tensor is cut into tokens: an array of positions (pixels, rows) that carry features each.

Which of its axes count positions is all that there is to say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Shape = tuple[int, ...]
Axes = tuple[int, ...]
Table = npt.NDArray[np.int64]
"""A number for each position of an op."""


def rows_of(rank: int) -> Axes:
    """All axes but the last: each row is a token."""
    return tuple(range(max(0, rank - 1)))


def pixels_of(rank: int) -> Axes:
    """All axes but the second, of three or more: each pixel is a token (NCL, NCHW, NCDHW)."""
    return rows_of(rank) if rank < 3 else (0, *range(2, rank))


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
        """Whether it is NCL, NCHW or NCDHW: a window slides over its positions."""
        return len(self.shape) >= 3 and self.axes == pixels_of(len(self.shape))

    @property
    def images(self) -> int:
        """Images of pixels; other tensors are one."""
        return self.shape[0] if self.channels else 1

    @property
    def height(self) -> int:
        """Rows of an image; those of all its planes where it has several."""
        return math.prod(self.shape[2:-1]) if self.channels else 1

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
    grid : int64, optional
        Which of the node's tokens each element is in (`pimsim.mapping.flow.addressing`); None where nobody knows.
    """

    node: int
    axes: Axes | None
    features: int
    piece: tuple[object, ...] = ()
    cached: int = 0
    grid: Table | None = None
