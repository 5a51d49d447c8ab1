"""Shape rules of ops that take or put what indices say."""

from __future__ import annotations

from pimsim.trace.shapes.given import axis_of, expect, expect_shape, shape_of
from pimsim.trace.tensor import Shape, Signature, dims


def gather(op: Signature) -> tuple[Shape, ...]:
    """Each index stands for what is at it along the axis (a token for its row of a table)."""
    table, indices = shape_of(op), shape_of(op, 1)
    axis = axis_of(op, len(table))
    return ((*table[:axis], *indices, *table[axis + 1 :]),)


def gather_elements(op: Signature) -> tuple[Shape, ...]:
    """Each index stands for the element that it names along the axis, at its own place elsewhere."""
    table, indices = shape_of(op), shape_of(op, 1)
    axis_of(op, len(table))
    message = f"found {dims(indices)}, expected the rank of {dims(table)}"
    expect(len(indices) == len(table), "inputs[1].shape", message)
    return (indices,)


def gather_nd(op: Signature) -> tuple[Shape, ...]:
    """Each row of indices names a slice of the table."""
    table, indices, batch = shape_of(op), shape_of(op, 1), op.attributes["batch_dims"]
    message = f"found {dims(indices)}, expected rows of indices into {dims(table)}"
    fits = len(indices) > batch and batch + indices[-1] <= len(table)
    expect(fits, "inputs[1].shape", message)
    return ((*indices[:-1], *table[batch + indices[-1] :]),)


def scatter_elements(op: Signature) -> tuple[Shape, ...]:
    """Each update goes to the place that its index names along the axis."""
    table, indices = shape_of(op), shape_of(op, 1)
    axis_of(op, len(table))
    message = f"found {dims(indices)}, expected the rank of {dims(table)}"
    expect(len(indices) == len(table), "inputs[1].shape", message)
    expect_shape(op, 2, indices, "an update an index")
    return (table,)


def scatter_nd(op: Signature) -> tuple[Shape, ...]:
    """Each row of indices names the slice of the table that an update goes to."""
    table, indices = shape_of(op), shape_of(op, 1)
    message = f"found {dims(indices)}, expected rows of indices into {dims(table)}"
    fits = len(indices) > 0 and indices[-1] <= len(table)
    expect(fits, "inputs[1].shape", message)
    expect_shape(op, 2, (*indices[:-1], *table[indices[-1] :]), "a slice a row of indices")
    return (table,)


def one_hot(op: Signature) -> tuple[Shape, ...]:
    """Each index becomes a vector along a new axis."""
    shape = shape_of(op)
    axis = axis_of(op, len(shape) + 1)
    return ((*shape[:axis], op.attributes["depth"], *shape[axis:]),)
