"""What ATen's ops that work along axes are in a trace: reductions, softmax, sorting, normalizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pimsim.trace.lower.maker import elements
from pimsim.trace.torch.graph import Builder, Const, Handler, Shape, Value, arguments, registrar
from pimsim.trace.torch.maker import TorchMaker

if TYPE_CHECKING:
    from torch.fx import Node

REDUCTIONS: dict[str, Handler] = {}
_handles = registrar(REDUCTIONS)


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
    source, order, *rest = arguments(node, min(4, len(node.target._schema.arguments)))
    axes, keep = (*rest, None, False)[:2]
    operand = b.operand(b.value(source))
    rank = len(operand.tensor.shape)
    axes = [axes] if isinstance(axes, int) else axes
    chosen = sorted(_axis(axis, rank) for axis in axes) if axes else list(range(rank))
    type_ = {1: "ReduceL1", 2: "ReduceL2", None: "ReduceL2"}.get(order, "ReduceMax")
    return b.one(node, type_, [operand], None, {"axes": tuple(chosen), "keepdims": int(bool(keep))})


@_handles(
    "var.correction", "var_mean.correction", "std.correction", "std_mean.correction", "var.dim", "std.dim"
)
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
