"""Mixtures of experts: what the ops of a trace say of them."""

from __future__ import annotations

from collections.abc import Iterable

from pimsim.trace.op import Op
from pimsim.trace.symbols import expert_of, rows_symbol


def row_symbols(ops: Iterable[Op]) -> set[str]:
    """Return the symbols of all Dispatch ops: those that are drawn; the ops are of whatever types."""
    found = set()
    for op in ops:
        if op.type == "Dispatch" and isinstance(op.attributes, dict):
            name = rows_symbol(op.attributes.get("layer", ""), op.attributes.get("expert", ""))
            if expert_of(name) is not None:
                found.add(name)
    return found


def layers(ops: Iterable[Op]) -> int:
    """Return how many layers of experts there are, counted from 0 to the last that a Dispatch names."""
    return max((int(op.attributes["layer"]) + 1 for op in ops if op.type == "Dispatch"), default=0)
