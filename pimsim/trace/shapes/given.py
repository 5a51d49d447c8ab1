"""What a shape rule reads of an op, and how it says what does not fit."""

from __future__ import annotations

from pimsim.errors import TraceError
from pimsim.trace.tensor import Shape, Signature, dims


def shape_of(op: Signature, position: int = 0) -> Shape:
    """Return the shape of an operand."""
    return op.inputs[position].tensor.shape


def expect(fits: bool, field: str, message: str) -> None:
    """Raise TraceError at a field unless something fits."""
    if not fits:
        raise TraceError(message, where=field)


def expect_shape(op: Signature, position: int, expected: Shape, why: str) -> None:
    """Check the shape of an operand."""
    found = shape_of(op, position)
    expect(
        found == expected,
        f"inputs[{position}].shape",
        f"found {dims(found)}, expected {dims(expected)} ({why})",
    )


def axis_of(op: Signature, limit: int) -> int:
    """Return the axis, checked against the number of dimensions."""
    axis: int = op.attributes["axis"]
    expect(axis < limit, "attributes.axis", f"found {axis}, expected less than {limit}")
    return axis


def axes_of(op: Signature, name: str, rank: int) -> tuple[int, ...]:
    """Return the axes of an attribute, checked against the rank; none may repeat."""
    axes: tuple[int, ...] = op.attributes[name]
    for position, axis in enumerate(axes):
        field = f"attributes.{name}[{position}]"
        expect(axis < rank, field, f"found {axis}, expected less than the rank, {rank}")
    expect(len(set(axes)) == len(axes), f"attributes.{name}", f"found {list(axes)}, which repeats an axis")
    return axes


def expect_into(op: Signature, position: int, shape: Shape) -> None:
    """Check that an operand broadcasts into a shape without widening it."""
    found = shape_of(op, position)
    tail = shape[len(shape) - len(found) :]
    fits = len(found) <= len(shape) and all(a in (1, b) for a, b in zip(found, tail, strict=True))
    expect(fits, f"inputs[{position}].shape", f"{dims(found)} does not broadcast into {dims(shape)}")
