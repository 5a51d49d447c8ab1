"""What views, transpositions, slices and joins of ATen are in a trace: mostly nothing, else data that moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pimsim.trace.torch.graph import Builder, Cache, Const, Handler, Made, Shape, Value, registrar

if TYPE_CHECKING:
    from torch.fx import Node

MOVES: dict[str, Handler] = {}


_moves = registrar(MOVES)


@_moves(
    *("clone.default", "detach.default", "alias.default", "contiguous.default", "lift_fresh_copy.default"),
    *("_to_copy.default", "to.dtype", "to.dtype_layout", "to.device", "to.other"),
    *("dropout.default", "native_dropout.default", "dropout_.default", "detach_.default", "type_as.default"),
)
def _vanishes(b: Builder, node: Node) -> Value | list[Value]:
    value = b.value(node.args[0])
    return [value] if isinstance(node.meta["val"], list | tuple) else value


@_moves(
    *("view.default", "_unsafe_view.default", "reshape.default", "flatten.using_ints", "unsqueeze.default"),
    *(
        "squeeze.default",
        "squeeze.dim",
        "squeeze.dims",
        "unflatten.int",
        "view_as.default",
        "reshape_as.default",
    ),
)
def _view(b: Builder, node: Node) -> Value:
    value, (shape, _) = b.value(node.args[0]), b.form(node)
    if isinstance(value, Made):
        return value.seen_as(shape)
    return type(value)(shape, value.dtype)


@_moves("expand.default", "expand_as.default", "broadcast_to.default")
def _expand(b: Builder, node: Node) -> Value:
    value, (shape, _) = b.value(node.args[0]), b.form(node)
    if value.shape == shape:
        return value
    return b.one(node, "Expand", [b.operand(value)])


@_moves("repeat.default")
def _repeat(b: Builder, node: Node) -> Value:
    """As an Expand where a dimension of 1 repeats; else a Tile."""
    value, (shape, _) = b.value(node.args[0]), b.form(node)
    padded = (1,) * (len(shape) - len(value.shape)) + value.shape
    if padded == shape:
        return value.seen_as(shape) if isinstance(value, Made) else type(value)(shape, value.dtype)
    if all(before in (1, after) for before, after in zip(padded, shape, strict=True)):
        return b.one(node, "Expand", [b.operand(value)])
    if isinstance(value, Made):
        value = value.seen_as(padded)
    repeats = tuple(node.args[1])
    if any(not isinstance(each, int) for each in repeats):
        return b.refused(node, "repeat (a symbolic number of times)")
    return b.one(node, "Tile", [b.operand(value)], None, {"repeats": repeats})


def transposed(b: Builder, node: Node, value: Value, perm: Sequence[int]) -> Value:
    """Return a value with its axes in another order; two transpositions in a row are one."""
    perm = tuple(perm)
    shape: Shape = tuple(value.shape[axis] for axis in perm)
    if not isinstance(value, Made):
        return type(value)(shape, value.dtype)
    if perm == tuple(range(len(perm))):
        return value
    below = _below_heads(b, node, value, perm)
    if below is not None:
        return below
    value = b.settled(value)
    before = b.ops[value.op]
    if before.type == "Transpose":
        (source,) = before.inputs
        first = before.attributes["perm"]
        value = Made(str(source.source), source.index, (source.tensor.shape,), source.tensor.dtype)
        return transposed(b, node, value, tuple(first[axis] for axis in perm))
    return b.one(node, "Transpose", [b.operand(value)], shape, {"perm": perm})


def _below_heads(b: Builder, node: Node, value: Made, perm: tuple[int, ...]) -> Value | None:
    """Transpose the heads of keys before query heads share them, not the many after: as much data less to move."""
    expand = b.ops[value.op]
    if (
        expand.type != "Expand"
        or len(value.shapes) != 2
        or len(perm) < 3
        or perm[:-2] != tuple(range(len(perm) - 2))
    ):
        return None
    apart = b.ops[str(expand.inputs[0].source)]
    few, many = expand.inputs[0].tensor.shape, expand.output.shape
    if apart.type != "Reshape" or len(many) != len(perm) + 1 or few[-2:] != many[-2:] or few[-3] != 1:
        return None
    (heads,) = apart.inputs
    if heads.tensor.shape != (*few[:-3], *few[-2:]):
        return None
    source = Made(str(heads.source), heads.index, (heads.tensor.shape,), heads.tensor.dtype)
    turned = transposed(b, node, source, perm)
    assert isinstance(turned, Made)
    rows, columns = turned.shape[-2:]
    operand = b.operand(turned.seen_as((*few[:-2], rows, columns)))
    shared = b.one(node, "Expand", [operand], (*many[:-2], rows, columns))
    return shared.seen_as((*value.shape[:-2], rows, columns))


@_moves("permute.default", "transpose.int", "t.default", "numpy_T.default")
def _permute(b: Builder, node: Node) -> Value:
    value = b.value(node.args[0])
    rank = len(value.shape)
    perm = list(range(rank))
    if "permute" in str(node.target):
        perm = [int(axis) % rank for axis in node.args[1]]
    elif "transpose" in str(node.target):
        one, other = (int(axis) % rank for axis in node.args[1:3])
        perm[one], perm[other] = other, one
    else:
        perm.reverse()
    return transposed(b, node, value, perm)


@_moves("cat.default", "stack.default")
def _join(b: Builder, node: Node) -> Value:
    """Join along an axis; what is empty does not count (torch's caches begin so)."""
    shape, _ = b.form(node)
    rank = len(shape)
    axis = int(node.args[1]) % rank if len(node.args) > 1 else 0
    values = [b.value(each) for each in node.args[0]]
    if "stack" in str(node.target):
        values = [
            value.seen_as((*value.shape[:axis], 1, *value.shape[axis:])) if isinstance(value, Made) else value
            for value in values
        ]
    values = [value for value in values if 0 not in value.shape]
    if len(values) == 1:
        return values[0]
    operands = []
    for value in values:
        if isinstance(value, Const) and "stack" in str(node.target):
            value = Const((*value.shape[:axis], 1, *value.shape[axis:]), value.dtype)
        operand = b.operand(Const(value.shape, value.dtype), "cache") if isinstance(value, Cache) else None
        operands.append(operand or b.operand(value))
    return b.one(node, "Concat", operands, None, {"axis": axis})


def _sliced(
    b: Builder, node: Node, value: Value, axis: int, bounds: tuple[Any, Any, int], shape: Shape
) -> Value:
    if not isinstance(value, Made):
        return type(value)(shape, value.dtype)
    if value.shape == shape:
        return value
    start, end, step = bounds
    attributes = {"starts": (start,), "ends": (end,), "axes": (axis,), "steps": (step,)}
    return b.one(node, "Slice", [b.operand(value)], shape, attributes)


def _place(b: Builder, argument: Any, size: Any, default: Any) -> Any:
    """Return a bound of a slice, counted from the start and within the dimension."""
    from pimsim.trace.symbols import parse, total

    if argument is None:
        return default
    if hasattr(argument, "meta"):
        argument = b.exported.size(argument.meta["val"])
    if isinstance(argument, int) and argument < 0:
        terms = [*parse(str(size)).terms, ((), argument)]
        argument = total(terms).plain()
    if isinstance(argument, int) and isinstance(size, int):
        return max(0, min(argument, size))
    return size if isinstance(argument, int) and argument > 2**31 - 1 else argument


@_moves("narrow.default")
def _narrow(b: Builder, node: Node) -> Value:
    value, (shape, _) = b.value(node.args[0]), b.form(node)
    axis = int(node.args[1]) % len(shape)
    start = _place(b, node.args[2], value.shape[axis], 0)
    return _sliced(b, node, value, axis, (start, start + shape[axis], 1), shape)


@_moves("slice.Tensor")
def _slice(b: Builder, node: Node) -> Value:
    value, (shape, _) = b.value(node.args[0]), b.form(node)
    given = [*node.args, *[None] * (5 - len(node.args))]
    axis = int(given[1] or 0) % len(shape)
    size = value.shape[axis]
    start, end = _place(b, given[2], size, 0), _place(b, given[3], size, size)
    return _sliced(b, node, value, axis, (start, end, int(given[4] or 1)), shape)


@_moves("select.int")
def _select(b: Builder, node: Node) -> Value:
    value, (shape, _) = b.value(node.args[0]), b.form(node)
    axis = int(node.args[1]) % len(value.shape)
    start = _place(b, node.args[2], value.shape[axis], 0)
    end = start + 1 if isinstance(start, int) else _place(b, node.args[2] + 1, value.shape[axis], 0)
    one = (*value.shape[:axis], 1, *value.shape[axis + 1 :])
    found = _sliced(b, node, value, axis, (start, end, 1), one)
    return found.seen_as(shape) if isinstance(found, Made) else type(found)(shape, found.dtype)


@_moves("split_with_sizes.default", "split.Tensor", "chunk.default", "unbind.int")
def _split(b: Builder, node: Node) -> list[Value]:
    value = b.value(node.args[0])
    outputs = [b.form(node, index) for index in range(len(node.meta["val"]))]
    name = str(node.target)
    at = 1 if "unbind" in name else 2
    axis = int(node.args[at]) % len(value.shape) if len(node.args) > at else 0
    if not isinstance(value, Made):
        return [type(value)(shape, dtype) for shape, dtype in outputs]
    if "unbind" in name:
        wide = [((*shape[:axis], 1, *shape[axis:]), dtype) for shape, dtype in outputs]
        parts = b.emit(node, "Split", [b.operand(value)], wide, {"axis": axis})
        return [
            part.seen_as(shape) if isinstance(part, Made) else part
            for part, (shape, _) in zip(parts, outputs, strict=True)
        ]
    return b.emit(node, "Split", [b.operand(value)], outputs, {"axis": axis})


@_moves("constant_pad_nd.default", "pad.default")
def _pad(b: Builder, node: Node) -> Value:
    """Torch's padding begins with the last axis, a begin and an end each."""
    value = b.value(node.args[0])
    mode, fill = ("constant", node.args[2:3]) if "constant" in str(node.target) else _padding(node)
    if not any(node.args[1]):
        return value
    rank = len(value.shape)
    given: list[int] = list(node.args[1])
    begins, ends = [0] * rank, [0] * rank
    for place in range(len(given) // 2):
        begins[rank - 1 - place], ends[rank - 1 - place] = given[2 * place : 2 * place + 2]
    made = b.one(node, "Pad", [b.operand(value)], None, {"pads": (*begins, *ends), "mode": mode})
    if mode == "constant" and not any(fill):
        b.zero_padded.add(made.op)
    return made


def _padding(node: Node) -> tuple[str, tuple[Any, ...]]:
    """Return ONNX's name of the mode, and what a constant padding is filled with, if it is said."""
    mode = str(node.args[2]) if len(node.args) > 2 else "constant"
    return {"replicate": "edge", "circular": "wrap"}.get(mode, mode), node.args[3:4]


@_moves(
    *("zeros_like.default", "ones_like.default", "full_like.default", "empty_like.default"),
    *("new_zeros.default", "new_ones.default", "new_full.default", "new_empty.default"),
)
def _new(b: Builder, node: Node) -> Value:
    """A tensor of another's shape, not of its values."""
    return Const(*b.form(node))
