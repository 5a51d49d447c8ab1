"""What ATen's ops are in a trace: those that work element by element; and the table of all handlers.

A new one is a row of a table here, or a handler with its name. Others stand in a file for each family: `windows`,
`products`, `reductions`, `layers`, `indices`, `images`, and what only moves data in `moves`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pimsim.trace.torch.graph import Builder, Const, Handler, Value, arguments, registrar
from pimsim.trace.torch.images import IMAGES
from pimsim.trace.torch.indices import INDICES
from pimsim.trace.torch.layers import LAYERS
from pimsim.trace.torch.maker import TorchMaker
from pimsim.trace.torch.moves import MOVES
from pimsim.trace.torch.products import PRODUCTS
from pimsim.trace.torch.reductions import REDUCTIONS
from pimsim.trace.torch.windows import WINDOWS

if TYPE_CHECKING:
    from torch.fx import Node

HANDLERS: dict[str, Handler] = {**MOVES, **INDICES, **IMAGES, **PRODUCTS, **WINDOWS, **LAYERS, **REDUCTIONS}
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
        for name in (
            "Floor",
            "Ceil",
            "Round",
            "Sign",
            "Tan",
            "Asin",
            "Acos",
            "Atan",
            "Sinh",
            "Cosh",
            "Asinh",
            "Acosh",
        )
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
    return b.one(node, "Floor", [b.operand(made)]) if whole else made


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
