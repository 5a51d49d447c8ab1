"""Views and transpositions in a row: one view, or one transposition between two."""

from __future__ import annotations

from dataclasses import replace

from pimsim.trace.canonical.axes import Axes
from pimsim.trace.canonical.rewriting import VIEWS, Rewriting, Rule, is_one, same
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


def unmoved(graph: Rewriting, op: Op) -> Operand | None:
    """Padding by nothing, all of a value, a value of its own size, a join of one."""
    source, about = op.inputs[0], op.attributes
    if source.source is None or source.tensor.shape != op.output.shape:
        return None
    if op.type == "Pad":
        return None if any(about["pads"]) else source
    if op.type == "Slice":
        return None if any(about["starts"]) or any(step != 1 for step in about["steps"]) else source
    return source if len(op.inputs) == 1 and len(op.outputs) == 1 else None


def only_row(graph: Rewriting, op: Op) -> list[Op] | None:
    """One index, where there is no other, takes all there is."""
    source, index = op.inputs
    axis, shape = op.attributes["axis"], source.tensor.shape
    if source.source is None or index.source is not None or not is_one(index) or shape[axis] != 1:
        return None
    return [replace(op, type="Reshape", inputs=(source,), attributes={})]


def pooled_view(graph: Rewriting, op: Op) -> list[Op] | None:
    """A pool over all of an image does not see dimensions of one."""
    view_ = graph.maker(op.inputs[0], *VIEWS)
    if view_ is None:
        return None
    source, seen = view_.inputs[0], view_.output.shape
    shape = source.tensor.shape
    rest, others = ([size for size in each[2:] if size != 1] for each in (shape, seen))
    if len(shape) < 3 or shape[:2] != seen[:2] or rest != others:
        return None
    tensor = replace(op.output, shape=(*shape[:2], *(1 for _ in shape[2:])))
    pool = replace(op, name=graph.part(op, "pool"), inputs=(source,), outputs=(tensor,))
    return [pool, Op(op.name, "Reshape", (Operand("activation", tensor, pool.name),), op.outputs)]


def cut_before(graph: Rewriting, op: Op) -> list[Op] | None:
    """What is transposed only to be cut is cut before: less to move."""
    turn = graph.maker(op.inputs[0], "Transpose")
    if turn is None or turn.name in graph.outputs or any(r.type != "Slice" for r in graph.readers(turn)):
        return None
    perm, (source,), about = turn.attributes["perm"], turn.inputs, op.attributes
    shape = list(source.tensor.shape)
    for axis in about["axes"]:
        shape[perm[axis]] = op.output.shape[axis]
    tensor = replace(op.output, shape=tuple(shape))
    axes = {"axes": tuple(perm[axis] for axis in about["axes"])}
    part = Op(graph.part(op, "Slice"), "Slice", (source,), (tensor,), {**about, **axes})
    last = Operand("activation", tensor, part.name)
    return [part, Op(op.name, "Transpose", (last,), op.outputs, {"perm": perm})]


def of_ones(graph: Rewriting, op: Op) -> list[Op] | Operand | None:
    """A transposition that only moves dimensions of one is a view, or nothing."""
    (source,) = op.inputs
    if source.source is None or not moves_ones(op):
        return None
    return source if source.tensor.shape == op.output.shape else [replace(op, type="Reshape", attributes={})]


def moves_ones(op: Op) -> bool:
    """Whether a transposition leaves all elements in their order; a symbol is not known to be one."""
    shape = op.inputs[0].tensor.shape
    kept = [axis for axis in op.attributes["perm"] if shape[axis] != 1]
    return kept == sorted(kept)


def rolled(graph: Rewriting, op: Op) -> list[Op] | None:
    """Slices that make up a value, joined in another order, are one cut."""
    cuts = [graph.maker(operand, "Slice") for operand in op.inputs]
    axis = op.attributes["axis"]
    parts = []
    for cut in cuts:
        about = cut.attributes if cut is not None else {}
        if cut is None or about["axes"] != (axis,) or about["steps"] != (1,) or not graph.read_once(cut):
            return None
        if not same(cut.inputs[0], cuts[0].inputs[0]):  # type: ignore[union-attr]
            return None
        parts.append((about["starts"][0], about["ends"][0], cut.output))
    if any(isinstance(size, str) for part in parts for size in part[:2]):
        return None
    order = sorted(range(len(parts)), key=lambda n: parts[n][0])
    ends = [0, *(parts[n][1] for n in order)]
    source = cuts[0].inputs[0]  # type: ignore[union-attr]
    if len(parts) < 2 or [parts[n][0] for n in order] != ends[:-1] or ends[-1] != source.tensor.shape[axis]:
        return None
    split = Op(graph.part(op, "Split"), "Split", (source,), tuple(parts[n][2] for n in order), {"axis": axis})
    pieces = {n: place for place, n in enumerate(order)}
    inputs = [Operand("activation", parts[n][2], split.name, pieces[n]) for n in range(len(parts))]
    return [split, replace(op, inputs=tuple(inputs))]


_STILL = ("Pad", "Expand", "Tile", "Split", "Sum", "Max", "Min", "Mean")
LAYOUT: dict[str, tuple[Rule, ...]] = {
    **dict.fromkeys(VIEWS, (joined, view)),
    **dict.fromkeys(_STILL, (unmoved,)),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), (pooled_view,)),
    "Transpose": (joined, of_ones),
    "Slice": (unmoved, cut_before),
    "Concat": (unmoved, rolled),
    "Gather": (only_row,),
}
BOUND: dict[str, tuple[Rule, ...]] = {**dict.fromkeys(VIEWS, (view,)), "Transpose": (of_ones,)}
"""What can be seen only when symbols have their values: one of them may be 1."""
