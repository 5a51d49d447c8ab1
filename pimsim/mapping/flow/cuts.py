"""How an op cuts its output into positions, and how it sees its operands then.

A cut takes an op and the axes that count the tokens of its leading operand (None if it is cut otherwise), and returns
the axes of the output that count positions. The view of an operand takes an op, the operand's shape and the output's
layout.
"""

from __future__ import annotations

from pimsim.mapping.flow.layout import Axes, Layout, Shape, pixels_of, rows_of
from pimsim.trace.op import Op
from pimsim.trace.optypes import class_of


def leading(op: Op) -> int:
    """Return which activation an op is cut like: the first; where operands broadcast, the first that does not."""
    if class_of(op.type) != "elementwise":
        return 0
    return next((n for n, each in enumerate(op.activations) if each.tensor.shape == op.output.shape), 0)


def as_it_comes(op: Op, axes: Axes | None) -> Axes:
    """Four dimensions or more are images, others are rows: what the host sends."""
    return _usual(len(op.output.shape))


def pixels(op: Op, axes: Axes | None) -> Axes:
    """Each pixel is a position."""
    return pixels_of(len(op.output.shape))


def rows(op: Op, axes: Axes | None) -> Axes:
    """Each row is a position."""
    return rows_of(len(op.output.shape))


def like_operand(op: Op, axes: Axes | None) -> Axes:
    """As the leading operand is cut, its axes aligned with the output's at their ends; rows if there are fewer."""
    shape, first = op.output.shape, op.activations[leading(op)].tensor.shape
    if axes is None or len(first) > len(shape):
        return rows_of(len(shape))
    return _settled(shape, tuple(axis + len(shape) - len(first) for axis in axes))


def product(op: Op, axes: Axes | None) -> Axes:
    """Rows of attention heads if the left matrix is cut so, else rows."""
    found = like_operand(op, axes)
    return found if Layout(op.output.shape, found).heads else rows_of(len(op.output.shape))


def joined(op: Op, axes: Axes | None) -> Axes:
    """As the operands are cut; of single tokens that stand one behind another each is a position."""
    found, axis, shape = like_operand(op, axes), op.attributes["axis"], op.output.shape
    parts = [each.tensor.shape for each in op.activations]
    alone = all(part[axis] == 1 for part in parts) and Layout(parts[0], found).positions == 1
    in_front = all(size == 1 for size in parts[0][:axis]) and Layout(parts[0], ()).features > 1
    return _settled(shape, (axis,)) if alone and in_front else found


def transposed(op: Op, axes: Axes | None) -> Axes:
    """The same positions, if the transposition keeps their order."""
    perm = op.attributes["perm"]
    moved = tuple(n for n, axis in enumerate(perm) if axis in (axes or ()))
    kept = [perm[n] for n in moved] == sorted(perm[n] for n in moved)
    return _settled(op.output.shape, moved) if axes is not None and kept else rows_of(len(perm))


def reduced(op: Op, axes: Axes | None) -> Axes:
    """The positions that are left, if the reduced axes vanish."""
    if axes is None or op.attributes["keepdims"]:
        return like_operand(op, axes)
    gone = over(op)
    return tuple(axis - sum(g < axis for g in gone) for axis in axes if axis not in gone)


def over(op: Op) -> Axes:
    """The axes that a reduction takes together."""
    axes: Axes = op.attributes["axes"] if "axes" in op.attributes else (op.attributes["axis"],)
    return axes


def seen_as_pixels(op: Op, shape: Shape, out: Layout) -> Layout:
    """Pixels, whatever the output's are."""
    return Layout(shape, pixels_of(len(shape)))


def seen_like_output(op: Op, shape: Shape, out: Layout) -> Layout:
    """Cut as the output is, as far as the axes go."""
    if out.axes == rows_of(len(out.shape)):
        return Layout(shape, rows_of(len(shape)))
    shift = len(out.shape) - len(shape)
    return Layout(shape, tuple(axis - shift for axis in out.axes if axis >= shift))


def seen_transposed(op: Op, shape: Shape, out: Layout) -> Layout:
    """The output's axes, where they come from."""
    return Layout(shape, tuple(sorted(op.attributes["perm"][axis] for axis in out.axes)))


def seen_before_reduction(op: Op, shape: Shape, out: Layout) -> Layout:
    """Where the reduced axes vanish the output's say nothing of the operand's."""
    return (
        seen_like_output(op, shape, out) if op.attributes["keepdims"] else Layout(shape, _usual(len(shape)))
    )


def _usual(rank: int) -> Axes:
    return pixels_of(rank) if rank >= 4 else rows_of(rank)


def _settled(shape: Shape, axes: Axes) -> Axes:
    """Return one of the usual layouts if these axes cut a tensor as it does, where axes of size 1 leave it open."""
    rank = len(shape)
    if axes in (rows_of(rank), pixels_of(rank), (0, 2)):
        return axes
    usual = [rows_of(rank), *([(0, 2)] if rank == 4 else []), pixels_of(rank)]
    return next((each for each in usual if Layout(shape, each).same_tokens(axes)), axes)
