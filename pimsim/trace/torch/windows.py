"""What ATen's ops that slide a window are in a trace: convolutions and pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pimsim.trace.lower.transposed import conv_transpose
from pimsim.trace.torch.graph import Builder, Const, Handler, Made, Value, arguments, registrar
from pimsim.trace.torch.maker import TorchMaker

if TYPE_CHECKING:
    from torch.fx import Node

WINDOWS: dict[str, Handler] = {}
_handles = registrar(WINDOWS)


def _spread(value: Any, rank: int, default: Any = None) -> tuple[int, ...]:
    """Return one number for each spatial dimension: torch lets one stand for all, and none for a default."""
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    numbers = numbers or list(default)
    return tuple(numbers) if len(numbers) == rank else tuple(numbers * rank)


@_handles(*(f"conv_transpose{kind}" for kind in ("1d.default", "2d.input", "3d.input")))
def _transposed(b: Builder, node: Node) -> Value:
    source, weight, bias, stride, padding, _, groups, dilation = arguments(node, 8)
    return _turned(b, node, source, weight, bias, stride, padding, dilation, groups)


def _turned(
    b: Builder,
    node: Node,
    source: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
) -> Value:
    """A transposed convolution: a product a pixel, and blocks added where they overlap."""
    held = b.value(weight)
    if not isinstance(held, Const):
        return b.refused(node, "convolution (of two activations)")
    rank = len(held.shape) - 2
    made = conv_transpose(
        TorchMaker(b, node),
        b.value(source),
        held,
        None if bias is None else b.value(bias),
        image=b.form(node)[0][2:],
        strides=_spread(stride, rank),
        pads=_spread(padding, rank) * 2,
        dilations=_spread(dilation, rank),
        group=groups,
    )
    return cast(Value, made)


@_handles(
    *("convolution.default", "conv1d.default", "conv2d.default", "conv3d.default"),
    *("conv1d.padding", "conv2d.padding", "conv3d.padding"),
)
def _convolution(b: Builder, node: Node) -> Value:
    if "convolution" in str(node.target):
        source, weight, bias, stride, padding, dilation, turned, _, groups = node.args[:9]
        if turned:
            return _turned(b, node, source, weight, bias, stride, padding, dilation, groups)
    else:
        source, weight, bias, stride, padding, dilation, groups = arguments(node, 7)
    held = b.value(weight)
    if not isinstance(held, Const):
        return b.refused(node, "convolution (of two activations)")
    rank = len(held.shape) - 2
    begins, ends = _around(padding, held.shape[2:], _spread(dilation, rank))
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


def _around(padding: Any, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return what is added before and behind each dimension; ``same`` puts the odd one behind."""
    if not isinstance(padding, str):
        return (_spread(padding, len(kernel)),) * 2
    same = padding == "same"
    total = [d * (k - 1) if same else 0 for d, k in zip(dilation, kernel, strict=True)]
    return tuple(each // 2 for each in total), tuple(each - each // 2 for each in total)


@_handles(
    *(
        "max_pool2d_with_indices.default",
        "max_pool3d_with_indices.default",
        "max_pool1d_with_indices.default",
    ),
    *(f"{kind}_pool{rank}d.default" for kind in ("max", "avg") for rank in (1, 2, 3)),
)
def _pool(b: Builder, node: Node) -> Value | list[Value]:
    name = str(node.target)
    most = "max_pool" in name
    source = b.value(node.args[0])
    rank = next(rank for rank in (1, 2, 3) if f"{rank}d" in name)
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


@_handles(
    *("_adaptive_avg_pool2d.default", "_adaptive_avg_pool3d.default"),
    *(f"adaptive_{kind}_pool{rank}d.default" for kind in ("avg", "max") for rank in (1, 2, 3)),
)
def _adaptive_pool(b: Builder, node: Node) -> Value | list[Value]:
    """Windows that share the input out evenly; where they cannot be of one size all count as large as the largest."""
    pooled = _adapted(b, node, "max" in str(node.target))
    return [pooled] if isinstance(node.meta["val"], list | tuple) else pooled


def _adapted(b: Builder, node: Node, most: bool) -> Value:
    source = b.operand(b.value(node.args[0]))
    before, after = source.tensor.shape[2:], b.form(node)[0][2:]
    if all(size == 1 for size in after):
        return b.one(node, "GlobalMaxPool" if most else "GlobalAveragePool", [source])
    if before == after:
        return b.value(node.args[0])
    if any(isinstance(size, str) for size in before):
        return b.refused(node, "adaptive pooling (of a symbolic size)")
    rank = len(after)
    if any(a < c for a, c in zip(before, after, strict=True)):
        return b.one(node, "Resize", [source], None, {"mode": "nearest"})
    strides = tuple(a // c for a, c in zip(before, after, strict=True))
    kernel = tuple(a - (c - 1) * s for a, c, s in zip(before, after, strides, strict=True))
    attributes = {
        "kernel_shape": kernel,
        "strides": strides,
        "pads": (0,) * 2 * rank,
        "dilations": (1,) * rank,
        "ceil_mode": 0,
    }
    if most:
        return b.one(node, "MaxPool", [source], None, attributes)
    return b.one(node, "AveragePool", [source], None, {**attributes, "count_include_pad": 1})
