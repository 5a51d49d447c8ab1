"""What ATen's ops are in a trace: arithmetic, reductions, normalizations; and the table of all handlers.

A new one is a row of a table here, or a handler with its name. Convolutions and pools are in
`pimsim.trace.torch.windows`, matrix products in `pimsim.trace.torch.products`, and what only moves data in
`pimsim.trace.torch.moves`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pimsim.trace.torch.graph import Builder, Const, Handler, Shape, Value, arguments, registrar
from pimsim.trace.torch.moves import MOVES
from pimsim.trace.torch.products import PRODUCTS
from pimsim.trace.torch.windows import WINDOWS

if TYPE_CHECKING:
    from torch.fx import Node

HANDLERS: dict[str, Handler] = {**MOVES, **PRODUCTS, **WINDOWS}
_handles = registrar(HANDLERS)


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
