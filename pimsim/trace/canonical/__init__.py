"""One form for one model: what a front end writes in its own way becomes the ops that the other would give.

Exporters write the same layer as other ops: a formula or its name, scores scaled once or queries and keys each, rows
flattened around a product or not, a transposition or two. The rules here are a row each of `RULES`; they look at an op
and at what makes its operands, which has its form by then. The last op of a pattern becomes the whole, under its name;
of the others, what nothing else reads is left out later. No figure depends on which exporter a model came through.
"""

from __future__ import annotations

from collections.abc import Sequence

from pimsim.trace.canonical.commuted import COMMUTED
from pimsim.trace.canonical.duplicates import Duplicates
from pimsim.trace.canonical.formulas import FORMULAS
from pimsim.trace.canonical.layout import BOUND, LAYOUT, moves_ones
from pimsim.trace.canonical.norms import NORMS
from pimsim.trace.canonical.products import PRODUCTS
from pimsim.trace.canonical.rewriting import Number, Rewriting, Rule
from pimsim.trace.fold import drop_unread
from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand

Rules = tuple[dict[str, tuple[Rule, ...]], ...]
RULES: Rules = (LAYOUT, PRODUCTS, COMMUTED, NORMS, FORMULAS)


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
    return _rewritten(ops, outputs, number, RULES)


def bound_form(ops: Sequence[Op], outputs: Sequence[str]) -> tuple[list[Op], list[str]]:
    """Bring the ops of a model whose symbols were given values into the form that an export at these sizes has.

    A transposition along a symbol that is 1 is a view, as it is where the exporter saw a 1.

    Parameters
    ----------
    ops : sequence of Op
        In topological order, in the form that `canonical` gives but for what was not known.
    outputs : sequence of str
        Names of the model's output ops.

    Returns
    -------
    ops, outputs : list
        As of `canonical`, without what nothing reads.
    """
    if not any(op.type == "Transpose" and moves_ones(op) for op in ops):
        return list(ops), list(outputs)
    made, outputs = _rewritten(ops, outputs, lambda operand: None, (BOUND,))
    return drop_unread(made, outputs), outputs


def _rewritten(
    ops: Sequence[Op], outputs: Sequence[str], number: Number, rules: Rules
) -> tuple[list[Op], list[str]]:
    graph = Rewriting(ops, outputs, number)
    duplicates = Duplicates()
    for op in ops:
        _settle(graph, duplicates, op, rules)
    return graph.result(), graph.outputs


def _settle(graph: Rewriting, duplicates: Duplicates, op: Op, rules: Rules) -> None:
    """Add what stands in an op's place."""
    op = graph.redirected(op)
    found = _instead(graph, op, rules)
    if isinstance(found, Operand):
        graph.vanish(op, found)
        return
    for one in found:
        if one.name != op.name or one.type != op.type:
            _settle(graph, duplicates, one, rules)
            continue
        one = graph.redirected(one)
        again = duplicates.of(one)
        if again is not None and graph.may_vanish(one, again):
            graph.vanish(one, again)
        else:
            graph.add(one)


def _instead(graph: Rewriting, op: Op, rules: Rules) -> list[Op] | Operand:
    """Return what stands in an op's place."""
    for table in rules:
        for rule in table.get(op.type, ()):
            found = rule(graph, op)
            if isinstance(found, Operand) and not graph.may_vanish(op, found):
                continue
            if found is not None:
                return found
    return [op]
