"""What lies under a sliding window: which pixels a firing of a convolution or pooling reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pimsim.errors import MappingError
from pimsim.mapping.flow.layout import Layout, Table
from pimsim.trace.op import Op


@dataclass(frozen=True, slots=True)
class Window:
    """The pixels under a sliding window, padding left out; rows are counted over all images, and all planes of one.

    Over three dimensions it is all between the first row in the first plane and the last one in the last: what must
    have come is exact, what is `covered` is more than what is read where a plane has further rows.

    Parameters
    ----------
    top, bottom, left, right : int64, shape (positions of the consumer,)
        First and last row and column, both included.
    width : int
        Columns of the tensor that it slides over.
    """

    top: Table
    bottom: Table
    left: Table
    right: Table
    width: int

    @classmethod
    def own(cls, positions: int) -> Window:
        """Return one over a position's own place."""
        at, first = np.arange(positions, dtype=np.int64), np.zeros(positions, dtype=np.int64)
        return cls(first, first, at, at, positions)

    def tables(self) -> tuple[Table, Table]:
        """Return `need` and `low` over the pixels, row by row: behind the last, and at the first one needed."""
        last = np.maximum.accumulate(self.bottom * self.width + self.right) + 1
        first = np.minimum.accumulate((self.top * self.width + self.left)[::-1])[::-1]
        return last, first

    def covered(self, positions: Table, pixels: int) -> npt.NDArray[np.bool_]:
        """Return which of the pixels lie under the window at some of the positions."""
        corners = np.zeros((pixels // self.width + 1, self.width + 1), dtype=np.int64)
        for rows, columns, sign in (
            (self.top, self.left, 1),
            (self.top, self.right + 1, -1),
            (self.bottom + 1, self.left, -1),
            (self.bottom + 1, self.right + 1, 1),
        ):
            np.add.at(corners, (rows[positions], columns[positions]), sign)
        return (corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0).ravel()


def window_of(op: Op, out: Layout, seen: Layout) -> Window:
    """Return the window of a convolution or pooling over an operand.

    Raises
    ------
    MappingError
        If it slides over more than three dimensions.
    """
    kernel, strides = op.attributes["kernel_shape"], op.attributes["strides"]
    dilations, pads = op.attributes["dilations"], op.attributes["pads"]
    rank = len(kernel)
    if rank > 3:
        raise MappingError(
            f"its window slides over {rank} dimensions, up to three can be mapped",
            where=f"op '{op.name}' ({op.type})",
        )
    sizes = (*(1,) * (2 - rank), *seen.shape[2:])  # one spatial dimension is laid out along the width
    rest = np.arange(out.positions, dtype=np.int64)
    spans: list[tuple[Table, Table]] = []
    for axis in reversed(range(rank)):
        rest, at = np.divmod(rest, out.shape[axis + 2])
        first = at * strides[axis] - pads[axis]
        last = first + (kernel[axis] - 1) * dilations[axis]
        size = seen.shape[axis + 2]
        spans.append((np.clip(first, 0, size - 1), np.clip(last, 0, size - 1)))
    left, right = spans[0]
    image = rest
    top = bottom = image  # row by row: plane, then row in the plane
    for size, (first, last) in zip(sizes[:-1], spans[:0:-1] or [(0 * image, 0 * image)], strict=True):
        top, bottom = top * size + first, bottom * size + last
    return Window(top, bottom, left, right, seen.width)
