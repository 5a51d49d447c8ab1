"""Shape rules of ops that rearrange, repeat or choose."""

from __future__ import annotations

import math

from pimsim.trace.shapes.given import axes_of, axis_of, expect, expect_into, shape_of
from pimsim.trace.tensor import Shape, Signature, dims


def tile(op: Signature) -> tuple[Shape, ...]:
    """The input is laid out several times along each axis."""
    shape, repeats = shape_of(op), op.attributes["repeats"]
    message = f"found {len(repeats)} numbers, expected {len(shape)}"
    expect(len(repeats) == len(shape), "attributes.repeats", message)
    return (tuple(size * count for size, count in zip(shape, repeats, strict=True)),)


def expand(op: Signature) -> tuple[Shape, ...]:
    """The input broadcasts into the output: it is read several times, and nothing moves."""
    shape = op.output.shape
    expect_into(op, 0, shape)
    return (shape,)


def concat(op: Signature) -> tuple[Shape, ...]:
    """Sizes add up along the axis and are equal elsewhere."""
    first = shape_of(op)
    axis = axis_of(op, len(first))
    total = 0
    for position in range(len(op.inputs)):
        shape = shape_of(op, position)
        fits = (
            len(shape) == len(first) and shape[:axis] + shape[axis + 1 :] == first[:axis] + first[axis + 1 :]
        )
        message = f"{dims(shape)} differs from {dims(first)} of inputs[0] elsewhere than along axis {axis}"
        expect(fits, f"inputs[{position}].shape", message)
        total += shape[axis]
    return ((*first[:axis], total, *first[axis + 1 :]),)


def reshape(op: Signature) -> tuple[Shape, ...]:
    """As many elements as before."""
    before, after = op.inputs[0].tensor, op.output
    message = (
        f"{dims(after.shape)} has {after.elements} elements, "
        f"expected {before.elements} as the input's {dims(before.shape)}"
    )
    expect(before.elements == after.elements, "outputs[0].shape", message)
    return (after.shape,)


def flatten(op: Signature) -> tuple[Shape, ...]:
    """A matrix: the dimensions before the axis times those from it on."""
    shape = shape_of(op)
    axis = axis_of(op, len(shape) + 1)
    return ((math.prod(shape[:axis]), math.prod(shape[axis:])),)


def squeeze(op: Signature) -> tuple[Shape, ...]:
    """The axes, all of size 1, vanish."""
    shape = shape_of(op)
    axes = axes_of(op, "axes", len(shape))
    for position, axis in enumerate(axes):
        message = f"axis {axis} of {dims(shape)} has size {shape[axis]}, expected 1"
        expect(shape[axis] == 1, f"attributes.axes[{position}]", message)
    return (tuple(size for axis, size in enumerate(shape) if axis not in axes),)


def unsqueeze(op: Signature) -> tuple[Shape, ...]:
    """Dimensions of size 1 appear at the axes, counted in the output."""
    shape = shape_of(op)
    axes = axes_of(op, "axes", len(shape) + len(op.attributes["axes"]))
    sizes = iter(shape)
    return (tuple(1 if axis in axes else next(sizes) for axis in range(len(shape) + len(axes))),)


def transpose(op: Signature) -> tuple[Shape, ...]:
    """Dimension i of the output is dimension perm[i] of the input."""
    shape = shape_of(op)
    perm = axes_of(op, "perm", len(shape))
    expect(len(perm) == len(shape), "attributes.perm", f"found {len(perm)} axes, expected {len(shape)}")
    return (tuple(shape[axis] for axis in perm),)


def pad(op: Signature) -> tuple[Shape, ...]:
    """All begins, then all ends, are added; a negative one crops."""
    shape, pads = shape_of(op), op.attributes["pads"]
    rank = len(shape)
    expect(len(pads) == 2 * rank, "attributes.pads", f"found {len(pads)} numbers, expected {2 * rank}")
    sizes = tuple(size + pads[axis] + pads[axis + rank] for axis, size in enumerate(shape))
    expect(all(size > 0 for size in sizes), "attributes.pads", f"nothing is left of {dims(shape)}")
    return (sizes,)


def slice_(op: Signature) -> tuple[Shape, ...]:
    """Along each of the axes, the elements from start to end (exclusive) by step."""
    shape = list(shape_of(op))
    axes = axes_of(op, "axes", len(shape))
    for name in ("starts", "ends", "steps"):
        found = len(op.attributes[name])
        expect(found == len(axes), f"attributes.{name}", f"found {found} numbers, expected {len(axes)}")
    for position, axis in enumerate(axes):
        start, end, step = (op.attributes[name][position] for name in ("starts", "ends", "steps"))
        expect(step != 0, f"attributes.steps[{position}]", "found 0, expected a step")
        size = shape[axis]
        fits = start < size and -1 <= end <= size
        message = f"{start} to {end} is outside of axis {axis} of {dims(shape_of(op))}"
        expect(fits, f"attributes.starts[{position}]", message)
        shape[axis] = len(range(start, end, step))
        message = f"nothing is left of axis {axis} of {dims(shape_of(op))}"
        expect(shape[axis] > 0, f"attributes.ends[{position}]", message)
    return (tuple(shape),)


def split(op: Signature) -> tuple[Shape, ...]:
    """The outputs' sizes along the axis add up to the input's and are equal elsewhere."""
    shape = shape_of(op)
    axis = axis_of(op, len(shape))
    parts = []
    for position, output in enumerate(op.outputs):
        size = output.shape[axis] if axis < len(output.shape) else 0
        expected = (*shape[:axis], size, *shape[axis + 1 :])
        message = f"{dims(output.shape)} differs from {dims(shape)} elsewhere than along axis {axis}"
        expect(output.shape == expected, f"outputs[{position}].shape", message)
        parts.append(size)
    message = f"{' + '.join(map(str, parts))} along axis {axis} is not {shape[axis]}"
    expect(sum(parts) == shape[axis], "outputs", message)
    return tuple(output.shape for output in op.outputs)
