"""Operands of ops that do not mind their order: the one that is spread over the other comes second."""

from __future__ import annotations

from dataclasses import replace

from pimsim.trace.canonical.rewriting import Rewriting, Rule
from pimsim.trace.op import Op


def spread_last(graph: Rewriting, op: Op) -> list[Op] | None:
    """What has the result's shape comes first: exporters differ, and copies are placed beside the first."""
    if len(op.inputs) != 2 or any(operand.source is None for operand in op.inputs):
        return None
    first, second = op.inputs
    if first.tensor.shape == op.output.shape or second.tensor.shape != op.output.shape:
        return None
    return [replace(op, inputs=(second, first))]


COMMUTED: dict[str, tuple[Rule, ...]] = dict.fromkeys(
    ("Add", "Mul", "Max", "Min", "Sum", "Mean", "And", "Or", "Xor"), (spread_last,)
)
