"""What ATen's ops that slide a window are in a trace: convolutions and pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.trace.torch.graph import Builder, Const, Handler, Made, Value, arguments, registrar

if TYPE_CHECKING:
    from torch.fx import Node

WINDOWS: dict[str, Handler] = {}
_handles = registrar(WINDOWS)


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
