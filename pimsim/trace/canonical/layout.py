"""Views and transpositions in a row: one view, or one transposition between two."""

from __future__ import annotations

from dataclasses import replace

from pimsim.trace.canonical.axes import Axes
from pimsim.trace.canonical.rewriting import VIEWS, Rewriting, Rule
from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand, Shape

_LONGEST = 12  # ops in a row that are looked at


def view(graph: Rewriting, op: Op) -> list[Op] | Operand | None:
    """A view of a view is one view; one under the shape that was there is none."""
    source = op.inputs[0]
    if source.source is None:
        return None
    inner = graph.maker(source, *VIEWS)
    if inner is not None:
        source = inner.inputs[0]
    if source.tensor.shape == op.output.shape:
        return source
    return [replace(op, type="Reshape", inputs=(source,), attributes={})] if inner is not None else None


def joined(graph: Rewriting, op: Op) -> list[Op] | Operand | None:
    """Transpositions in a row, with views between, are one; what is expanded is transposed before."""
    steps = _steps(graph, op)
    expanded = steps[0].type == "Expand"
    turns = sum(step.type == "Transpose" for step in steps)
    if not turns or len(steps) < 2:
        return None
    axes = Axes(steps[0].inputs[0].tensor.shape)
    for step in steps:
        if step.type == "Transpose":
            axes.transpose(step.attributes["perm"])
        elif step.type == "Expand":
            if not axes.expand(step.output.shape):
                return None
        elif not axes.view(step.output.shape):
            return None
    source = steps[0].inputs[0]
    shape = source.tensor.shape
    viewed = (
        op.type == "Transpose" and op.inputs[0].tensor.shape[-2:] == shape[-2:] and axes.order()[0] == shape
    )
    return _laid(graph, op, source, axes) if turns > 1 or expanded or viewed else None  # viewed: for nothing


def _steps(graph: Rewriting, op: Op) -> list[Op]:
    """Return the views and transpositions that end in an op, at most one expansion before them."""
    steps = [op]
    while len(steps) < _LONGEST:
        before = graph.maker(steps[0].inputs[0], *VIEWS, "Transpose", "Expand")
        if before is None or before.inputs[0].source is None:
            break
        steps.insert(0, before)
        if before.type == "Expand":
            break
    while steps[0].type == "Expand" and not any(step.type == "Transpose" for step in steps[1:]):
        steps.pop(0)
    return steps


def _laid(graph: Rewriting, op: Op, source: Operand, axes: Axes) -> list[Op] | Operand | None:
    """Return the ops that bring the axes of a value into their order, then expand, then view them."""
    made: list[Op] = []

    def add(type_: str, shape: Shape, **attributes: object) -> None:
        last = Operand("activation", made[-1].output, made[-1].name) if made else source
        if last.tensor.shape == shape and type_ != "Transpose":
            return
        tensor = replace(op.output, shape=shape)
        made.append(Op(graph.part(op, f"{type_}{len(made)}"), type_, (last,), (tensor,), dict(attributes)))

    before, perm = axes.order()
    if perm != tuple(range(len(perm))):
        add("Reshape", before)
        add("Transpose", tuple(before[axis] for axis in perm), perm=perm)
    if axes.is_expanded:
        narrow, wide = axes.expansion()
        add("Reshape", narrow)
        add("Expand", wide)
    add("Reshape", op.output.shape)
    if not made:
        return source
    return [*made[:-1], replace(made[-1], name=op.name)]


LAYOUT: dict[str, tuple[Rule, ...]] = {**dict.fromkeys(VIEWS, (joined, view)), "Transpose": (joined,)}
