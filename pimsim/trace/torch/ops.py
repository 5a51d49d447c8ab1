"""What ATen's ops are in a trace: arithmetic, reductions, normalizations; and the table of all handlers.

A new one is a row of a table here, or a handler with its name. Convolutions and pools are in
`pimsim.trace.torch.windows`, matrix products in `pimsim.trace.torch.products`, and what only moves data in
`pimsim.trace.torch.moves`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pimsim.trace.lower.maker import elements
from pimsim.trace.torch.graph import Builder, Const, Handler, Shape, Value, arguments, registrar
from pimsim.trace.torch.images import IMAGES
from pimsim.trace.torch.indices import INDICES
from pimsim.trace.torch.layers import LAYERS
from pimsim.trace.torch.maker import TorchMaker
from pimsim.trace.torch.moves import MOVES
from pimsim.trace.torch.products import PRODUCTS
from pimsim.trace.torch.windows import WINDOWS

if TYPE_CHECKING:
    from torch.fx import Node

HANDLERS: dict[str, Handler] = {**MOVES, **INDICES, **IMAGES, **PRODUCTS, **WINDOWS, **LAYERS}
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
    **{
        f"{name.lower()}.default": (name, {})
        for name in ("Floor", "Ceil", "Round", "Sign", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh")
    },
    "atanh.default": ("Atanh", {}),
    "trunc.default": ("Floor", {}),
    "sgn.default": ("Sign", {}),
    "log2.default": ("Log", {}),
    "log10.default": ("Log", {}),
    "exp2.default": ("Exp", {}),
    "expm1.default": ("Exp", {}),
    "isnan.default": ("IsNaN", {}),
    "isinf.default": ("IsInf", {}),
    "softplus.default": ("Softplus", {}),
    "mish.default": ("Mish", {}),
    "relu6.default": ("Clip", {"min": 0.0, "max": 6.0}),
    "selu.default": ("Selu", {"alpha": 1.6732632, "gamma": 1.0507009}),
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
    "logical_xor": "Xor",
    "bitwise_xor": "Xor",
    "bitwise_left_shift": "BitShift",
    "bitwise_right_shift": "BitShift",
    "remainder": "Mod",
    "fmod": "Mod",
    "rsub": "Sub",
    "true_divide": "Div",
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


@_handles("ne.Tensor", "ne.Scalar")
def _differs(b: Builder, node: Node) -> Value:
    return b.one(node, "Not", [b.operand(_binary("Equal")(b, node))])  # type: ignore[arg-type]


@_handles("div.Tensor_mode", "div.Scalar_mode", "floor_divide.default", "floor_divide.Scalar")
def _rounded(b: Builder, node: Node) -> Value:
    whole = "floor_divide" in str(node.target) or node.kwargs.get("rounding_mode") is not None
    made: Any = _binary("Div")(b, node)
    return b.one(node, "Floor", [b.operand(made)]) if whole else made  # type: ignore[no-any-return]


@_handles("log1p.default")
def _log_of_more(b: Builder, node: Node) -> Value:
    source = b.value(node.args[0])
    more = b.one(node, "Add", [b.operand(source), b.operand(Const((), source.dtype))])
    return b.one(node, "Log", [b.operand(more)])


@_handles("log_sigmoid_forward.default", "log_sigmoid.default")
def _log_sigmoid(b: Builder, node: Node) -> Value | list[Value]:
    gate = b.one(node, "Sigmoid", [b.operand(b.value(node.args[0]))])
    made = b.one(node, "Log", [b.operand(gate)])
    return [made] if isinstance(node.meta["val"], list | tuple) else made


@_handles("addcmul.default", "addcdiv.default", "lerp.Tensor", "lerp.Scalar")
def _two_steps(b: Builder, node: Node) -> Value:
    """A product or quotient of two operands and what it is added to."""
    m = TorchMaker(b, node)
    first, second, third = (b.value(each) for each in node.args[:3])
    if "lerp" in str(node.target):
        part = m.broadcast("Mul", m.broadcast("Sub", second, first), third)
    else:
        part = m.broadcast("Div" if "div" in str(node.target) else "Mul", second, third)
    return m.broadcast("Add", first, part)  # type: ignore[no-any-return]


@_handles("rsqrt.default")
def _rsqrt(b: Builder, node: Node) -> Value:
    root = b.one(node, "Sqrt", [b.operand(b.value(node.args[0]))])
    return b.one(node, "Reciprocal", [b.operand(root)])


@_handles("gelu.default")
def _gelu(b: Builder, node: Node) -> Value:
    approximate = node.kwargs.get("approximate", "none")
    return b.one(node, "Gelu", [b.operand(b.value(node.args[0]))], None, {"approximate": approximate})


@_handles("prelu.default", "_prelu_kernel.default")
def _prelu(b: Builder, node: Node) -> Value:
    """A slope a channel, or one for all."""
    source, slope = (b.value(each) for each in node.args[:2])
    rank = len(source.shape)
    if len(slope.shape) == 1 and rank > 2:
        slope = Const((*slope.shape, *(1,) * (rank - 2)), slope.dtype)
    return b.one(node, "PRelu", [b.operand(source), b.operand(slope)])


@_handles("leaky_relu.default", "elu.default", "celu.default", "threshold.default")
def _slope(b: Builder, node: Node) -> Value:
    _, alpha = arguments(node, 2)
    name = str(node.target).removeprefix("aten.").partition(".")[0]
    types = {"leaky_relu": "LeakyRelu", "elu": "Elu", "celu": "Celu", "threshold": "ThresholdedRelu"}
    type_ = types[name]
    return b.one(node, type_, [b.operand(b.value(node.args[0]))], None, {"alpha": float(alpha)})


@_handles("hardtanh.default", "clamp.default", "clamp_min.default", "clamp_max.default")
def _clip(b: Builder, node: Node) -> Value:
    name = str(node.target)
    if "clamp_m" in name:
        limits = (node.args[1], None) if "clamp_min" in name else (None, node.args[1])
    else:
        _, *limits = arguments(node, 3)  # type: ignore[assignment]
    low, high = (_limit(limit) for limit in limits)
    return b.one(node, "Clip", [b.operand(b.value(node.args[0]))], None, {"min": low, "max": high})


def _limit(limit: Any) -> float | None:
    """Return a limit of a Clip; one that no number reaches is none."""
    found = None if limit is None else float(limit)
    return None if found is None or not abs(found) <= 1e38 else found


@_handles("clamp.Tensor", "clamp_min.Tensor", "clamp_max.Tensor")
def _clip_between(b: Builder, node: Node) -> Value:
    """Limits that are computed."""
    m = TorchMaker(b, node)
    given = list(node.args[1:3]) if "clamp_m" not in str(node.target) else [node.args[1]]
    types = ("Min",) if "clamp_max" in str(node.target) else ("Max", "Min")
    made: Any = b.value(node.args[0])
    for type_, limit in zip(types, given, strict=False):
        if limit is not None:
            made = m.broadcast(type_, made, b.value(limit))
    return cast(Value, made)


@_handles("nan_to_num.default")
def _numbers_only(b: Builder, node: Node) -> Value:
    m = TorchMaker(b, node)
    source = b.value(node.args[0])
    odd = m.op("IsNaN", [source], dtype="bool")
    return m.op("Where", [odd, Const((), source.dtype), source], source.shape, source.dtype)  # type: ignore[no-any-return]


@_handles("triu.default", "tril.default")
def _triangle(b: Builder, node: Node) -> Value:
    upper = int("triu" in str(node.target))
    return b.one(node, "Trilu", [b.operand(b.value(node.args[0]))], None, {"upper": upper})


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


@_handles(
    *("_softmax.default", "_safe_softmax.default", "softmax.int", "_log_softmax.default", "log_softmax.int"),
)
def _softmax(b: Builder, node: Node) -> Value:
    source = b.operand(b.value(node.args[0]))
    axis = _axis(node.args[1], len(source.tensor.shape))
    type_ = "LogSoftmax" if "log_softmax" in str(node.target) else "Softmax"
    return b.one(node, type_, [source], None, {"axis": axis})


@_handles("cumsum.default", "cumprod.default", "logcumsumexp.default")
def _running(b: Builder, node: Node) -> Value:
    source = b.operand(b.value(node.args[0]))
    type_ = "CumProd" if "cumprod" in str(node.target) else "CumSum"
    return b.one(node, type_, [source], None, {"axis": _axis(node.args[1], len(source.tensor.shape))})


_REDUCTIONS = {
    "mean": "ReduceMean",
    "sum": "ReduceSum",
    "amax": "ReduceMax",
    "amin": "ReduceMin",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "any": "ReduceMax",
    "all": "ReduceMin",
    "prod": "ReduceProd",
    "logsumexp": "ReduceLogSumExp",
}
_WHOLE_TENSOR = ("mean", "sum", "max", "min", "any", "all", "prod")


@_handles(
    *(f"{name}.default" for name in _REDUCTIONS),
    *("mean.dim", "sum.dim_IntList", "any.dim", "any.dims", "all.dim", "all.dims", "prod.dim_int"),
)
def _reduce(b: Builder, node: Node) -> Value:
    source = b.operand(b.value(node.args[0]))
    rank = len(source.tensor.shape)
    name, _, kind = str(node.target).removeprefix("aten.").partition(".")
    whole = kind == "default" and name in _WHOLE_TENSOR
    axes, keep = (None, False) if whole else arguments(node, 3)[1:]
    axes = [axes] if isinstance(axes, int) else axes
    chosen = sorted(_axis(axis, rank) for axis in axes) if axes else list(range(rank))
    type_ = _REDUCTIONS[name]
    if type_ == "ReduceMean" and keep and rank > 2 and chosen == list(range(2, rank)):
        return b.one(node, "GlobalAveragePool", [source])
    attributes = {"axes": tuple(chosen), "keepdims": int(bool(keep))}
    return b.one(node, type_, [source], None, attributes)


@_handles("max.dim", "min.dim", "argmax.default", "argmin.default")
def _choose(b: Builder, node: Node) -> Value | list[Value]:
    """The largest along an axis, and where it stands; what nobody reads of the two vanishes."""
    source, axis, keep = arguments(node, 3)
    value = b.value(source)
    name = str(node.target)
    if axis is None:
        value, axis = TorchMaker(b, node).reshape(value, (elements(value.shape),)), 0
    axis = _axis(axis, len(value.shape))
    largest, about = "max" in name, {"keepdims": int(bool(keep))}
    where = {"axis": axis, **about}
    if "arg" in name:
        return b.one(node, "ArgMax" if largest else "ArgMin", [b.operand(value)], None, where)
    most = {"axes": (axis,), **about}
    found = b.one(node, "ReduceMax" if largest else "ReduceMin", [b.operand(value)], None, most)
    places = b.emit(node, "ArgMax" if largest else "ArgMin", [b.operand(value)], [b.form(node, 1)], where)
    return [found, *places]


@_handles("sort.default", "sort.stable", "argsort.default")
def _sort(b: Builder, node: Node) -> Value | list[Value]:
    """All of an axis, in order: as many of the largest as there are."""
    source = b.operand(b.value(node.args[0]))
    given = [each for each in node.args[1:] if isinstance(each, int) and not isinstance(each, bool)]
    axis = _axis(node.kwargs.get("dim", given[0] if given else -1), len(source.tensor.shape))
    attributes = {"axis": axis, "k": source.tensor.shape[axis]}
    forms = [(source.tensor.shape, source.tensor.dtype), (source.tensor.shape, "int64")]
    made = b.emit(node, "TopK", [source], forms, attributes)
    return made[1] if "argsort" in str(node.target) else made


@_handles("linalg_vector_norm.default", "norm.ScalarOpt_dim", "norm.Scalar")
def _length(b: Builder, node: Node) -> Value:
    source, order, *rest = arguments(node, min(4, len(node.target._schema.arguments)))  # type: ignore[union-attr]
    axes, keep = (*rest, None, False)[:2]
    operand = b.operand(b.value(source))
    rank = len(operand.tensor.shape)
    axes = [axes] if isinstance(axes, int) else axes
    chosen = sorted(_axis(axis, rank) for axis in axes) if axes else list(range(rank))
    type_ = {1: "ReduceL1", 2: "ReduceL2", None: "ReduceL2"}.get(order, "ReduceMax")
    return b.one(node, type_, [operand], None, {"axes": tuple(chosen), "keepdims": int(bool(keep))})


@_handles("var.correction", "var_mean.correction", "std.correction", "std_mean.correction", "var.dim", "std.dim")
def _spread(b: Builder, node: Node) -> Value | list[Value]:
    """The mean, the differences from it, and the mean of their squares."""
    m = TorchMaker(b, node)
    source = b.value(node.args[0])
    rank = len(source.shape)
    given: Any = node.args[1] if len(node.args) > 1 else None
    given = [given] if isinstance(given, int) else given
    axes = tuple(sorted(_axis(axis, rank) for axis in given)) if given else tuple(range(rank))
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(source.shape))
    mean = m.op("ReduceMean", [source], kept, axes=axes, keepdims=1)
    apart = m.broadcast("Sub", source, mean)
    spread = m.op("ReduceMean", [m.broadcast("Mul", apart, apart)], kept, axes=axes, keepdims=1)
    spread = m.op("Sqrt", [spread]) if "std" in str(node.target) else spread
    shape = b.form(node)[0]
    if "mean" in str(node.target):
        return [m.reshape(spread, shape), m.reshape(mean, shape)]
    return m.reshape(spread, shape)  # type: ignore[no-any-return]


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
