"""What ATen's ops that take or put what indices say are in a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pimsim.trace.lower.maker import elements
from pimsim.trace.torch.graph import Builder, Const, Handler, Made, Shape, Value, arguments, registrar
from pimsim.trace.torch.identity import UNNAMED
from pimsim.trace.torch.maker import TorchMaker

if TYPE_CHECKING:
    from torch.fx import Node

INDICES: dict[str, Handler] = {}
_handles = registrar(INDICES)


def _axis(axis: Any, value: Value) -> int:
    return int(axis) % max(len(value.shape), 1)


@_handles("embedding.default", "index_select.default")
def _rows(b: Builder, node: Node) -> Value:
    """Rows of a table."""
    table, *rest = node.args
    value = b.value(table)
    axis, indices = (0, rest[0]) if "embedding" in str(node.target) else rest[:2]
    return _taken(b, node, value, indices, _axis(axis, value))


def _taken(b: Builder, node: Node, value: Value, indices: Any, axis: int) -> Value:
    """Take what indices name along an axis; those that are known, one after another, are a slice."""
    chosen = b.value(indices)
    size = value.shape[axis]
    places = b.masks.known(indices) if isinstance(chosen, Const) and isinstance(size, int) else None
    if places and isinstance(value, Made):
        start = places[0] % size
        if [place % size for place in places] == list(range(start, start + len(places))):
            m = TorchMaker(b, node)
            made = m.cut(value, axis, start, start + len(places))
            return m.reshape(made, (*value.shape[:axis], *chosen.shape, *value.shape[axis + 1 :]))  # type: ignore[no-any-return]
    operands = [b.operand(value), b.operand(chosen)]
    return b.one(node, "Gather", operands, None, {"axis": axis})


@_handles("index.Tensor", "_unsafe_index.Tensor")
def _index(b: Builder, node: Node) -> Value:
    """One list of indices takes rows; several name elements of the axes that they stand at."""
    value = b.value(node.args[0])
    given: list[Any] = list(cast(Any, node.args[1]))
    at = [place for place, each in enumerate(given) if each is not None]
    if len(at) == 1:
        return _taken(b, node, value, given[at[0]], at[0])
    m = TorchMaker(b, node)
    rest = [axis for axis in range(len(value.shape)) if axis not in at]
    front = m.transpose(value, [*at, *rest])
    indices = _stacked(m, b, [given[place] for place in at])
    head = indices.shape[:-1]
    made = m.op(
        "GatherND",
        [front, indices],
        (*head, *(value.shape[axis] for axis in rest)),
        value.dtype,
        batch_dims=0,
    )
    beside = at == list(range(at[0], at[0] + len(at)))
    before = sum(axis < at[0] for axis in rest) if beside else 0
    if not before:
        return made  # type: ignore[no-any-return]
    wide = len(head)
    order = [*range(wide, wide + before), *range(wide), *range(wide + before, wide + len(rest))]
    return m.transpose(made, order)  # type: ignore[no-any-return]


def _stacked(m: TorchMaker, b: Builder, lists: list[Any]) -> Any:
    """Return lists of indices, broadcast, side by side along a last axis."""
    terms = [b.value(each) for each in lists]
    shapes = [each.shape for each in terms]
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    head: Shape = tuple(next((size for size in sizes if size != 1), 1) for sizes in zip(*padded, strict=True))
    if all(isinstance(each, Const) for each in terms):
        names = [each.name for each in terms if isinstance(each, Const) and each.name]
        name = UNNAMED + ", ".join(names) if len(names) == len(terms) else None
        return Const((*head, len(terms)), "int64", name)
    columns = []
    for term, shape in zip(terms, padded, strict=True):
        one = m.reshape(term, shape)
        if shape != head:
            one = Const(head, "int64") if isinstance(one, Const) else m.op("Expand", [one], head)
        columns.append(m.reshape(one, (*head, 1)))
    return m.op("Concat", columns, (*head, len(terms)), "int64", axis=len(head))


@_handles("gather.default", "take_along_dim.default")
def _gather(b: Builder, node: Node) -> Value:
    table, indices = node.args[0], node.args[2]
    axis: Any = node.args[1]
    if "take_along" in str(node.target):
        indices, axis = node.args[1], node.args[2]
    value = b.value(table)
    operands = [b.operand(value), b.operand(b.value(indices))]
    return b.one(node, "GatherElements", operands, None, {"axis": _axis(axis, value)})


@_handles("scatter.src", "scatter.value", "scatter_add.default", "scatter_reduce.two")
def _scatter(b: Builder, node: Node) -> Value:
    table, axis, indices, updates = node.args[:4]
    value, places = b.value(table), b.value(indices)
    put = b.value(updates) if hasattr(updates, "all_input_nodes") else Const(places.shape, value.dtype)
    if put.shape != places.shape:
        put = (
            Const(places.shape, put.dtype) if isinstance(put, Const) else _cut_to(b, node, put, places.shape)
        )
    how = "none" if str(node.target).startswith("aten.scatter.") else "add"
    attributes = {"axis": _axis(axis, value), "reduction": how}
    operands = [b.operand(each) for each in (value, places, put)]
    return b.one(node, "ScatterElements", operands, None, attributes)


def _cut_to(b: Builder, node: Node, value: Value, shape: Shape) -> Value:
    """Return the first elements along each axis: as many updates as indices."""
    m = TorchMaker(b, node)
    made: Any = value
    for axis, size in enumerate(shape):
        made = m.cut(made, axis, 0, size) if made.shape[axis] != size else made
    return cast(Value, made)


@_handles("index_put.default", "_unsafe_index_put.default")
def _put(b: Builder, node: Node) -> Value:
    """Updates at the places that lists of indices name; a mask chooses."""
    table, lists, updates = node.args[:3]
    m = TorchMaker(b, node)
    value: Any = b.value(table)
    given: list[Any] = list(cast(Any, lists))
    at = [place for place, each in enumerate(given) if each is not None]
    put: Any = b.value(updates)
    first = b.value(given[at[0]])
    if first.dtype == "bool":
        if put.shape not in ((), (1,)) or at != [0]:
            return b.refused(node, "index_put (by a mask, of several values)")
        mask = m.reshape(first, (*first.shape, *(1,) * (len(value.shape) - len(first.shape))))
        return m.op("Where", [mask, put, value], value.shape, value.dtype)  # type: ignore[no-any-return]
    rest = [axis for axis in range(len(value.shape)) if axis not in at]
    order = [*at, *rest]
    front = m.transpose(value, order)
    indices = _stacked(m, b, [given[place] for place in at])
    shape = (*indices.shape[:-1], *(value.shape[axis] for axis in rest))
    if put.shape != shape:
        put = Const(shape, put.dtype) if isinstance(put, Const) else m.op("Expand", [put], shape)
    made = m.op("ScatterND", [front, indices, put], front.shape, value.dtype, reduction="none")
    return m.transpose(made, [order.index(axis) for axis in range(len(order))])  # type: ignore[no-any-return]


@_handles("slice_scatter.default", "select_scatter.default")
def _replaced(b: Builder, node: Node) -> Value:
    """Part of a value is another: the parts before and behind it stay."""
    m = TorchMaker(b, node)
    value: Any = b.value(node.args[0])
    put: Any = b.value(node.args[1])
    if "select" in str(node.target):
        axis, start = _axis(node.args[2], value), int(cast(Any, node.args[3]))
        size = value.shape[axis]
        start, step = start % size, 1
        end = start + 1
        put = m.reshape(put, (*value.shape[:axis], 1, *value.shape[axis + 1 :]))
    else:
        where, begin, stop, step = arguments(node, 6)[2:]
        axis = _axis(where, value)
        size = value.shape[axis]
        if not all(isinstance(each, int | None) for each in (begin, stop)) or not isinstance(size, int):
            return b.refused(node, "slice_scatter (of a symbolic size)")
        start, end, step = slice(begin, stop, step).indices(size)
    shape = (*value.shape[:axis], len(range(start, end, step)), *value.shape[axis + 1 :])
    if put.shape != shape:
        put = Const(shape, put.dtype) if isinstance(put, Const) else m.op("Expand", [put], shape)
    if step != 1:
        operands = [value, Const(shape, "int64"), put]
        return m.op("ScatterElements", operands, value.shape, value.dtype, axis=axis, reduction="none")  # type: ignore[no-any-return]
    parts = [m.cut(value, axis, 0, start)] if start else []
    parts.append(put)
    parts += [m.cut(value, axis, end, size)] if end < size else []
    if len(parts) == 1:
        return cast(Value, put)
    if all(isinstance(part, Const) for part in parts):
        return Const(value.shape, value.dtype)
    return m.op("Concat", parts, value.shape, value.dtype, axis=axis)  # type: ignore[no-any-return]


@_handles("copy.default")
def _copy(b: Builder, node: Node) -> Value:
    """What is written over is forgotten."""
    old, new = (b.value(each) for each in node.args[:2])
    if new.shape == old.shape:
        return new
    return Const(old.shape, new.dtype) if isinstance(new, Const) else b.one(node, "Expand", [b.operand(new)])


@_handles("unfold.default")
def _unfold(b: Builder, node: Node) -> Value:
    """Windows along an axis: each index stands for what is there, the windows' elements last."""
    m = TorchMaker(b, node)
    value: Any = b.value(node.args[0])
    axis, size, step = cast(Any, node.args[1:4])
    axis = _axis(axis, value)
    count = (value.shape[axis] - size) // step + 1
    head, tail = value.shape[:axis], value.shape[axis + 1 :]
    rows = m.op("Gather", [value, Const((count, size), "int64")], (*head, count, size, *tail), axis=axis)
    rank = len(rows.shape)
    return m.transpose(rows, [n for n in range(rank) if n != axis + 1] + [axis + 1])  # type: ignore[no-any-return]


