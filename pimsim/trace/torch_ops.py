"""What ATen's ops are in a trace: arithmetic, normalizations, pools, matrix products.

A new one is a row of a table here, or a handler with its name; views, slices and what else only moves data are in
`pimsim.trace.torch_moves`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from pimsim.trace.torch_graph import Builder, Const, Handler, Made, Shape, Value
from pimsim.trace.torch_moves import MOVES, transposed

if TYPE_CHECKING:
    from torch.fx import Node

HANDLERS: dict[str, Handler] = dict(MOVES)


def _handles(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return register


def arguments(node: Node, count: int) -> list[Any]:
    """Return that many arguments of a node, those left out as their defaults."""
    schema = node.target._schema.arguments
    given = list(node.args)
    for argument in schema[len(given) : count]:
        given.append(node.kwargs.get(argument.name, argument.default_value))
    return given[:count]


# -- element by element --------------------------------------------------------------------------------------

_UNARY: dict[str, tuple[str, dict[str, Any]]] = {
    "relu.default": ("Relu", {}),
    "sigmoid.default": ("Sigmoid", {}),
    "tanh.default": ("Tanh", {}),
    "erf.default": ("Erf", {}),
    "sqrt.default": ("Sqrt", {}),
    "reciprocal.default": ("Reciprocal", {}),
    "exp.default": ("Exp", {}),
    "log.default": ("Log", {}),
    "sin.default": ("Sin", {}),
    "cos.default": ("Cos", {}),
    "neg.default": ("Neg", {}),
    "abs.default": ("Abs", {}),
    "logical_not.default": ("Not", {}),
    "bitwise_not.default": ("Not", {}),
    "silu.default": ("Swish", {"alpha": 1.0}),
    "hardswish.default": ("HardSwish", {}),
    "hardsigmoid.default": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
}
_BINARY = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "pow": "Pow",
    "maximum": "Max",
    "minimum": "Min",
    "eq": "Equal",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
    "lt": "Less",
    "le": "LessOrEqual",
    "logical_and": "And",
    "logical_or": "Or",
    "bitwise_and": "And",
    "bitwise_or": "Or",
}


def _unary(type_: str, attributes: dict[str, Any]) -> Handler:
    def handler(b: Builder, node: Node) -> Value:
        return b.one(node, type_, [b.operand(b.value(node.args[0]))], None, attributes)

    return handler


def _binary(type_: str) -> Handler:
    def handler(b: Builder, node: Node) -> Value:
        left = b.value(node.args[0])
        right = b.value(node.args[1], left)
        left = b.value(node.args[0], right)
        alpha = node.kwargs.get("alpha", 1)
        operands = [b.operand(left), b.operand(right)]
        if alpha != 1:
            scaled = b.one(node, "Mul", [operands[1], b.operand(Const((), right.dtype))], right.shape)
            operands[1] = b.operand(scaled)
        return b.one(node, type_, operands)

    return handler


HANDLERS.update({name: _unary(*row) for name, row in _UNARY.items()})
for _stem, _type in _BINARY.items():
    for _kind in ("default", "Tensor", "Scalar", "Tensor_Scalar", "Tensor_Tensor"):
        HANDLERS[f"{_stem}.{_kind}"] = _binary(_type)


@_handles("rsqrt.default")
def _rsqrt(b: Builder, node: Node) -> Value:
    root = b.one(node, "Sqrt", [b.operand(b.value(node.args[0]))])
    return b.one(node, "Reciprocal", [b.operand(root)])


@_handles("gelu.default")
def _gelu(b: Builder, node: Node) -> Value:
    approximate = node.kwargs.get("approximate", "none")
    return b.one(node, "Gelu", [b.operand(b.value(node.args[0]))], None, {"approximate": approximate})


@_handles("leaky_relu.default", "elu.default")
def _slope(b: Builder, node: Node) -> Value:
    _, alpha = arguments(node, 2)
    type_ = "LeakyRelu" if "leaky" in str(node.target) else "Elu"
    return b.one(node, type_, [b.operand(b.value(node.args[0]))], None, {"alpha": float(alpha)})


@_handles("hardtanh.default", "clamp.default", "clamp_min.default", "clamp_max.default")
def _clip(b: Builder, node: Node) -> Value:
    name = str(node.target)
    if "clamp_m" in name:
        limits = (node.args[1], None) if "clamp_min" in name else (None, node.args[1])
    else:
        _, *limits = arguments(node, 3)  # type: ignore[assignment]
    low, high = (None if limit is None else float(cast(float, limit)) for limit in limits)
    return b.one(node, "Clip", [b.operand(b.value(node.args[0]))], None, {"min": low, "max": high})


@_handles("where.self", "where.ScalarSelf", "where.ScalarOther")
def _where(b: Builder, node: Node) -> Value:
    return b.one(node, "Where", [b.operand(b.value(each)) for each in node.args[:3]])


@_handles("masked_fill.Scalar", "masked_fill.Tensor")
def _masked_fill(b: Builder, node: Node) -> Value:
    filled, mask, value = (b.value(each) for each in node.args[:3])
    return b.one(node, "Where", [b.operand(mask), b.operand(value), b.operand(filled)])


# -- along an axis -------------------------------------------------------------------------------------------


def _axis(axis: Any, rank: int) -> int:
    return int(axis) % rank if rank else 0


@_handles("_softmax.default", "_safe_softmax.default", "softmax.int")
def _softmax(b: Builder, node: Node) -> Value:
    source = b.operand(b.value(node.args[0]))
    axis = _axis(node.args[1], len(source.tensor.shape))
    return b.one(node, "Softmax", [source], None, {"axis": axis})


@_handles("mean.dim", "sum.dim_IntList", "amax.default", "mean.default", "sum.default")
def _reduce(b: Builder, node: Node) -> Value:
    source = b.operand(b.value(node.args[0]))
    rank = len(source.tensor.shape)
    name = str(node.target)
    axes, keep = (None, False) if "mean.default" in name or "sum.default" in name else arguments(node, 3)[1:]
    chosen = sorted(_axis(axis, rank) for axis in axes) if axes else list(range(rank))
    type_ = "ReduceMean" if "mean" in name else "ReduceSum" if "sum" in name else "ReduceMax"
    if type_ == "ReduceMean" and keep and rank > 2 and chosen == list(range(2, rank)):
        return b.one(node, "GlobalAveragePool", [source])
    attributes = {"axes": tuple(chosen), "keepdims": int(bool(keep))}
    return b.one(node, type_, [source], None, attributes)


@_handles("topk.default")
def _topk(b: Builder, node: Node) -> list[Value]:
    _, k, axis, *_ = arguments(node, 3)
    source = b.operand(b.value(node.args[0]))
    attributes = {"axis": _axis(axis, len(source.tensor.shape)), "k": k}
    return b.emit(node, "TopK", [source], [b.form(node), b.form(node, 1)], attributes)


@_handles("layer_norm.default", "rms_norm.default")
def _norm(b: Builder, node: Node) -> Value:
    layer = "layer_norm" in str(node.target)
    _, sizes, weight, *rest = arguments(node, 5 if layer else 4)
    bias, epsilon = rest if layer else (None, rest[0])
    source = b.value(node.args[0])
    rank = len(cast(Any, sizes))
    form: Shape = source.shape[len(source.shape) - rank :]
    parameters = [b.operand(b.value(weight) if weight is not None else Const(form, source.dtype))]
    if bias is not None:
        parameters.append(b.operand(b.value(bias)))
    attributes = {"axis": len(source.shape) - rank, "epsilon": float(epsilon or 0.0)}
    type_ = "LayerNormalization" if layer else "RMSNormalization"
    return b.one(node, type_, [b.operand(source), *parameters], None, attributes)


@_handles("_native_batch_norm_legit_no_training.default", "batch_norm.default")
def _batch_norm(b: Builder, node: Node) -> Value | list[Value]:
    source, weight, bias, mean, variance = node.args[:5]
    whole = "legit" not in str(node.target)
    epsilon = node.args[7 if whole else 6]
    number = Const(b.value(mean).shape, b.value(mean).dtype)
    parameters = [number if each is None else b.value(each) for each in (weight, bias, mean, variance)]
    operands = [b.operand(b.value(source)), *(b.operand(each) for each in parameters)]
    attributes = {"epsilon": float(cast(float, epsilon))}
    made = b.emit(node, "BatchNormalization", operands, None, attributes)
    return made[0] if whole else made


# -- windows -------------------------------------------------------------------------------------------------


def _spread(value: Any, rank: int, default: Any = None) -> tuple[int, ...]:
    """Return one number for each spatial dimension: torch lets one stand for all, and none for a default."""
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    numbers = numbers or list(default)
    return tuple(numbers) if len(numbers) == rank else tuple(numbers * rank)


@_handles("convolution.default", "conv1d.default", "conv2d.default", "conv3d.default")
def _convolution(b: Builder, node: Node) -> Value:
    if "convolution" in str(node.target):
        source, weight, bias, stride, padding, dilation, turned, _, groups = node.args[:9]
    else:
        source, weight, bias, stride, padding, dilation, groups = arguments(node, 7)
        turned = False
    held = b.value(weight)
    if turned or not isinstance(held, Const):
        return b.refused(node, "convolution (transposed)" if turned else "convolution (of two activations)")
    rank = len(held.shape) - 2
    begins = ends = _spread(padding, rank)
    fed = b.value(source)
    if isinstance(fed, Made) and len(fed.shapes) == 1 and fed.op in b.zero_padded:
        before = b.ops[fed.op]
        more = before.attributes["pads"]
        if not any(more[:2]) and not any(more[rank + 2 : rank + 4]) and min(more) >= 0:
            (padded,) = before.inputs
            fed = Made(str(padded.source), padded.index, (padded.tensor.shape,), padded.tensor.dtype)
            begins = tuple(map(sum, zip(begins, more[2 : rank + 2], strict=True)))
            ends = tuple(map(sum, zip(ends, more[rank + 4 :], strict=True)))
    attributes = {
        "kernel_shape": held.shape[2:],
        "strides": _spread(stride, rank),
        "pads": (*begins, *ends),
        "dilations": _spread(dilation, rank),
        "group": groups,
    }
    operands = [b.operand(fed), b.operand(held, "weight")]
    operands += [b.operand(b.value(bias))] if bias is not None else []
    return b.one(node, "Conv", operands, None, attributes)


@_handles("max_pool2d_with_indices.default", "max_pool2d.default", "avg_pool2d.default", "avg_pool1d.default")
def _pool(b: Builder, node: Node) -> Value | list[Value]:
    name = str(node.target)
    most = "max_pool" in name
    source = b.value(node.args[0])
    rank = 1 if "1d" in name else 2
    _, kernel, stride, padding, fourth, fifth = arguments(node, 6)
    kernel = _spread(kernel, rank)
    pads = _spread(padding, rank)
    attributes = {
        "kernel_shape": kernel,
        "strides": _spread(stride, rank, kernel),
        "pads": (*pads, *pads),
        "dilations": _spread(fourth, rank) if most else (1,) * rank,
        "ceil_mode": int(bool(fifth if most else fourth)),
    }
    if not most:
        attributes["count_include_pad"] = int(bool(fifth))
    pooled = b.one(node, "MaxPool" if most else "AveragePool", [b.operand(source)], None, attributes)
    return [pooled] if isinstance(node.meta["val"], list | tuple) else pooled


@_handles("_adaptive_avg_pool2d.default", "adaptive_avg_pool2d.default", "adaptive_avg_pool1d.default")
def _adaptive_pool(b: Builder, node: Node) -> Value:
    source = b.operand(b.value(node.args[0]))
    before, after = source.tensor.shape[2:], b.form(node)[0][2:]
    if all(size == 1 for size in after):
        return b.one(node, "GlobalAveragePool", [source])
    if any(isinstance(size, str) for size in before) or any(
        a % c for a, c in zip(before, after, strict=True)
    ):
        return b.refused(node, "adaptive_avg_pool2d (windows of different sizes)")
    kernel = tuple(a // c for a, c in zip(before, after, strict=True))
    rank = len(kernel)
    attributes = {
        "kernel_shape": kernel,
        "strides": kernel,
        "pads": (0,) * 2 * rank,
        "dilations": (1,) * rank,
    }
    return b.one(node, "AveragePool", [source], None, {**attributes, "ceil_mode": 0, "count_include_pad": 1})


# -- matrix products -----------------------------------------------------------------------------------------


def product(b: Builder, node: Node, left: Value, right: Value, shape: Shape | None = None) -> Made:
    """Multiply two matrices, or stacks of them."""
    operands = [
        b.operand(left, "weight"),
        b.operand(right, "constant" if isinstance(left, Const) else "weight"),
    ]
    return b.one(node, "MatMul", operands, shape)


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
    made = product(b, node, source, Const((inner, features), weight.dtype), shape)
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
    scale = b.operand(Const((), queries.dtype))
    scores = b.one(node, "Mul", [b.operand(scores), scale], shape)
    if mask is not None or causal:
        added = b.value(mask) if mask is not None else Const((shape[-2], shape[-1]), queries.dtype)
        if isinstance(added, Made) and added.dtype == "bool":
            rest = [b.operand(scores), b.operand(Const((), queries.dtype))]
            scores = b.one(node, "Where", [b.operand(added), *rest], shape)
        else:
            scores = b.one(node, "Add", [b.operand(scores), b.operand(added)], shape)
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


# -- experts -------------------------------------------------------------------------------------------------


@_handles("pimsim::dispatch")
def _dispatch(b: Builder, node: Node) -> Value:
    from pimsim.trace.routing import rows_symbol

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
