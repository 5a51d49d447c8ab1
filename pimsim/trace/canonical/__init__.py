"""One form for one model: what a front end writes in its own way becomes the ops that the other would give.

Exporters write the same layer as other ops: a formula or its name, scores scaled once or queries and keys each, rows
flattened around a product or not, a transposition or two. The rules here are a row each of `RULES`; they look at an op
and at what makes its operands, which has its form by then. The last op of a pattern becomes the whole, under its name;
of the others, what nothing else reads is left out later. No figure depends on which exporter a model came through.
"""

from __future__ import annotations

from collections.abc import Sequence

from pimsim.trace.canonical.duplicates import Duplicates
from pimsim.trace.canonical.formulas import FORMULAS
from pimsim.trace.canonical.layout import LAYOUT
from pimsim.trace.canonical.norms import NORMS
from pimsim.trace.canonical.products import PRODUCTS
from pimsim.trace.canonical.rewriting import Number, Rewriting, Rule
from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand

RULES: tuple[dict[str, tuple[Rule, ...]], ...] = (LAYOUT, PRODUCTS, NORMS, FORMULAS)


def canonical(ops: Sequence[Op], outputs: Sequence[str], number: Number) -> tuple[list[Op], list[str]]:
    """Bring the ops of a model into one form.

    Parameters
    ----------
    ops : sequence of Op
        In topological order.
    outputs : sequence of str
        Names of the model's output ops.
    number : callable
        Constant operand to its value, if it has one element and is known; else None.

    Returns
    -------
    ops : list of Op
        In topological order; those that nothing reads any more are among them.
    outputs : list of str
        With the names of ops that vanished replaced by those of what they put out.
    """
    graph = Rewriting(ops, outputs, number)
    duplicates = Duplicates()
    for op in ops:
        _settle(graph, duplicates, op)
    return graph.result(), graph.outputs


def _settle(graph: Rewriting, duplicates: Duplicates, op: Op) -> None:
    """Add what stands in an op's place."""
    op = graph.redirected(op)
    found = _instead(graph, op)
    if isinstance(found, Operand):
        graph.vanish(op, found)
        return
    for one in found:
        if one.name != op.name or one.type != op.type:
            _settle(graph, duplicates, one)
            continue
        one = graph.redirected(one)
        again = duplicates.of(one)
        if again is not None and graph.may_vanish(one, again):
            graph.vanish(one, again)
        else:
            graph.add(one)


def _instead(graph: Rewriting, op: Op) -> list[Op] | Operand:
    """Return what stands in an op's place."""
    for table in RULES:
        for rule in table.get(op.type, ()):
            found = rule(graph, op)
            if isinstance(found, Operand) and not graph.may_vanish(op, found):
                continue
            if found is not None:
                return found
    return [op]
