"""Products of matrices: rows as the stack that they are, scores of attention scaled once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pimsim.trace.canonical.rewriting import VIEWS, Rewriting, Rule
from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand, Shape


def stacked(graph: Rewriting, op: Op) -> list[Op] | None:
    """Rows that were only flattened around a product are multiplied as the stack of rows that they are."""
    flat, about, weight = graph.maker(op.inputs[0], *VIEWS), op.attributes, op.inputs[1]
    plain = not about["transA"] and (about["alpha"], about["beta"]) == (1, 1)
    if flat is None or weight.role != "weight" or not plain:
        return None
    inner, features = flat.output.shape[-1], op.output.shape[-1]
    head = _head(graph, flat, op)
    if head is None or not _seen_apart(graph, op, head):
        return None
    if about["transB"]:
        matrix = replace(weight.tensor, shape=weight.tensor.shape[::-1])
        weight = replace(weight, tensor=matrix, turned=not weight.turned)
    made, rows = list[Op](), flat.inputs[0]
    if rows.tensor.shape != (*head, inner):
        tensor = replace(rows.tensor, shape=(*head, inner))
        made.append(Op(graph.part(op, "rows"), "Reshape", (rows,), (tensor,)))
        rows = Operand("activation", tensor, made[-1].name)
    rows = replace(rows, tensor=replace(rows.tensor, bits=op.inputs[0].tensor.bits))
    tensor = replace(op.output, shape=(*head, features))
    made.append(Op(graph.part(op, "product"), "MatMul", (rows, weight), (tensor,)))
    if len(op.inputs) > 2:
        last = Operand("activation", tensor, made[-1].name)
        made.append(Op(graph.part(op, "sum"), "Add", (last, op.inputs[2]), (tensor,)))
    last = Operand("activation", tensor, made[-1].name)
    return [*made, Op(op.name, "Reshape", (last,), op.outputs)]


def _head(graph: Rewriting, flat: Op, op: Op) -> Shape | None:
    """Return the sizes of the stack of rows: as it was before, or else as what comes out is seen."""
    before = flat.inputs[0].tensor.shape
    if len(before) < 3:
        return None
    if before[-1] == flat.output.shape[-1]:
        return before[:-1]
    shapes = (reader.output.shape for reader in graph.readers(op) if reader.type in VIEWS)
    return next((s[:-1] for s in shapes if len(s) > 2 and s[-1] == op.output.shape[-1]), None)


def _seen_apart(graph: Rewriting, op: Op, head: Shape) -> bool:
    """Whether all that read an op see its rows as a stack."""

    def apart(readers: Iterable[Op]) -> bool:
        return all(
            each.type in VIEWS and (each.output.shape[: len(head)] == head or deeper(each))
            for each in readers
        )

    def deeper(view: Op) -> bool:
        return view.name not in graph.outputs and bool(graph.readers(view)) and apart(graph.readers(view))

    return op.name not in graph.outputs and bool(graph.readers(op)) and apart(graph.readers(op))


def scaled(graph: Rewriting, op: Op) -> list[Op] | None:
    """Scores are scaled once: PyTorch's exporter scales queries and keys, each by the root."""
    sides = []
    for operand in op.inputs:
        mul = graph.maker(operand, "Mul")
        side = next(iter(graph.numbered(mul)), None) if mul is not None else None
        if mul is None or side is None:
            return None
        sides.append((mul, *side))
    (mul, left, one), (_, right, other) = sides
    scale = next(each for each in mul.inputs if each.source is None)
    product = replace(op, name=graph.part(op, "product"), inputs=(left, right))
    if one is not None and other is not None and one * other == 1.0:
        return [replace(op, inputs=(left, right))]
    made = Operand("activation", op.output, product.name)
    return [product, Op(op.name, "Mul", (made, replace(scale, name=None)), op.outputs)]


def lifted(graph: Rewriting, op: Op) -> list[Op] | None:
    """A product a head: heads that were only put together for it stay apart."""
    heads, sources = list[Shape](), list[Operand]()
    for operand in op.inputs:
        flat = graph.maker(operand, *VIEWS)
        source = flat.inputs[0] if flat is not None else operand
        if len(operand.tensor.shape) != 3 or len(source.tensor.shape) < 4:
            return None
        if source.tensor.shape[-2:] != operand.tensor.shape[-2:]:
            return None
        heads.append(source.tensor.shape[:-2])
        sources.append(replace(source, tensor=replace(source.tensor, bits=operand.tensor.bits)))
    if heads[0] != heads[1]:
        return None
    tensor = replace(op.output, shape=(*heads[0], *op.output.shape[-2:]))
    product = replace(op, name=graph.part(op, "product"), inputs=tuple(sources), outputs=(tensor,))
    return [product, Op(op.name, "Reshape", (Operand("activation", tensor, product.name),), op.outputs)]


def by_one_head(graph: Rewriting, op: Op) -> list[Op] | None:
    """Keys or values of one head, read by all of several, are shared by them."""
    shapes = [operand.tensor.shape for operand in op.inputs]
    rank = len(op.output.shape)
    if rank < 4 or any(len(shape) != rank for shape in shapes) or len(op.activations) != 2:
        return None
    heads = op.output.shape[-3]
    at = next((n for n, shape in enumerate(shapes) if shape[-3] == 1 != heads), None)
    if at is None or shapes[at][:-3] != op.output.shape[:-3] or shapes[1 - at][:-2] != op.output.shape[:-2]:
        return None
    made: list[Op] = []
    last, (*batch, one, rows, columns) = op.inputs[at], shapes[at]
    for type_, shape in (
        ("Reshape", (*batch, one, 1, rows, columns)),
        ("Expand", (*batch, one, heads, rows, columns)),
        ("Reshape", (*batch, heads, rows, columns)),
    ):
        tensor = replace(last.tensor, shape=shape)
        made.append(Op(graph.part(op, f"{type_}{len(made)}"), type_, (last,), (tensor,)))
        last = Operand("activation", tensor, made[-1].name)
    inputs = (last, op.inputs[1]) if at == 0 else (op.inputs[0], last)
    return [*made, replace(op, inputs=inputs)]


def held_by_weights(graph: Rewriting, op: Op) -> Operand | None:
    """A number that scales what only weights by head multiply is theirs."""
    other = next((each for each, _ in graph.numbered(op)), None)
    if other is None or other.tensor != op.output or op.name in graph.outputs:
        return None
    todo, cut = list(graph.readers(op)), False
    for reader in todo:  # which grows as it is gone through
        if reader.type in (*VIEWS, "Transpose", "Split"):
            if reader.name in graph.outputs:
                return None
            todo += graph.readers(reader)
            cut = cut or reader.type == "Split"
        elif reader.type != "MatMul" or reader.weight is None:
            return None
    return other if cut else None


PRODUCTS: dict[str, tuple[Rule, ...]] = {
    "Gemm": (stacked,),
    "MatMul": (scaled, lifted, by_one_head),
    "Mul": (held_by_weights,),
    "Div": (held_by_weights,),
}
