"""Products of matrices that do not stand as a trace has them, sums by Einstein, and limits that are computed."""

from __future__ import annotations

from typing import Any

from pimsim.errors import TraceError
from pimsim.trace.lower.einsum import einsum
from pimsim.trace.lower.maker import elements
from pimsim.trace.onnx.constants import SMALL
from pimsim.trace.onnx.lowering.table import expands
from pimsim.trace.onnx.piece import Named, OnnxMaker
from pimsim.trace.tensor import Shape

_WINDOWS = 128  # rows of indices that are taken as slices, at most


@expands("MatMul")
def _matmul(m: OnnxMaker) -> list[Any] | None:
    """A weight on the left, a stack of weights, or a vector; anything else stays."""
    left, right = m.needed(0), m.needed(1)
    stacked = m.is_constant(right) and any(size != 1 for size in right.shape[:-2])
    plain = len(left.shape) > 1 and len(right.shape) > 1 and not m.is_constant(left) and not stacked
    if plain:
        return None
    m.puts_out(0, m.matmul(left, right))
    return []


@expands("Gemm")
def _gemm(m: OnnxMaker) -> list[Any] | None:
    """A weight on the left, or none; a weight on the right stays."""
    left, right, bias = m.needed(0), m.needed(1), m.given(2)
    if m.is_constant(right) and not m.is_constant(left):
        return None
    left = m.turned(left) if m.attribute("transA", 0) else left
    right = m.turned(right) if m.attribute("transB", 0) else right
    made = _scaled(m, m.matmul(left, right), "alpha")
    m.puts_out(0, made if bias is None else m.broadcast("Add", made, _scaled(m, bias, "beta")))
    return []


def _scaled(m: OnnxMaker, term: Any, name: str) -> Any:
    """Multiply by a factor that is an attribute, if it is not 1; a constant is scaled once and for all."""
    factor = m.attribute(name, 1.0)
    if factor == 1.0 or m.is_constant(term):
        return term
    return m.broadcast("Mul", term, m.number((), term.dtype, factor))


@expands("PRelu")
def _prelu(m: OnnxMaker) -> list[Any] | None:
    """Before opset 7 a slope for each channel needs no dimensions behind."""
    source, slope = m.needed(0), m.needed(1)
    if m.graph.opset >= 7 or len(slope.shape) != 1 or len(source.shape) < 3 or slope.shape == (1,):
        return None
    spread = m.reshape(slope, (*slope.shape, *[1] * (len(source.shape) - 2)))
    m.puts_out(0, m.op("PRelu", [source, spread]))
    return []


@expands("Einsum")
def _einsum(m: OnnxMaker) -> list[Any]:
    terms = [m.needed(at) for at in range(len(m.node.input))]
    m.puts_out(0, einsum(m, m.attribute("equation"), terms))
    return []


@expands("Clip")
def _clip(m: OnnxMaker) -> list[Any] | None:
    """A limit that is computed is a Max or a Min; one that is a number stays."""
    limits = [m.given(at) if len(m.node.input) > at and m.node.input[at] else None for at in (1, 2)]
    if all(limit is None or m.is_constant(limit) for limit in limits):
        return None
    made = m.needed(0)
    for type_, limit in zip(("Max", "Min"), limits, strict=True):
        if limit is not None:
            made = m.broadcast(type_, made, limit)
    m.puts_out(0, made)
    return []


@expands("Gather")
def _gather(m: OnnxMaker) -> list[Any] | None:
    """Indices that are known, one after another, are a slice."""
    return _rows(m, m.attribute("axis", 0), m.needed(1).shape)


@expands("GatherND")
def _gather_rows(m: OnnxMaker) -> list[Any] | None:
    """Indices into the first dimension alone take rows as Gather does."""
    *shape, wide = m.needed(1).shape
    return None if wide != 1 or m.attribute("batch_dims", 0) else _rows(m, 0, tuple(shape))


def _rows(m: OnnxMaker, axis: int, shape: Shape) -> list[Any] | None:
    source, index = m.needed(0), m.needed(1)
    if m.is_constant(source) or not m.is_constant(index) or elements(shape) > SMALL:
        return None
    try:
        places = [int(place) for place in m.value(1) or []]
    except TraceError:  # it waits for a value that the file does not have
        return None
    axis %= len(source.shape)
    size = source.shape[axis]
    places = [place % size for place in places]
    start = places[0] if places else 0
    if places == list(range(start, start + len(places))):
        part = m.cut(source, axis, start, start + len(places))
        m.puts_out(0, m.reshape(part, (*source.shape[:axis], *shape, *source.shape[axis + 1 :])))
        return []
    if len(shape) != 2 or not 0 < shape[0] <= _WINDOWS or shape[1] < 2:
        return None
    return _windows(m, source, axis, [places[n : n + shape[1]] for n in range(0, len(places), shape[1])])


def _windows(m: OnnxMaker, source: Named, axis: int, rows: list[list[int]]) -> list[Any] | None:
    """Rows of indices with one step each are slices, joined: so an image is laid out for a kernel that slides."""
    step = rows[0][1] - rows[0][0]
    if step < 1 or any(row != list(range(row[0], row[-1] + 1, step)) for row in rows):
        return None
    head, tail = source.shape[:axis], source.shape[axis + 1 :]
    parts = []
    for row in rows:
        about: dict[str, Any] = {
            "starts": (row[0],),
            "ends": (row[-1] + 1,),
            "axes": (axis,),
            "steps": (step,),
        }
        part = m.op("Slice", [source], (*head, len(row), *tail), **about)
        parts.append(m.reshape(part, (*head, 1, len(row), *tail)))
    m.puts_out(0, m.concat(parts, axis))
    return []


@expands("IsNaN")
def _odd(m: OnnxMaker) -> None:
    """Remember of what it asks."""
    m.graph.odd[m.node.output[0]] = m.graph.own(m.node.input[0])


@expands("Where")
def _where(m: OnnxMaker) -> list[Any] | None:
    """What stands in the place of a number that is none is nothing to do: a row of a softmax that is all masked."""
    condition, value, other = (m.graph.own(each) for each in m.node.input)
    if m.graph.odd.get(condition) != other or value not in m.graph.constants.names:
        return None
    m.puts_out(0, m.needed(2))
    return []


@expands("Split")
def _split(m: OnnxMaker) -> list[Any] | None:
    """Pieces of no elements are left out."""
    source, sizes = m.needed(0), m.value(1) or m.attribute("split")
    if not sizes or all(sizes):
        return None
    axis = m.attribute("axis", 0) % len(source.shape)
    parts = iter(m.split(source, axis, [size for size in sizes if size]))
    for position, size in enumerate(sizes):
        shape = (*source.shape[:axis], 0, *source.shape[axis + 1 :])
        m.puts_out(position, next(parts) if size else m.number(shape, source.dtype))
    return []


def without_empty(m: OnnxMaker) -> list[Any] | None:
    """Of what a Concat joins, what is empty does not count: a cache before the first token."""
    terms = [m.term(value) for value in m.node.input]
    axis = m.attribute("axis", 1) % len(terms[0].shape)
    kept = [term for term in terms if 0 not in term.shape]
    if len(kept) == len(terms) or not kept:
        return None
    m.puts_out(0, m.concat(kept, axis))
    return []
