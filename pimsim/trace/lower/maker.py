"""The ops that stand in the place of one that a trace has no op type for, whatever the front end.

A term is what a front end calls a value: it has a shape and an element type. Constants have no values here; a part of
one is a constant again, and counts as the part of the weight that it is.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Protocol

from pimsim.trace.symbols import parse, product
from pimsim.trace.tensor import Shape

JOINED = 8192
"""Elements that a Concat which stands for another op joins at once, so that they fit into the buffer of a tile."""
_FEW = 32  # values that are joined at once whatever their size


class Term(Protocol):
    """A value of a front end."""

    @property
    def shape(self) -> Shape:
        """Its shape."""

    @property
    def dtype(self) -> str:
        """Its element type, by its ONNX name."""


class Maker(ABC):
    """Adds ops in the place of a node of a front end's graph."""

    @abstractmethod
    def is_constant(self, term: Term) -> bool:
        """Whether a value depends on no input."""

    @abstractmethod
    def emit(
        self,
        type_: str,
        operands: Sequence[Term],
        outputs: Sequence[tuple[Shape, str]],
        attributes: Mapping[str, Any] | None = None,
    ) -> list[Any]:
        """Add an op of a trace's types, its attributes resolved, and return its outputs."""

    @abstractmethod
    def part(self, constant: Term, shape: Shape, label: str = "") -> Any:
        """Return a constant's elements in another order or shape, or those of them that the label names."""

    @abstractmethod
    def number(self, shape: Shape, dtype: str, value: float | None = None) -> Any:
        """Return a constant of which nothing is known but its form, or that all of it is one number."""

    def op(
        self,
        type_: str,
        operands: Sequence[Term],
        shape: Shape | None = None,
        dtype: str | None = None,
        **attributes: Any,
    ) -> Any:
        """Add an op of one output, by default of its first operand's form."""
        first = operands[0]
        output = (first.shape if shape is None else shape, dtype or first.dtype)
        return self.emit(type_, operands, [output], attributes)[0]

    def reshape(self, term: Term, shape: Shape) -> Any:
        """Return the same elements in the same order, under another shape."""
        if term.shape == shape:
            return term
        return self.part(term, shape) if self.is_constant(term) else self.op("Reshape", [term], shape)

    def transpose(self, term: Term, perm: Sequence[int]) -> Any:
        """Return a value with its axes in another order."""
        perm = tuple(perm)
        shape = tuple(term.shape[axis] for axis in perm)
        if perm == tuple(range(len(perm))):
            return term
        return (
            self.part(term, shape)
            if self.is_constant(term)
            else self.op("Transpose", [term], shape, perm=perm)
        )

    def turned(self, term: Term) -> Any:
        """Return a matrix, or a stack of them, transposed."""
        rank = len(term.shape)
        return self.transpose(term, (*range(rank - 2), rank - 1, rank - 2))

    def cut(self, term: Term, axis: int, start: int, end: int) -> Any:
        """Return the elements from start to end along an axis."""
        shape = (*term.shape[:axis], end - start, *term.shape[axis + 1 :])
        if shape == term.shape:
            return term
        if self.is_constant(term):
            return self.part(term, shape, "[" + ":, " * axis + f"{start}:{end}]")
        return self.op("Slice", [term], shape, starts=(start,), ends=(end,), axes=(axis,), steps=(1,))

    def split(self, term: Term, axis: int, sizes: Sequence[int]) -> list[Any]:
        """Cut a value into pieces of so many elements along an axis."""
        if len(sizes) == 1:
            return [term]
        shapes: list[Shape] = [(*term.shape[:axis], size, *term.shape[axis + 1 :]) for size in sizes]
        if self.is_constant(term):
            ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
            return [self.cut(term, axis, end - size, end) for end, size in zip(ends, sizes, strict=True)]
        return self.emit("Split", [term], [(shape, term.dtype) for shape in shapes], {"axis": axis})

    def concat(self, terms: Sequence[Term], axis: int) -> Any:
        """Join values along an axis; many of them in several stages, so that no op waits for a whole map at once."""
        if len(terms) == 1:
            return terms[0]
        most = max(2, JOINED // max(1, elements(terms[0].shape)))
        if len(terms) > max(most, _FEW):
            rows = [terms[at : at + most] for at in range(0, len(terms), most)]
            return self.concat([self.concat(row, axis) for row in rows], axis)
        first = terms[0].shape
        shape = (*first[:axis], sum(term.shape[axis] for term in terms), *first[axis + 1 :])
        return self.op("Concat", terms, shape, axis=axis)

    def broadcast(self, type_: str, *terms: Term, dtype: str | None = None) -> Any:
        """Add an op that works element by element, its operands broadcast."""
        rank = max(len(term.shape) for term in terms)
        padded = [(1,) * (rank - len(term.shape)) + term.shape for term in terms]
        shape = tuple(next((size for size in sizes if size != 1), 1) for sizes in zip(*padded, strict=True))
        return self.op(type_, terms, shape, dtype or terms[0].dtype)

    def matmul(self, left: Term, right: Term) -> Any:
        """Multiply as numpy's matmul; a weight comes to stand on the right, one matrix at a time.

        What is computed is what stands in a trace: a weight on the left multiplies the transposed right operand, and
        a stack of weights is a product each.
        """
        if len(left.shape) == 1:
            made = self.matmul(self.reshape(left, (1, *left.shape)), right)
            row = len(made.shape) - (2 if len(right.shape) > 1 else 1)
            return self.reshape(made, (*made.shape[:row], *made.shape[row + 1 :]))
        if len(right.shape) == 1:
            made = self.matmul(left, self.reshape(right, (*right.shape, 1)))
            return self.reshape(made, made.shape[:-1])
        if self.is_constant(left) and not self.is_constant(right):
            rank = max(len(left.shape), len(right.shape))
            right = self.reshape(right, (1,) * (rank - len(right.shape)) + right.shape)
            return self.turned(self.matmul(self.turned(right), self.turned(left)))
        if self.is_constant(right) and any(size != 1 for size in right.shape[:-2]):
            return self._by_matrix(left, right)
        if self.is_constant(right) and len(right.shape) > 2 and len(left.shape) >= len(right.shape):
            right = self.reshape(right, right.shape[-2:])
        rank = max(len(left.shape), len(right.shape))
        heads = [(1,) * (rank - len(t.shape)) + t.shape[:-2] for t in (left, right)]
        head = tuple(b if a == 1 else a for a, b in zip(*heads, strict=True))
        return self.op("MatMul", [left, right], (*head, left.shape[-2], right.shape[-1]))

    def _by_matrix(self, left: Term, right: Term) -> Any:
        """Multiply by each matrix of a stack of weights, and join what comes out."""
        rank = max(len(left.shape), len(right.shape))
        left = self.reshape(left, (1,) * (rank - len(left.shape)) + left.shape)
        right = self.reshape(right, (1,) * (rank - len(right.shape)) + right.shape)
        axis = next(axis for axis, size in enumerate(right.shape[:-2]) if size != 1)
        count = right.shape[axis]
        lefts = [left] * count if left.shape[axis] == 1 else self.split(left, axis, [1] * count)
        rights = self.split(right, axis, [1] * count)
        return self.concat([self.matmul(a, b) for a, b in zip(lefts, rights, strict=True)], axis)

    def dense(self, source: Term, weight: Term, bias: Term | None = None) -> Any:
        """Multiply rows by a matrix of (features in, features out) and add a bias."""
        made = self.matmul(source, weight)
        return made if bias is None else self.broadcast("Add", made, bias)


def elements(shape: Shape) -> int:
    """Number of elements of a shape; as text where sizes are symbols, like these."""
    if all(isinstance(size, int) for size in shape):
        return math.prod(shape)
    return reduce(product, [parse(str(size)) for size in shape]).plain()  # type: ignore[return-value]
