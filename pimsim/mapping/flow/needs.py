"""What a position of an op needs of an operand: its own position only, or others too.

A rule takes an op, the number of the activation and the output's layout, and says whether the op works inside each
position, so that positions do not wait for one another.
"""

from __future__ import annotations

from pimsim.mapping.flow.layout import Layout
from pimsim.trace.op import Op


def own_position(op: Op, operand: int, out: Layout) -> bool:
    """An element of the output comes from those at the same position."""
    return True


def everything(op: Op, operand: int, out: Layout) -> bool:
    """Which positions are read depends on the data."""
    return False


def left_rows(op: Op, operand: int, out: Layout) -> bool:
    """A row of the first matrix, and all of the second; all of the first too if it comes transposed."""
    return operand == 0 and not op.attributes.get("transA")


def along_axis(op: Op, operand: int, out: Layout) -> bool:
    """What lies along the axis is one position's features."""
    return op.attributes["axis"] not in out.axes


def along_axis_or_alone(op: Op, operand: int, out: Layout) -> bool:
    """As `along_axis`; a single position has no other to wait for."""
    return out.positions == 1 or along_axis(op, operand, out)


def from_axis_on(op: Op, operand: int, out: Layout) -> bool:
    """All dimensions from the axis on are one position's features, or of size 1."""
    shape = op.output.shape
    return all(axis not in out.axes or shape[axis] == 1 for axis in range(op.attributes["axis"], len(shape)))


def over_axes(op: Op, operand: int, out: Layout) -> bool:
    """What lies along the axes is one position's features."""
    return not set(op.attributes["axes"]) & set(out.axes)


def reduced(op: Op, operand: int, out: Layout) -> bool:
    """As `over_axes`, where the axes stay."""
    return op.attributes["keepdims"] == 1 and over_axes(op, operand, out)


def chosen(op: Op, operand: int, out: Layout) -> bool:
    """As `along_axis`, where the axis stays."""
    return op.attributes["keepdims"] == 1 and along_axis(op, operand, out)


def tiled(op: Op, operand: int, out: Layout) -> bool:
    """Only features are repeated."""
    return all(op.attributes["repeats"][axis] == 1 for axis in out.axes)


def transposed(op: Op, operand: int, out: Layout) -> bool:
    """Positions keep their order."""
    kept = [op.attributes["perm"][axis] for axis in out.axes]
    return kept == sorted(kept)


def padded(op: Op, operand: int, out: Layout) -> bool:
    """No position is added or cropped."""
    pads, rank = op.attributes["pads"], len(op.output.shape)
    return not any(pads[axis] or pads[axis + rank] for axis in out.axes)
