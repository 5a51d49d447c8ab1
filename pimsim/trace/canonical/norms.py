"""Normalizations by their formulas: of rows, by their mean square, and by groups of channels."""

from __future__ import annotations

from dataclasses import replace

from pimsim.trace.canonical.rewriting import VIEWS, Rewriting, Rule, pairs, same
from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand, Shape, Tensor

_ROWS = ("LayerNormalization", "RMSNormalization")


def _mean(graph: Rewriting, operand: Operand) -> tuple[Operand, int] | None:
    """Return what a mean over the last axes is of, and the first of them."""
    op = graph.maker(operand, "ReduceMean", "GlobalAveragePool")
    if op is None or not op.attributes.get("keepdims", 1):
        return None
    if op.type == "GlobalAveragePool":
        return op.inputs[0], 2
    rank = len(op.output.shape)
    axes = tuple(op.attributes["axes"])
    return (op.inputs[0], axes[0]) if axes and axes == tuple(range(axes[0], rank)) else None


def _rooted(graph: Rewriting, op: Op) -> tuple[Operand, Operand] | None:
    """Return what is divided by a square root, and what the root is of."""
    if op.type == "Div":
        root = graph.maker(op.inputs[1], "Sqrt")
        return None if root is None else (op.inputs[0], root.inputs[0])
    for x, turned in pairs(op):
        inverse = graph.maker(turned, "Reciprocal")
        root = graph.maker(inverse.inputs[0], "Sqrt") if inverse is not None else None
        if root is not None:
            return x, root.inputs[0]
    return None


def by_formula(graph: Rewriting, op: Op) -> list[Op] | None:
    """``x / sqrt(mean(x²) + epsilon)``, of rows as they are or less their mean."""
    found = _rooted(graph, op)
    if found is None:
        return None
    x, under = found
    spread, epsilon = graph.plus(under) or (under, 0.0)
    mean = _mean(graph, spread)
    if mean is None:
        return None
    squared, axis = mean
    number, factors = graph.product(squared)
    if number != 1.0 or len(factors) != 2 or not all(same(each, x) for each in factors):
        return None
    type_, operands = "RMSNormalization", (x,)
    apart = graph.maker(x, "Sub")
    middle = _mean(graph, apart.inputs[1]) if apart is not None else None
    if apart is not None and middle is not None and same(middle[0], apart.inputs[0]) and middle[1] == axis:
        type_, operands = "LayerNormalization", (apart.inputs[0],)
    graph.plain.add(op.name)
    scale = Operand("constant", Tensor(op.output.shape[axis:], op.output.dtype))
    about = {"axis": axis, "epsilon": epsilon or 0.0}
    return [replace(op, type=type_, inputs=(*operands, scale), attributes=about)]


def pooled(graph: Rewriting, op: Op) -> list[Op] | None:
    """The mean of all of a channel of an image is a pool."""
    rank = len(op.output.shape)
    whole = op.attributes["keepdims"] and rank > 3 and tuple(op.attributes["axes"]) == tuple(range(2, rank))
    return [replace(op, type="GlobalAveragePool", attributes={})] if whole else None


def by_groups(graph: Rewriting, op: Op) -> list[Op] | None:
    """Channels side by side for the length of a normalization of each group."""
    inner = graph.maker(op.inputs[0], "InstanceNormalization")
    if inner is None or len(inner.output.shape) < 3:
        return None
    wide = graph.maker(inner.inputs[0], *VIEWS)
    if wide is None or wide.inputs[0].tensor.shape != op.output.shape or len(op.output.shape) < 3:
        return None
    channels, groups = op.output.shape[1], inner.output.shape[1]
    if isinstance(channels, str) or isinstance(groups, str) or channels % groups:
        return None
    graph.plain.add(op.name)
    plain = Operand("constant", Tensor((channels,), op.output.dtype))
    about = {"num_groups": groups, "epsilon": inner.attributes["epsilon"]}
    return [replace(op, type="GroupNormalization", inputs=(wide.inputs[0], plain, plain), attributes=about)]


def scaled(graph: Rewriting, op: Op) -> list[Op] | None:
    """What a normalization by formula is multiplied with, and what is added, are its own."""
    for constant, other in pairs(op):
        norm = graph.maker(other, *_ROWS, "GroupNormalization", "InstanceNormalization")
        if norm is None or constant.source is not None or len(norm.inputs) < 3 - (norm.type in _ROWS):
            continue
        if norm.type != "InstanceNormalization" and norm.name not in graph.plain:
            continue
        form = _form(norm, constant.tensor.shape)
        if form is None or op.output.shape != norm.output.shape or not graph.read_once(norm):
            continue
        held = replace(constant, role="constant", tensor=replace(constant.tensor, shape=form))
        if form != constant.tensor.shape:
            held = replace(held, name=None, turned=False)
        if op.type == "Mul" and len(norm.inputs) != 3 - (norm.type in _ROWS):
            return None
        if op.type == "Add" and norm.type == "RMSNormalization":
            return None
        inputs = list(norm.inputs)
        place = 1 if op.type == "Mul" else 2
        inputs[place : place + 1] = [held]
        if op.type == "Mul":
            graph.plain.add(op.name)
        return [replace(op, type=norm.type, inputs=tuple(inputs), attributes=norm.attributes)]
    return None


def _form(norm: Op, shape: Shape) -> Shape | None:
    """Return the shape of a scale as the normalization has it, if a constant of a shape is one."""
    rank = len(norm.output.shape)
    full = (1,) * (rank - len(shape)) + shape
    if norm.type in _ROWS:
        axis = norm.attributes["axis"]
        fits = full[:axis] == (1,) * axis and full[axis:] == norm.output.shape[axis:]
        return full[axis:] if fits else None
    fits = all(size == 1 for axis, size in enumerate(full) if axis != 1) and full[1] == norm.output.shape[1]
    return (full[1],) if fits else None


def by_channel(graph: Rewriting, op: Op) -> list[Op] | None:
    """As many groups as channels: each by itself."""
    if op.attributes["num_groups"] != op.output.shape[1]:
        return None
    about = {"epsilon": op.attributes["epsilon"]}
    return [replace(op, type="InstanceNormalization", attributes=about)]


NORMS: dict[str, tuple[Rule, ...]] = {
    "Mul": (by_formula, scaled),
    "Div": (by_formula,),
    "Add": (scaled,),
    "Reshape": (by_groups,),
    "ReduceMean": (pooled,),
    "GroupNormalization": (by_channel,),
}
