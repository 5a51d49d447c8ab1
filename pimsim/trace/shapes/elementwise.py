"""Shape rules of ops that work element by element, normalize or reduce."""

from __future__ import annotations

from pimsim.trace.shapes.given import axes_of, axis_of, expect, expect_into, expect_shape, shape_of
from pimsim.trace.tensor import Shape, Signature, dims


def declared(op: Signature) -> tuple[Shape, ...]:
    """Any shape will do."""
    return tuple(output.shape for output in op.outputs)


def same(op: Signature) -> tuple[Shape, ...]:
    """The output is shaped as the first input."""
    return (shape_of(op),)


def same_along_axis(op: Signature) -> tuple[Shape, ...]:
    """As `same`, and the axis is one of the input's."""
    axis_of(op, len(shape_of(op)))
    return (shape_of(op),)


def same_rank(op: Signature) -> tuple[Shape, ...]:
    """The output has the input's rank; its sizes are its own."""
    rank = len(shape_of(op))
    found = op.output.shape
    expect(len(found) == rank, "outputs[0].shape", f"found {dims(found)}, expected {rank} dimensions")
    return (found,)


def broadcast(op: Signature) -> tuple[Shape, ...]:
    """Shapes aligned at their ends; along each dimension all sizes are equal or 1 (as numpy)."""
    result: Shape = ()
    for position in range(len(op.inputs)):
        shape = shape_of(op, position)
        rank = max(len(result), len(shape))
        left = (1,) * (rank - len(result)) + result
        right = (1,) * (rank - len(shape)) + shape
        fits = all(a == b or 1 in (a, b) for a, b in zip(left, right, strict=True))
        field = f"inputs[{position}].shape"
        expect(fits, field, f"{dims(shape)} does not broadcast with {dims(result)} of the inputs before it")
        result = tuple(map(max, left, right))
    return (result,)


def prelu(op: Signature) -> tuple[Shape, ...]:
    """The slope broadcasts into the input's shape, not the other way."""
    (shape,) = broadcast(op)
    expect(
        shape == shape_of(op),
        "inputs[1].shape",
        f"{dims(shape_of(op, 1))} does not broadcast into {dims(shape_of(op))}",
    )
    return (shape,)


def batch_normalization(op: Signature) -> tuple[Shape, ...]:
    """Scale, bias, mean and variance hold one number a channel."""
    shape = shape_of(op)
    expect(len(shape) >= 2, "inputs[0].shape", f"found {dims(shape)}, expected batch and channels at least")
    for position in range(1, 5):
        expect_shape(op, position, (shape[1],), "one number a channel")
    return (shape,)


def layer_normalization(op: Signature) -> tuple[Shape, ...]:
    """Scale and bias broadcast into the dimensions from the axis on."""
    shape = shape_of(op)
    axis = axis_of(op, len(shape))
    for position in range(1, len(op.inputs)):
        expect_into(op, position, shape[axis:])
    return (shape,)


def reduce(op: Signature) -> tuple[Shape, ...]:
    """The axes become 1, or vanish without keepdims."""
    shape = shape_of(op)
    axes = axes_of(op, "axes", len(shape))
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    dropped = tuple(size for axis, size in enumerate(shape) if axis not in axes)
    return (kept if op.attributes["keepdims"] else dropped,)


def top_k(op: Signature) -> tuple[Shape, ...]:
    """The k largest along the axis; a second output has their indices."""
    shape, k = shape_of(op), op.attributes["k"]
    axis = axis_of(op, len(shape))
    expect(k <= shape[axis], "attributes.k", f"found {k}, expected at most {shape[axis]}")
    expect(len(op.outputs) <= 2, "outputs", f"found {len(op.outputs)}, expected values and indices")
    return ((*shape[:axis], k, *shape[axis + 1 :]),) * len(op.outputs)


def same_over_axes(op: Signature) -> tuple[Shape, ...]:
    """As `same`, and the axes are the input's."""
    axes_of(op, "axes", len(shape_of(op)))
    return (shape_of(op),)


def channel_normalization(op: Signature) -> tuple[Shape, ...]:
    """Scale and bias, if there are any, hold one number a channel."""
    shape = shape_of(op)
    expect(len(shape) >= 2, "inputs[0].shape", f"found {dims(shape)}, expected batch and channels at least")
    for position in range(1, len(op.inputs)):
        expect_shape(op, position, (shape[1],), "one number a channel")
    return (shape,)


def group_normalization(op: Signature) -> tuple[Shape, ...]:
    """As `channel_normalization`; the groups divide the channels, and one number a group will do (opset 18)."""
    shape, groups = shape_of(op), op.attributes["num_groups"]
    expect(len(shape) >= 2, "inputs[0].shape", f"found {dims(shape)}, expected batch and channels at least")
    message = f"found {groups}, which does not divide {shape[1]} channels"
    expect(shape[1] % groups == 0, "attributes.num_groups", message)
    for position in range(1, len(op.inputs)):
        if shape_of(op, position) != (groups,):
            expect_shape(op, position, (shape[1],), "one number a channel")
    return (shape,)


def choose(op: Signature) -> tuple[Shape, ...]:
    """The axis becomes 1, or vanishes without keepdims."""
    shape = shape_of(op)
    axis = axis_of(op, len(shape))
    return ((*shape[:axis], *([1] if op.attributes["keepdims"] else []), *shape[axis + 1 :]),)