@_handles("as_strided.default")
def _strided(b: Builder, node: Node) -> Value:
    """The same elements in order are a view; any others are gathered."""
    m = TorchMaker(b, node)
    value: Any = b.value(node.args[0])
    shape, (sizes, strides, offset) = b.form(node)[0], arguments(node, 4)[1:]
    plain, wanted = 1, []
    for size in reversed(sizes):
        wanted.append(plain)
        plain *= size
    in_order = all(a == w or size == 1 for a, w, size in zip(strides, wanted[::-1], sizes, strict=True))
    if any(isinstance(size, str) for size in (*value.shape, *shape)):
        return b.refused(node, "as_strided (of a symbolic size)")
    if isinstance(value, Const) or (in_order and not offset and plain == elements(value.shape)):
        return cast(Value, m.reshape(value, shape))
    flat = m.reshape(value, (elements(value.shape),))
    return m.op("Gather", [flat, Const(shape, "int64")], shape, axis=0)  # type: ignore[no-any-return]


@_handles("one_hot.default")
def _one_hot(b: Builder, node: Node) -> Value:
    source = b.operand(b.value(node.args[0]))
    shape, _ = b.form(node)
    return b.one(node, "OneHot", [source], None, {"axis": len(shape) - 1, "depth": shape[-1]})


