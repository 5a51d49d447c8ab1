"""A graph of ops while it is rewritten: who makes an operand, who reads it, and patterns of products and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pimsim.trace.names import free
from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand

Number = Callable[[Operand], "float | None"]
"""Returns the value of a constant of one element."""
Rule = Callable[["Rewriting", Op], "list[Op] | Operand | None"]
"""Op to the ops that stand in its place, the last under its name, or to what it hands on; None if it stays."""

VIEWS = ("Reshape", "Squeeze", "Unsqueeze", "Flatten")
"""Ops that hand on the elements that they were given, in the same order."""
_CLOSE = 1e-3  # relative; constants of formulas are written with few digits


class Rewriting:
    """The ops of a model, each in its form once it was come to.

    Parameters
    ----------
    ops : sequence of Op
        As they were, in topological order.
    outputs : sequence of str
        Names of the model's output ops.
    number : callable
        Constant operand to its value.

    Attributes
    ----------
    ops : dict
        What has its form, by name, in order.
    outputs : list of str
        Names of the model's output ops, as they are now.
    plain : set of str
        Normalizations that do not scale yet.
    """

    def __init__(self, ops: Sequence[Op], outputs: Sequence[str], number: Number) -> None:
        self.ops: dict[str, Op] = {}
        self.outputs = list(outputs)
        self.number = number
        self.plain: set[str] = set()
        self._names = {op.name for op in ops}
        self._alias: dict[str, Operand] = {}
        self._readers: dict[str, list[Op]] = {}
        for op in ops:
            for name in op.deps:
                self._readers.setdefault(name, []).append(op)

    def redirected(self, op: Op) -> Op:
        """Return an op that reads what is there now."""
        if not any(operand.source in self._alias for operand in op.inputs):
            return op
        inputs = []
        for operand in op.inputs:
            to = self._alias.get(operand.source or "")
            if to is not None:
                tensor = replace(operand.tensor, dtype=to.tensor.dtype)
                operand = replace(operand, source=to.source, index=to.index, tensor=tensor)
            inputs.append(operand)
        return replace(op, inputs=tuple(inputs))

    def add(self, op: Op) -> None:
        """Let an op be there."""
        self.ops[op.name] = op

    def part(self, op: Op, what: str) -> str:
        """Return a name for a part of an op."""
        return free(f"{op.name}/{what}", self._names, self.ops)

    def may_vanish(self, op: Op, to: Operand) -> bool:
        """Whether an op can go; a model's output must stay a first output, and be no input."""
        return op.name not in self.outputs or (to.index == 0 and self.ops[str(to.source)].type != "Input")

    def vanish(self, op: Op, to: Operand) -> None:
        """Let the readers of an op read another value."""
        self._alias[op.name] = to
        renamed = [str(to.source) if name == op.name else name for name in self.outputs]
        self.outputs = list(dict.fromkeys(renamed))

    def result(self) -> list[Op]:
        """Return the ops that are there."""
        return list(self.ops.values())

    def maker(self, operand: Operand | None, *types: str) -> Op | None:
        """Return the op that makes an operand as its first output, if it is of one of the types."""
        if operand is None or operand.source is None or operand.index:
            return None
        op = self.ops.get(operand.source)
        return op if op is not None and op.type in types else None

    def readers(self, op: Op) -> list[Op]:
        """Return the ops that read an op, as they were."""
        return self._readers.get(op.name, [])

    def read_once(self, op: Op) -> bool:
        """Whether one op reads another, and it does not leave the model."""
        return len(self.readers(op)) == 1 and op.name not in self.outputs

    def numbered(self, op: Op) -> Iterator[tuple[Operand, float | None]]:
        """Yield each operand that is computed, of an op of two, where the other is a constant of one element."""
        for one, other in pairs(op):
            if one.source is None and other.source is not None and is_one(one):
                yield other, self.number(one)

    def plus(
        self, operand: Operand | None, number: float | None = None
    ) -> tuple[Operand, float | None] | None:
        """Return what a number is added to, and the number; None if it is no such sum, or not that number."""
        op = self.maker(operand, "Add")
        for other, value in self.numbered(op) if op is not None else ():
            if number is None or close(value, number):
                return other, value
        return None

    def product(self, operand: Operand, depth: int = 6) -> tuple[float, list[Operand]]:
        """Return the factors of what is a product, powers too: what is known as a number, and the others."""
        op = self.maker(operand, "Mul", "Div", "Pow")
        if op is None or depth == 0:
            return 1.0, [operand]
        left, right = op.inputs
        power = self.number(right) if right.source is None and is_one(right) else None
        if op.type == "Pow":
            if power not in (2.0, 3.0) or left.source is None:
                return 1.0, [operand]
            number, factors = self.product(left, depth - 1)
            return number ** int(power), factors * int(power)
        if op.type == "Div":
            if not power or left.source is None:
                return 1.0, [operand]
            number, factors = self.product(left, depth - 1)
            return number / power, factors
        number, factors = 1.0, list[Operand]()
        for each in (left, right):
            known = self.number(each) if each.source is None and is_one(each) else None
            part = (known, []) if known is not None else self.product(each, depth - 1)
            number, factors = number * part[0], factors + part[1]
        return number, factors


def pairs(op: Op) -> tuple[tuple[Operand, Operand], ...]:
    """Return both orders of an op's two operands."""
    left, right = op.inputs
    return (left, right), (right, left)


def is_one(operand: Operand) -> bool:
    """Whether an operand has one element."""
    return all(size == 1 for size in operand.tensor.shape)


def same(one: Operand, other: Operand) -> bool:
    """Whether two operands are the same computed value."""
    return one.source is not None and (one.source, one.index) == (other.source, other.index)


def close(value: float | None, number: float) -> bool:
    """Whether a value is the number that a formula has."""
    return value is not None and math.isclose(value, number, rel_tol=_CLOSE)
