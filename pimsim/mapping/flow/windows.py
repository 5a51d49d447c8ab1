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
    """The pixels under a sliding window, padding left out; rows are counted over all images.

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
        If it slides over more than two dimensions.
    """
    kernel, strides = op.attributes["kernel_shape"], op.attributes["strides"]
    dilations, pads = op.attributes["dilations"], op.attributes["pads"]
    if len(kernel) > 2:
        raise MappingError(
            f"its window slides over {len(kernel)} dimensions, one or two can be mapped",
            where=f"op '{op.name}' ({op.type})",
        )
    image, pixel = np.divmod(np.arange(out.positions, dtype=np.int64), out.height * out.width)
    y, x = np.divmod(pixel, out.width)
    if len(kernel) == 1:  # one spatial dimension, laid out along the width
        kernel, strides, dilations = (1, *kernel), (1, *strides), (1, *dilations)
        pads = (0, pads[0], 0, pads[1])
    top, left = y * strides[0] - pads[0], x * strides[1] - pads[1]
    bottom, right = top + (kernel[0] - 1) * dilations[0], left + (kernel[1] - 1) * dilations[1]
    return Window(
        np.clip(top, 0, seen.height - 1) + image * seen.height,
        np.clip(bottom, 0, seen.height - 1) + image * seen.height,
        np.clip(left, 0, seen.width - 1),
        np.clip(right, 0, seen.width - 1),
        seen.width,
    )