@_handles("flip.default")
def _flip(b: Builder, node: Node) -> Value:
    value = b.value(node.args[0])
    axes = tuple(_axis(axis, value) for axis in cast(Any, node.args[1]))
    sizes: list[Any] = [value.shape[axis] for axis in axes]
    if not isinstance(value, Made) or any(isinstance(size, str) for size in sizes):
        return value if not isinstance(value, Made) else b.refused(node, "flip (of a symbolic size)")
    attributes = {
        "starts": tuple(size - 1 for size in sizes),
        "ends": (-1,) * len(axes),
        "axes": axes,
        "steps": (-1,) * len(axes),
    }
    return b.one(node, "Slice", [b.operand(value)], None, attributes)


@_handles("roll.default")
def _roll(b: Builder, node: Node) -> Value:
    """Along each axis the end comes to stand before the beginning."""
    m = TorchMaker(b, node)
    made: Any = b.value(node.args[0])
    shifts, axes = cast(Any, arguments(node, 3)[1:])
    shape = made.shape
    if not axes:
        made, axes = m.reshape(made, (elements(shape),)), [0]
    for shift, axis in zip(shifts, axes, strict=True):
        axis = _axis(axis, made)
        cut = -shift % made.shape[axis]
        if cut:
            parts = m.split(made, axis, [cut, made.shape[axis] - cut])
            made = m.concat(parts[::-1], axis)
    return cast(Value, m.reshape(made, shape))
