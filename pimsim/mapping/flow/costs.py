"""What a firing reads of each operand, what it works on, and the matrix of an op that multiplies by one.

Reading takes an op, the number of the activation, how the op sees it, the output's layout and the positions of the op,
and returns elements. Work takes an op, the output's layout and the features of each activation as the op sees it, and
returns the elements that one firing processes on a digital unit; multiply-accumulates where it multiplies matrices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pimsim.errors import MappingError
from pimsim.mapping.flow.layout import Layout
from pimsim.trace.op import Op


def share(op: Op, operand: int, seen: Layout, out: Layout, positions: int) -> int:
    """Each position's part; all of what is broadcast to every position."""
    if seen.positions == 1:
        return seen.features
    return -(-seen.positions * seen.features // positions)


def under_window(op: Op, operand: int, seen: Layout, out: Layout, positions: int) -> int:
    """What lies in the window, again each time."""
    return int(seen.features * _within(op))


def row_and_matrix(op: Op, operand: int, seen: Layout, out: Layout, positions: int) -> int:
    """A row of the first operand, all of the others."""
    if operand > 0:
        return seen.positions * seen.features
    return share(op, operand, seen, out, positions)


def one_row(op: Op, operand: int, seen: Layout, out: Layout, positions: int) -> int:
    """One token's row of each operand."""
    return seen.features


def rows_of_experts(op: Op, operand: int, seen: Layout, out: Layout, positions: int) -> int:
    """Of each token as many rows as the token went to experts, whichever: together, evenly over the rows there are."""
    if operand == 0:
        return share(op, operand, seen, out, positions)
    rows = [o.tensor.shape[0] for o in op.activations[1:]]
    all_read: int = op.attributes["top"] * out.features
    before = sum(rows[: operand - 1])
    return (before + rows[operand - 1]) * all_read // sum(rows) - before * all_read // sum(rows)


def elementwise(op: Op, out: Layout, features: Sequence[int]) -> float:
    """Each operand after the first is one pass over a position's elements."""
    return float(max(features) * max(1, len(features) - 1))


def moved(op: Op, out: Layout, features: Sequence[int]) -> float:
    """What is put out."""
    return float(max(out.features, 1))


def pooled(op: Op, out: Layout, features: Sequence[int]) -> float:
    """What lies in the window."""
    return float(out.features * _within(op))


def _within(op: Op) -> int:
    """Return the pixels in a window; no more than there are, where it reaches over all."""
    kernel = op.attributes["kernel_shape"]
    sizes = op.inputs[0].tensor.shape[-len(kernel) :]
    return math.prod(map(min, kernel, sizes))


def multiplied(op: Op, out: Layout, features: Sequence[int]) -> float:
    """Multiply-accumulates."""
    return op.macs / out.positions


def combined(op: Op, out: Layout, features: Sequence[int]) -> float:
    """The rows of the experts that a token went to."""
    return float(out.features * op.attributes["top"])


def long_cell(op: Op, out: Layout, features: Sequence[int]) -> float:
    """Of an LSTM: four gates, a sum and a function each, three products, a sum and a hyperbolic tangent."""
    return 13.0 * op.output.elements / out.positions


def gated_cell(op: Op, out: Layout, features: Sequence[int]) -> float:
    """Of a GRU: three gates, a sum and a function each, a product before the last, and three operations."""
    return 10.0 * op.output.elements / out.positions


def all_read(op: Op, out: Layout, features: Sequence[int]) -> float:
    """Every element of the first operand once, evenly over the positions."""
    return math.ceil(op.inputs[0].tensor.elements / out.positions)


def sampled(op: Op, out: Layout, features: Sequence[int]) -> float:
    """What lies around a point, two along each axis of an image; one of the nearest."""
    nearest = op.attributes.get("mode") == "nearest"
    return float(out.features * (1 if nearest else 2 ** (len(out.shape) - 2)))


def conv_matrix(op: Op, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """A column for each output channel of a group."""
    group: int = op.attributes["group"]
    return math.prod(shape[1:]), shape[0] // group, group


def gemm_matrix(op: Op, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """As it stands, or transposed."""
    rows, outputs = shape[::-1] if op.attributes["transB"] else shape
    return rows, outputs, 1


def matmul_matrix(op: Op, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """One matrix.

    Raises
    ------
    MappingError
        If the weight stacks several.
    """
    if math.prod(shape[:-2]) > 1:
        raise MappingError(
            f"its weight stacks {math.prod(shape[:-2])} matrices, expected one",
            where=f"op '{op.name}' ({op.type})",
            mend=f"split it into one {op.type} a matrix when exporting",
        )
    return shape[-2], shape[-1], 1
