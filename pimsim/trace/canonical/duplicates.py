"""Ops that compute the same of the same: one of them is enough."""

from __future__ import annotations

from collections.abc import Hashable

from pimsim.trace.canonical.rewriting import VIEWS
from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand

# What multiplies by weights is told as often as the model does it; inputs and what is not known may differ.
_KEPT = ("Input", "DataMovement", "Dispatch", "Combine")


class Duplicates:
    """Finds ops that were there before."""

    def __init__(self) -> None:
        self._first: dict[Hashable, str] = {}

    def of(self, op: Op) -> Operand | None:
        """Return what an op puts out if another did before it; None, and remember it, if not."""
        if op.type in _KEPT or op.weight is not None or len(op.outputs) > 1:
            return None
        key = _key(op)
        first = self._first.setdefault(key, op.name) if key is not None else op.name
        return None if first == op.name else Operand("activation", op.output, first)


def _key(op: Op) -> Hashable | None:
    """Return what tells an op from all others; None if a constant has no name."""
    read: list[Hashable] = []
    for operand in op.inputs:
        if operand.source is None and operand.name is None:
            return None
        known = (operand.source, operand.index) if operand.source else (operand.name, operand.turned)
        read.append((*known, operand.tensor))
    if op.type in VIEWS:
        return "view", tuple(read), op.outputs
    return op.type, tuple(read), op.outputs, tuple(sorted(op.attributes.items()))
