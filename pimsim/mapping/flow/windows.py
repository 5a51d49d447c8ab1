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
    steps : (int, int)
        Rows from one that is read to the next, and columns: more than 1 where it is dilated.
    """

    top: Table
    bottom: Table
    left: Table
    right: Table
    width: int
    steps: tuple[int, int] = (1, 1)

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
        read = np.zeros(pixels, dtype=np.bool_)
        read[self.pixels(positions)] = True
        return read

    def pixels(self, positions: Table) -> Table:
        """Return the pixels under the window at some of the positions, in order."""
        if not len(positions):
            return np.zeros(0, dtype=np.int64)
        top, bottom = self.top[positions], self.bottom[positions]
        left, right = self.left[positions], self.right[positions]
        # Only the box around them is looked at. Rows that are so many steps apart stand side by side there.
        (down, across), (y, x) = self.steps, (int(top.min()), int(left.min()))
        behind, beyond = int(bottom.max()) + 1, int(right.max()) + 1
        shape = (-(-(behind - y) // down) + 1, down, -(-(beyond - x) // across) + 1, across)
        corners = np.zeros(shape, dtype=np.int32)
        for rows, columns, sign in (
            (top, left, 1),
            (top, right + across, -1),
            (bottom + down, left, -1),
            (bottom + down, right + across, 1),
        ):
            at = (*np.divmod(rows - y, down), *np.divmod(columns - x, across))
            np.add.at(corners.ravel(), np.ravel_multi_index(at, shape), sign)
        np.cumsum(corners, axis=0, out=corners)
        np.cumsum(corners, axis=2, out=corners)
        box = (corners[:-1, :, :-1] > 0).reshape((shape[0] - 1) * down, -1)
        found, columns = np.nonzero(box[: behind - y, : beyond - x])
        pixels: Table = (found + y) * self.width + columns + x
        return pixels

    def most(self) -> int:
        """Return the pixels that a position reads at most."""
        rows, columns = (self.bottom - self.top) // self.steps[0], (self.right - self.left) // self.steps[1]
        return int(((rows + 1) * (columns + 1)).max(initial=0))


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
        spans.append(_span(first, kernel[axis], dilations[axis], seen.shape[axis + 2]))
    left, right = spans[0]
    image = rest
    top = bottom = image  # row by row: plane, then row in the plane
    for size, (first, last) in zip(sizes[:-1], spans[:0:-1] or [(0 * image, 0 * image)], strict=True):
        top, bottom = top * size + first, bottom * size + last
    # Over three dimensions rows of several planes are one span, and how far apart they are changes in it.
    return Window(top, bottom, left, right, seen.width, (dilations[-2] if rank == 2 else 1, dilations[-1]))


def _span(first: Table, taps: int, step: int, size: int) -> tuple[Table, Table]:
    """Return the first and the last place that is read along an axis, padding left out.

    What reads nothing but padding waits for the place that is nearest to it.
    """
    last = first + (taps - 1) * step
    within = (
        first + -(np.minimum(first, 0) // step) * step,
        last - -(np.minimum(size - 1 - last, 0) // step) * step,
    )
    none = within[0] > within[1]
    near = np.clip(first, 0, size - 1)
    return np.where(none, near, within[0]), np.where(none, near, within[1])
