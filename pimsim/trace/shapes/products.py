"""Shape rules of matrix products, convolutions and pools."""

from __future__ import annotations

from pimsim.trace.shapes.given import expect, expect_into, expect_shape, shape_of
from pimsim.trace.tensor import Shape, Signature, dims


def _window(op: Signature, ceil_mode: bool = False) -> Shape:
    """Spatial sizes after sliding a window (ONNX's Conv and pools)."""
    shape = shape_of(op)
    rank = len(shape) - 2
    field = "inputs[0].shape"
    expect(rank >= 1, field, f"found {dims(shape)}, expected batch, channels and at least one more dimension")
    attributes = op.attributes
    for name, count in (("kernel_shape", rank), ("strides", rank), ("dilations", rank), ("pads", 2 * rank)):
        found = len(attributes[name])
        message = f"found {found} numbers, expected {count} for an input of {dims(shape)}"
        expect(found == count, f"attributes.{name}", message)
    sizes = []
    for axis in range(rank):
        reach = attributes["dilations"][axis] * (attributes["kernel_shape"][axis] - 1) + 1
        begin, end = attributes["pads"][axis], attributes["pads"][axis + rank]
        room = shape[axis + 2] + begin + end - reach
        message = f"the kernel reaches over {reach}, more than the padded input's {room + reach}"
        stride = attributes["strides"][axis]
        # with ceil_mode a first window may reach beyond all there is
        expect(room >= 0 or (ceil_mode and room > -stride), f"attributes.kernel_shape[{axis}]", message)
        size = max(room, 0) // stride + 1
        if ceil_mode and room >= 0 and room % stride and size * stride < shape[axis + 2] + begin:
            size += 1  # a window that starts beyond the input and its first padding does not count
        sizes.append(size)
    return tuple(sizes)


def conv(op: Signature) -> tuple[Shape, ...]:
    """Input N×C×…, weight M×(C/group)×kernel, bias M."""
    shape, weight, group = shape_of(op), shape_of(op, 1), op.attributes["group"]
    sizes = _window(op)
    channels = shape[1]
    expect(
        channels % group == 0, "attributes.group", f"found {group}, which does not divide {channels} channels"
    )
    features = weight[0] if weight else 0
    expected = (features, channels // group, *op.attributes["kernel_shape"])
    expect_shape(op, 1, expected, f"output channels, {channels} channels / {group} groups, kernel_shape")
    expect(
        features % group == 0,
        "attributes.group",
        f"found {group}, which does not divide {features} output channels",
    )
    if len(op.inputs) == 3:
        expect_shape(op, 2, (features,), "one bias an output channel")
    return ((shape[0], features, *sizes),)


def pool(op: Signature) -> tuple[Shape, ...]:
    """A window that slides over each channel; with ceil_mode the last one may be partial."""
    sizes = _window(op, bool(op.attributes["ceil_mode"]))
    return (shape_of(op)[:2] + sizes,)


def global_pool(op: Signature) -> tuple[Shape, ...]:
    """All of each channel becomes one element."""
    shape = shape_of(op)
    expect(len(shape) >= 3, "inputs[0].shape", f"found {dims(shape)}, expected three dimensions at least")
    return (shape[:2] + (1,) * (len(shape) - 2),)


def gemm(op: Signature) -> tuple[Shape, ...]:
    """A (M×K, or K×M with transA) times B (K×N, or N×K with transB) plus C."""
    for position in (0, 1):
        found = shape_of(op, position)
        expect(len(found) == 2, f"inputs[{position}].shape", f"found {dims(found)}, expected a matrix")
    rows, inner = shape_of(op)[:: -1 if op.attributes["transA"] else 1]
    depth, columns = shape_of(op, 1)[:: -1 if op.attributes["transB"] else 1]
    message = (
        f"found {dims(shape_of(op, 1))}, whose inner dimension is {depth}, expected {inner} as of inputs[0]"
    )
    expect(depth == inner, "inputs[1].shape", message)
    if len(op.inputs) == 3:
        expect_into(op, 2, (rows, columns))
    return ((rows, columns),)


def matmul(op: Signature) -> tuple[Shape, ...]:
    """As numpy's matmul: the last two dimensions multiply, those before them broadcast."""
    left, right = shape_of(op), shape_of(op, 1)
    for position, shape in enumerate((left, right)):
        expect(len(shape) >= 1, f"inputs[{position}].shape", "found a scalar, expected a matrix")
    inner = right[-2] if len(right) > 1 else right[0]
    message = f"found {dims(right)}, whose inner dimension is {inner}, expected {left[-1]} as of inputs[0]"
    expect(inner == left[-1], "inputs[1].shape", message)
    rank = max(len(left), len(right), 2) - 2
    heads = [(1,) * (rank - max(len(shape) - 2, 0)) + shape[:-2] for shape in (left, right)]
    fits = all(a == b or 1 in (a, b) for a, b in zip(*heads, strict=True))
    expect(fits, "inputs[1].shape", f"{dims(right)} does not broadcast with {dims(left)}")
    head = tuple(map(max, *heads))
    return (head + left[-2:-1] + (right[-1:] if len(right) > 1 else ()),)
