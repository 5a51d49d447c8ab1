"""What ATen's matrix products are in a trace: linear layers, attention, and the experts of a mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pimsim.errors import TraceError
from pimsim.trace.lower.einsum import einsum
from pimsim.trace.torch.graph import Builder, Const, Handler, Made, Shape, Value, arguments, registrar
from pimsim.trace.torch.maker import TorchMaker
from pimsim.trace.torch.moves import transposed

if TYPE_CHECKING:
    from torch.fx import Node

PRODUCTS: dict[str, Handler] = {}
_handles = registrar(PRODUCTS)


def product(b: Builder, node: Node, left: Value, right: Value, shape: Shape | None = None) -> Made:
    """Multiply two matrices, or stacks of them; a weight comes to stand on the right, one matrix at a time."""
    stacked = isinstance(right, Const) and any(size != 1 for size in right.shape[:-2])
    if isinstance(left, Const) or stacked or min(len(left.shape), len(right.shape)) < 2:
        made = TorchMaker(b, node).matmul(left, right)
        assert isinstance(made, Made)
        return made if shape is None else made.seen_as(shape)
    return b.one(node, "MatMul", [b.operand(left), b.operand(right, "weight")], shape)


def _dense(b: Builder, node: Node, source: Value, weight: Const, turned: bool, bias: Any) -> Value:
    """Multiply by a weight (features first if turned) and add a bias: rows of a matrix, or a stack of rows."""
    inner, features = weight.shape[:: -1 if turned else 1]
    if isinstance(source, Made) and not turned:
        source = _unflattened(source, inner)
    extra = [] if bias is None else [b.value(bias)]
    if len(source.shape) == 2 and all(isinstance(each, Const) for each in extra):
        operands = [b.operand(source), b.operand(weight, "weight"), *map(b.operand, extra)]
        attributes = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": int(turned)}
        return b.one(node, "Gemm", operands, None, attributes)
    shape = (*source.shape[:-1], features)
    matrix = Const((inner, features), weight.dtype, weight.name, weight.turned != turned)
    made = product(b, node, source, matrix, shape)
    if extra:
        made = b.one(node, "Add", [b.operand(made), *map(b.operand, extra)], shape)
    return made.seen_as(b.form(node)[0])


def _unflattened(source: Made, inner: int) -> Made:
    """Return rows that are only a view of a stack of rows as that stack."""
    if len(source.shape) != 2:
        return source
    for shape in reversed(source.shapes[:-1]):
        if len(shape) > 2 and shape[-1] == inner:
            return source.seen_as(shape)
    return source


@_handles("linear.default")
def _linear(b: Builder, node: Node) -> Value:
    source, weight, bias = arguments(node, 3)
    left, right = b.value(source), b.value(weight)
    if isinstance(right, Const):
        return _dense(b, node, left, right, True, bias)
    turned = transposed(b, node, right, (1, 0))
    made = product(b, node, left, turned)
    return made if bias is None else b.one(node, "Add", [b.operand(made), b.operand(b.value(bias))])


@_handles("addmm.default", "mm.default")
def _mm(b: Builder, node: Node) -> Value:
    bias, left, right = node.args if len(node.args) == 3 else (None, *node.args[:2])
    source, weight = b.value(left), b.value(right)
    if isinstance(weight, Const) and not isinstance(source, Const):
        return _dense(b, node, source, weight, False, bias)
    made = product(b, node, source, weight)
    return made if bias is None else b.one(node, "Add", [b.operand(made), b.operand(b.value(bias))])


@_handles("matmul.default", "bmm.default", "mv.default", "dot.default")
def _matmul(b: Builder, node: Node) -> Value:
    return product(b, node, b.value(node.args[0]), b.value(node.args[1]))


@_handles("einsum.default")
def _einsum(b: Builder, node: Node) -> Value:
    equation, operands = node.args[:2]
    try:
        made = einsum(TorchMaker(b, node), str(equation), [b.value(each) for each in cast("Any", operands)])
    except TraceError as error:
        return b.refused(node, f"einsum.default ({error.message})")
    return cast("Value", made)


@_handles("baddbmm.default")
def _baddbmm(b: Builder, node: Node) -> Value:
    made = product(b, node, b.value(node.args[1]), b.value(node.args[2]))
    return b.one(node, "Add", [b.operand(made), b.operand(b.value(node.args[0]))])


@_handles("scaled_dot_product_attention.default")
def _attention(b: Builder, node: Node) -> Value:
    """Queries times keys, scaled, masked, softmax, times values: a trace has no op for all of it."""
    queries, keys, values = (b.value(each) for each in node.args[:3])
    _, _, _, mask, _, causal = arguments(node, 6)
    rank = len(queries.shape)
    perm = (*range(rank - 2), rank - 1, rank - 2)
    head = queries.shape[:-1]
    shape = (*head, keys.shape[-2])
    turned = transposed(b, node, _repeated(b, node, keys, head), perm)
    scores = product(b, node, queries, turned, shape)
    scale = node.kwargs.get("scale")
    fixed = isinstance(queries, Const) or isinstance(keys, Const)  # scaled once and for all
    if scale != 1.0 and not fixed:
        number = b.value(scale) if scale is not None else Const((), queries.dtype)
        scores = b.one(node, "Mul", [b.operand(scores), b.operand(number)], shape)
    if mask is not None or causal:
        added = b.value(mask) if mask is not None else Const((shape[-2], shape[-1]), queries.dtype)
        if isinstance(added, Made) and added.dtype == "bool":  # once for all layers that have it
            numbers = [b.operand(b.value(each, queries)) for each in (0.0, float("-inf"))]
            added = b.one(node, "Where", [b.operand(added), *numbers], added.shape)
        scores = b.one(node, "Add", [b.operand(scores), b.operand(added)], shape)
        if causal and shape[-2] == shape[-1]:  # torch counts from the first key, else it is no causal mask
            b.masked.add(scores.op)
    weights = b.one(node, "Softmax", [b.operand(scores)], shape, {"axis": rank - 1})
    return product(b, node, weights, _repeated(b, node, values, head))


def _repeated(b: Builder, node: Node, value: Value, head: Shape) -> Value:
    """Let a group of query heads read one head of keys or values, where there are fewer of those."""
    shape = value.shape
    if len(shape) < 3 or shape[-3] == head[-2] or not isinstance(value, Made):
        return value
    groups = head[-2] // shape[-3]
    apart = value.seen_as((*shape[:-2], 1, *shape[-2:]))
    wide = (*shape[:-2], groups, *shape[-2:])
    return b.one(node, "Expand", [b.operand(apart)], wide).seen_as((*shape[:-3], head[-2], *shape[-2:]))


@_handles("pimsim::dispatch")
def _dispatch(b: Builder, node: Node) -> Value:
    from pimsim.trace.symbols import rows_symbol

    hidden, chosen, layer, expert, experts = cast(Any, node.args)
    rows = rows_symbol(layer, expert)
    b.exported.symbols[str(node.meta["val"].shape[0])] = rows
    choices = b.operand(b.value(chosen))
    about = {"layer": layer, "expert": expert, "experts": experts, "top": choices.tensor.shape[-1]}
    return b.one(node, "Dispatch", [b.operand(b.value(hidden)), choices], None, about)


@_handles("pimsim::combine")
def _combine(b: Builder, node: Node) -> Value:
    gates, rows, layer, experts = cast(Any, node.args)
    weights = b.operand(b.value(gates))
    about = {"layer": layer, "experts": experts, "top": weights.tensor.shape[-1]}
    return b.one(node, "Combine", [weights, *(b.operand(b.value(each)) for each in rows)], None, about)
