"""Shape rules: what an op's outputs must be, given its inputs and attributes.

A rule takes an op and returns the shapes its outputs must have. If the inputs or attributes do not fit one
another it raises TraceError with the field at fault in ``where``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pimsim.errors import TraceError

if TYPE_CHECKING:
    from pimsim.trace.schema import Op

Shape = tuple[int, ...]


def dims(shape: Shape) -> str:
    """Write a shape as ``1x64x56x56``; a scalar is ``scalar``."""
    return "x".join(map(str, shape)) or "scalar"


def _input(op: Op, position: int = 0) -> Shape:
    return op.inputs[position].tensor.shape


def _expect(fits: bool, field: str, message: str) -> None:
    if not fits:
        raise TraceError(message, where=field)


def _expect_input(op: Op, position: int, expected: Shape, why: str) -> None:
    found = _input(op, position)
    _expect(
        found == expected,
        f"inputs[{position}].shape",
        f"found {dims(found)}, expected {dims(expected)} ({why})",
    )


def _axis(op: Op, limit: int) -> int:
    axis: int = op.attributes["axis"]
    _expect(axis < limit, "attributes.axis", f"found {axis}, expected less than {limit}")
    return axis


def _axes(op: Op, name: str, rank: int) -> tuple[int, ...]:
    axes: tuple[int, ...] = op.attributes[name]
    for position, axis in enumerate(axes):
        field = f"attributes.{name}[{position}]"
        _expect(axis < rank, field, f"found {axis}, expected less than the rank, {rank}")
    _expect(len(set(axes)) == len(axes), f"attributes.{name}", f"found {list(axes)}, which repeats an axis")
    return axes


def declared(op: Op) -> tuple[Shape, ...]:
    """Any shape will do."""
    return tuple(output.shape for output in op.outputs)


def same(op: Op) -> tuple[Shape, ...]:
    """The output is shaped as the first input."""
    return (_input(op),)


def same_along_axis(op: Op) -> tuple[Shape, ...]:
    """As `same`, and the axis is one of the input's."""
    _axis(op, len(_input(op)))
    return (_input(op),)


def same_rank(op: Op) -> tuple[Shape, ...]:
    """The output has the input's rank; its sizes are its own."""
    rank = len(_input(op))
    found = op.output.shape
    _expect(len(found) == rank, "outputs[0].shape", f"found {dims(found)}, expected {rank} dimensions")
    return (found,)


def broadcast(op: Op) -> tuple[Shape, ...]:
    """Shapes aligned at their ends; along each dimension all sizes are equal or 1 (as numpy)."""
    result: Shape = ()
    for position in range(len(op.inputs)):
        shape = _input(op, position)
        rank = max(len(result), len(shape))
        left = (1,) * (rank - len(result)) + result
        right = (1,) * (rank - len(shape)) + shape
        fits = all(a == b or 1 in (a, b) for a, b in zip(left, right, strict=True))
        field = f"inputs[{position}].shape"
        _expect(fits, field, f"{dims(shape)} does not broadcast with {dims(result)} of the inputs before it")
        result = tuple(map(max, left, right))
    return (result,)


def prelu(op: Op) -> tuple[Shape, ...]:
    """The slope broadcasts into the input's shape, not the other way."""
    (shape,) = broadcast(op)
    _expect(
        shape == _input(op),
        "inputs[1].shape",
        f"{dims(_input(op, 1))} does not broadcast into {dims(_input(op))}",
    )
    return (shape,)


def _window(op: Op, ceil_mode: bool = False) -> Shape:
    """Spatial sizes after sliding a window (ONNX's Conv and pools)."""
    shape = _input(op)
    rank = len(shape) - 2
    field = "inputs[0].shape"
    _expect(
        rank >= 1, field, f"found {dims(shape)}, expected batch, channels and at least one more dimension"
    )
    attributes = op.attributes
    for name, count in (("kernel_shape", rank), ("strides", rank), ("dilations", rank), ("pads", 2 * rank)):
        found = len(attributes[name])
        message = f"found {found} numbers, expected {count} for an input of {dims(shape)}"
        _expect(found == count, f"attributes.{name}", message)
    sizes = []
    for axis in range(rank):
        reach = attributes["dilations"][axis] * (attributes["kernel_shape"][axis] - 1) + 1
        begin, end = attributes["pads"][axis], attributes["pads"][axis + rank]
        room = shape[axis + 2] + begin + end - reach
        message = f"the kernel reaches over {reach}, more than the padded input's {room + reach}"
        _expect(room >= 0, f"attributes.kernel_shape[{axis}]", message)
        stride = attributes["strides"][axis]
        size = room // stride + 1
        if ceil_mode and room % stride and size * stride < shape[axis + 2] + begin:
            size += 1  # a window that starts beyond the input and its first padding does not count
        sizes.append(size)
    return tuple(sizes)


