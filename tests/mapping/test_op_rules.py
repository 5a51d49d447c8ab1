"""Everything that depends on an op's type stands in its row: adding a type is adding a row."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from pimsim.mapping import flow
from pimsim.mapping.flow import costs, cuts
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.rules import OP_RULES, OpRule
from pimsim.mapping.flow.widths import Widths
from pimsim.trace.optypes import OP_TYPES, OpType
from pimsim.trace.shapes import elementwise
from tests.random_models import Builder

OWN = {"Input", "Output"}  # what comes from the host and goes to it


def test_every_row_is_of_an_op_type_that_a_trace_may_hold():
    assert OP_RULES.keys() <= OP_TYPES.keys()


def test_the_matrix_products_are_those_that_may_hold_a_weight():
    """The trace's table says the same by another column."""
    assert {name for name, rule in OP_RULES.items() if rule.multiplies} == {
        name for name, row in OP_TYPES.items() if row.weight_at
    }


def test_a_new_op_type_needs_a_row_and_nothing_else(monkeypatch):
    """A sum over a window of pixels, for example: it slides as a pool does, and its work is its own."""
    pool = OP_TYPES["AveragePool"]
    rule = OpRule(cut=cuts.pixels, window=True, reads=costs.under_window, work=lambda op, out, features: 7.0)
    monkeypatch.setitem(OP_TYPES, "WindowSum", pool)
    monkeypatch.setitem(OP_RULES, "WindowSum", rule)
    nodes = []
    for kind in ("AveragePool", "WindowSum"):
        model = Builder()
        model.pool(model.relu(model.input(1, 3, 8, 8)), (2, 2), (2, 2), kind="AveragePool")
        model.ops[-1] = type(model.ops[-1])(
            model.ops[-1].name,
            kind,
            *(getattr(model.ops[-1], n) for n in ("inputs", "outputs", "attributes")),
        )
        nodes.append(build(model.trace(), Widths(8))[-2])
    known, new = nodes
    assert (new.type, new.work) == ("WindowSum", 7)
    assert np.array_equal(new.edges[0].need, known.edges[0].need)
    assert new.edges[0].reads == known.edges[0].reads == 3 * 4


def test_an_op_type_without_a_row_works_element_by_element(monkeypatch):
    monkeypatch.setitem(OP_TYPES, "Square", OpType(elementwise.same, (1, 1)))
    model = Builder()
    model.add("Square", (model.relu(model.input(4, 6)),), (4, 6))
    node = build(model.trace(), Widths(8))[-2]
    assert (node.type, node.positions, node.work, node.pointwise) == ("Square", 4, 6, True)


@pytest.mark.parametrize("path", sorted(Path(flow.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_no_op_type_is_compared_by_its_name(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Compare)
            and isinstance(node.left, ast.Attribute)
            and node.left.attr == "type"
        ):
            named = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant)}
            assert named <= OWN, f"{path.name}:{node.lineno}: ask the op's row in rules.py instead"
