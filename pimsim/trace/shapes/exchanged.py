"""Shape rules of ops in which several processors exchange what they have."""

from __future__ import annotations

from pimsim.trace.shapes.given import axis_of, shape_of
from pimsim.trace.tensor import Shape, Signature


def gathered(op: Signature) -> tuple[Shape, ...]:
    """Parts of all processors, one after another along an axis."""
    shape = shape_of(op)
    axis, degree = axis_of(op, len(shape)), op.attributes["degree"]
    return (tuple(size * degree if n == axis else size for n, size in enumerate(shape)),)