def conv(op: Op) -> tuple[Shape, ...]:
    """Input N×C×…, weight M×(C/group)×kernel, bias M."""
    shape, weight, group = _input(op), _input(op, 1), op.attributes["group"]
    sizes = _window(op)
    channels = shape[1]
    _expect(
        channels % group == 0, "attributes.group", f"found {group}, which does not divide {channels} channels"
    )
    features = weight[0] if weight else 0
    expected = (features, channels // group, *op.attributes["kernel_shape"])
    _expect_input(op, 1, expected, f"output channels, {channels} channels / {group} groups, kernel_shape")
    _expect(
        features % group == 0,
        "attributes.group",
        f"found {group}, which does not divide {features} output channels",
    )
    if len(op.inputs) == 3:
        _expect_input(op, 2, (features,), "one bias an output channel")
    return ((shape[0], features, *sizes),)


def _into(op: Op, position: int, shape: Shape) -> None:
    """Check that an operand broadcasts into a shape without widening it."""
    found = _input(op, position)
    tail = shape[len(shape) - len(found) :]
    fits = len(found) <= len(shape) and all(a in (1, b) for a, b in zip(found, tail, strict=True))
    _expect(fits, f"inputs[{position}].shape", f"{dims(found)} does not broadcast into {dims(shape)}")


def gemm(op: Op) -> tuple[Shape, ...]:
    """A (M×K, or K×M with transA) times B (K×N, or N×K with transB) plus C."""
    for position in (0, 1):
        found = _input(op, position)
        _expect(len(found) == 2, f"inputs[{position}].shape", f"found {dims(found)}, expected a matrix")
    rows, inner = _input(op)[:: -1 if op.attributes["transA"] else 1]
    depth, columns = _input(op, 1)[:: -1 if op.attributes["transB"] else 1]
    message = (
        f"found {dims(_input(op, 1))}, whose inner dimension is {depth}, expected {inner} as of inputs[0]"
    )
    _expect(depth == inner, "inputs[1].shape", message)
    if len(op.inputs) == 3:
        _into(op, 2, (rows, columns))
    return ((rows, columns),)


def matmul(op: Op) -> tuple[Shape, ...]:
    """As numpy's matmul: the last two dimensions multiply, those before them broadcast."""
    left, right = _input(op), _input(op, 1)
    for position, shape in enumerate((left, right)):
        _expect(len(shape) >= 1, f"inputs[{position}].shape", "found a scalar, expected a matrix")
    inner = right[-2] if len(right) > 1 else right[0]
    message = f"found {dims(right)}, whose inner dimension is {inner}, expected {left[-1]} as of inputs[0]"
    _expect(inner == left[-1], "inputs[1].shape", message)
    rank = max(len(left), len(right), 2) - 2
    heads = [(1,) * (rank - max(len(shape) - 2, 0)) + shape[:-2] for shape in (left, right)]
    fits = all(a == b or 1 in (a, b) for a, b in zip(*heads, strict=True))
    _expect(fits, "inputs[1].shape", f"{dims(right)} does not broadcast with {dims(left)}")
    head = tuple(map(max, *heads))
    return (head + left[-2:-1] + (right[-1:] if len(right) > 1 else ()),)


def batch_normalization(op: Op) -> tuple[Shape, ...]:
    """Scale, bias, mean and variance hold one number a channel."""
    shape = _input(op)
    _expect(len(shape) >= 2, "inputs[0].shape", f"found {dims(shape)}, expected batch and channels at least")
    for position in range(1, 5):
        _expect_input(op, position, (shape[1],), "one number a channel")
    return (shape,)


def layer_normalization(op: Op) -> tuple[Shape, ...]:
    """Scale and bias broadcast into the dimensions from the axis on."""
    shape = _input(op)
    axis = _axis(op, len(shape))
    for position in range(1, len(op.inputs)):
        _into(op, position, shape[axis:])
    return (shape,)


def pool(op: Op) -> tuple[Shape, ...]:
    """A window that slides over each channel; with ceil_mode the last one may be partial."""
    sizes = _window(op, bool(op.attributes["ceil_mode"]))
    return (_input(op)[:2] + sizes,)


def global_pool(op: Op) -> tuple[Shape, ...]:
    """All of each channel becomes one element."""
    shape = _input(op)
    _expect(len(shape) >= 3, "inputs[0].shape", f"found {dims(shape)}, expected three dimensions at least")
    return (shape[:2] + (1,) * (len(shape) - 2),)


def reduce(op: Op) -> tuple[Shape, ...]:
    """The axes become 1, or vanish without keepdims."""
    shape = _input(op)
    axes = _axes(op, "axes", len(shape))
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    dropped = tuple(size for axis, size in enumerate(shape) if axis not in axes)
    return (kept if op.attributes["keepdims"] else dropped,)


def top_k(op: Op) -> tuple[Shape, ...]:
    """The k largest along the axis; a second output has their indices."""
    shape, k = _input(op), op.attributes["k"]
    axis = _axis(op, len(shape))
    _expect(k <= shape[axis], "attributes.k", f"found {k}, expected at most {shape[axis]}")
    _expect(len(op.outputs) <= 2, "outputs", f"found {len(op.outputs)}, expected values and indices")
    return ((*shape[:axis], k, *shape[axis + 1 :]),) * len(op.outputs)


def gather(op: Op) -> tuple[Shape, ...]:
    """Each index stands for what is at it along the axis (a token for its row of a table)."""
    table, indices = _input(op), _input(op, 1)
    axis = _axis(op, len(table))
    return ((*table[:axis], *indices, *table[axis + 1 :]),)


def expand(op: Op) -> tuple[Shape, ...]:
    """The input broadcasts into the output: it is read several times, and nothing moves."""
    shape = op.output.shape
    _into(op, 0, shape)
    return (shape,)


def concat(op: Op) -> tuple[Shape, ...]:
    """Sizes add up along the axis and are equal elsewhere."""
    first = _input(op)
    axis = _axis(op, len(first))
    total = 0
    for position in range(len(op.inputs)):
        shape = _input(op, position)
        fits = (
            len(shape) == len(first) and shape[:axis] + shape[axis + 1 :] == first[:axis] + first[axis + 1 :]
        )
        message = f"{dims(shape)} differs from {dims(first)} of inputs[0] elsewhere than along axis {axis}"
        _expect(fits, f"inputs[{position}].shape", message)
        total += shape[axis]
    return ((*first[:axis], total, *first[axis + 1 :]),)


def reshape(op: Op) -> tuple[Shape, ...]:
    """As many elements as before."""
    before, after = op.inputs[0].tensor, op.output
    message = (
        f"{dims(after.shape)} has {after.elements} elements, "
        f"expected {before.elements} as the input's {dims(before.shape)}"
    )
    _expect(before.elements == after.elements, "outputs[0].shape", message)
    return (after.shape,)


def flatten(op: Op) -> tuple[Shape, ...]:
    """A matrix: the dimensions before the axis times those from it on."""
    shape = _input(op)
    axis = _axis(op, len(shape) + 1)
    return ((math.prod(shape[:axis]), math.prod(shape[axis:])),)


def squeeze(op: Op) -> tuple[Shape, ...]:
    """The axes, all of size 1, vanish."""
    shape = _input(op)
    axes = _axes(op, "axes", len(shape))
    for position, axis in enumerate(axes):
        message = f"axis {axis} of {dims(shape)} has size {shape[axis]}, expected 1"
        _expect(shape[axis] == 1, f"attributes.axes[{position}]", message)
    return (tuple(size for axis, size in enumerate(shape) if axis not in axes),)


def unsqueeze(op: Op) -> tuple[Shape, ...]:
    """Dimensions of size 1 appear at the axes, counted in the output."""
    shape = _input(op)
    axes = _axes(op, "axes", len(shape) + len(op.attributes["axes"]))
    sizes = iter(shape)
    return (tuple(1 if axis in axes else next(sizes) for axis in range(len(shape) + len(axes))),)


def transpose(op: Op) -> tuple[Shape, ...]:
    """Dimension i of the output is dimension perm[i] of the input."""
    shape = _input(op)
    perm = _axes(op, "perm", len(shape))
    _expect(len(perm) == len(shape), "attributes.perm", f"found {len(perm)} axes, expected {len(shape)}")
    return (tuple(shape[axis] for axis in perm),)


def pad(op: Op) -> tuple[Shape, ...]:
    """All begins, then all ends, are added; a negative one crops."""
    shape, pads = _input(op), op.attributes["pads"]
    rank = len(shape)
    _expect(len(pads) == 2 * rank, "attributes.pads", f"found {len(pads)} numbers, expected {2 * rank}")
    sizes = tuple(size + pads[axis] + pads[axis + rank] for axis, size in enumerate(shape))
    _expect(all(size > 0 for size in sizes), "attributes.pads", f"nothing is left of {dims(shape)}")
    return (sizes,)


def slice_(op: Op) -> tuple[Shape, ...]:
    """Along each of the axes, the elements from start to end (exclusive) by step."""
    shape = list(_input(op))
    axes = _axes(op, "axes", len(shape))
    for name in ("starts", "ends", "steps"):
        found = len(op.attributes[name])
        _expect(found == len(axes), f"attributes.{name}", f"found {found} numbers, expected {len(axes)}")
    for position, axis in enumerate(axes):
        start, end, step = (op.attributes[name][position] for name in ("starts", "ends", "steps"))
        _expect(step != 0, f"attributes.steps[{position}]", "found 0, expected a step")
        size = shape[axis]
        fits = start < size and -1 <= end <= size
        message = f"{start} to {end} is outside of axis {axis} of {dims(_input(op))}"
        _expect(fits, f"attributes.starts[{position}]", message)
        shape[axis] = len(range(start, end, step))
        message = f"nothing is left of axis {axis} of {dims(_input(op))}"
        _expect(shape[axis] > 0, f"attributes.ends[{position}]", message)
    return (tuple(shape),)


def split(op: Op) -> tuple[Shape, ...]:
    """The outputs' sizes along the axis add up to the input's and are equal elsewhere."""
    shape = _input(op)
    axis = _axis(op, len(shape))
    parts = []
    for position, output in enumerate(op.outputs):
        size = output.shape[axis] if axis < len(output.shape) else 0
        expected = (*shape[:axis], size, *shape[axis + 1 :])
        message = f"{dims(output.shape)} differs from {dims(shape)} elsewhere than along axis {axis}"
        _expect(output.shape == expected, f"outputs[{position}].shape", message)
        parts.append(size)
    message = f"{' + '.join(map(str, parts))} along axis {axis} is not {shape[axis]}"
    _expect(sum(parts) == shape[axis], "outputs", message)
    return tuple(output.shape for output in op.outputs)


def _routed(op: Op, position: int) -> int:
    """Return the tokens that an operand of choices (experts' numbers, or their gates) routes, ``top`` each."""
    shape, top = _input(op, position), op.attributes["top"]
    message = f"found {dims(shape)}, expected {top} choices a token along the last dimension"
    _expect(shape[-1:] == (top,), f"inputs[{position}].shape", message)
    experts = op.attributes["experts"]
    _expect(
        top <= experts, "attributes.top", f"found {top}, expected at most the number of experts, {experts}"
    )
    return math.prod(shape[:-1])


def _rows(op: Op, shape: Shape, field: str, tokens: int) -> None:
    message = f"found {dims(shape)}, expected a matrix of up to {tokens} rows, as many as there are tokens"
    _expect(len(shape) == 2 and shape[0] <= tokens, field, message)


def dispatch(op: Op) -> tuple[Shape, ...]:
    """Some of the tokens' hidden states (…×features), a row each; which ones, the choices (…×top) say."""
    shape, tokens = _input(op), _routed(op, 1)
    message = f"found {dims(shape)}, expected the hidden states of {tokens} tokens"
    _expect(len(shape) >= 2 and math.prod(shape[:-1]) == tokens, "inputs[0].shape", message)
    expert, experts = op.attributes["expert"], op.attributes["experts"]
    _expect(expert < experts, "attributes.expert", f"found {expert}, expected less than {experts}")
    _rows(op, op.output.shape, "outputs[0].shape", tokens)
    return ((op.output.shape[0], shape[-1]),)


def combine(op: Op) -> tuple[Shape, ...]:
    """The rows of experts, weighted with the gates (…×top) and summed into one a token."""
    tokens, shape = _routed(op, 0), op.output.shape
    most = op.attributes["experts"]
    message = f"found {len(op.inputs) - 1} experts, expected at most {most}"
    _expect(len(op.inputs) - 1 <= most, "inputs", message)
    for position in range(1, len(op.inputs)):
        _rows(op, _input(op, position), f"inputs[{position}].shape", tokens)
    features = _input(op, 1)[1]
    for position in range(2, len(op.inputs)):
        _expect_input(op, position, (_input(op, position)[0], features), "features as of inputs[1]")
    fits = len(shape) >= 2 and math.prod(shape[:-1]) == tokens and shape[-1] == features
    message = f"found {dims(shape)}, expected {features} features of {tokens} tokens"
    _expect(fits, "outputs[0].shape", message)
    return (shape,)
