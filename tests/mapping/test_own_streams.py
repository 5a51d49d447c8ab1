"""Copies in stripes do not wait for one another: each has a stream of its own, and what joins stripes stands beside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim import Chip, Trace, simulate
from pimsim.mapping.lowering.lowering import lower
from pimsim.mapping.lowering.predicted import predict
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.copies import Style
from pimsim.mapping.planning.options import PlanOptions
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planner import flows_of, plan_flows
from pimsim.mapping.styles import STYLES
from pimsim.trace.bind import bind_batch
from tests.random_models import Builder, small_chip

MESH = {"tile.count": 16, "network.topology": {"kind": "mesh", "width": 4, "height": 4}}
CHIP = small_chip(MESH)


def block(high: int, wide: int) -> Trace:
    """A convolution, and a residual block of three behind it."""
    model = Builder()
    x = model.relu(model.conv(model.input(1, 16, high, wide), 16, (1, 1)))
    y = model.relu(model.conv(x, 16, (3, 3), pads=(1, 1, 1, 1)))
    return model.trace(outputs=[model.relu(model.sum(x, model.conv(y, 16, (1, 1))))])


def plan_of(trace: Trace, style: Style, chip: Chip = CHIP) -> Plan:
    trace = bind_batch(trace)
    return plan_flows(chip, trace, flows_of(chip, trace, PlanOptions()), style=style)[0]


@settings(max_examples=15, deadline=None)
@given(st.integers(3, 9), st.integers(3, 9), st.sampled_from(STYLES))
def test_each_copy_has_the_tokens_that_it_reads_and_its_part_of_the_places(high, wide, style):
    """Of every input with streams a copy: their tokens are the copy's positions, their places the plan's in all."""
    plan = plan_of(block(high, wide), style)
    net = lower(plan, 1).net
    found = 0
    for number, op in enumerate(plan.ops):
        for position, edge in enumerate(op.node.edges):
            if op.attached or not op.alone(edge):
                continue
            found += 1
            source = plan.ops[edge.source].node.name
            start = f"{source} -> {op.node.name} at tile "
            mark = f", input {position}" if sum(e.source == edge.source for e in op.node.edges) > 1 else ""
            own = [row for row in net.streams if row.name.startswith(start) and mark in row.name]
            assert sorted(row.tokens for row in own) == sorted(len(part) for part in op.parts)
            for tile in op.buffer_tiles:
                here = [row for row in own if row.tile == tile]
                assert all(row.capacity >= plan.places[number, position, tile] // len(here) for row in here)
                assert plan.slack.needed[number, position, tile] >= len(here)
    assert found or all(len(op.replicas) < 2 for op in plan.ops if op.tiling)


@pytest.mark.parametrize("style", STYLES)
def test_copies_that_join_stripes_stand_beside_their_last_source(style: Style) -> None:
    plan = plan_of(block(8, 8), style)
    sums = next(op for op in plan.ops if op.node.type == "Add")
    last = plan.ops[max(edge.source for edge in sums.node.edges)]
    assert len(last.replicas) > 1
    if style.beside:
        assert len(sums.replicas) == len(last.replicas)
        same = np.mean([a.home == b.home for a, b in zip(sums.replicas, last.replicas, strict=True)])
        assert same > 0.5 or style.ports
    else:
        assert len(sums.replicas) < len(last.replicas)


def test_the_plan_with_the_least_expected_interval_is_taken() -> None:
    """Of all styles, by the same prediction; twice the same. Of `quick`, the first; by packet no tile changes place."""
    trace, chip = (
        block(8, 8),
        small_chip({**MESH, "network.fidelity": "packet", "network.link_width_bits": 2}),
    )
    expected = [predict(plan_of(trace, style, chip)).expected_fs for style in STYLES]
    assert expected[0] > min(expected)
    chosen = make_plan(chip, trace, effort="normal")
    assert predict(chosen).expected_fs == min(expected)
    assert chosen.rows() == make_plan(chip, trace, effort="normal").rows()
    assert predict(make_plan(chip, trace)).expected_fs == expected[0]


def test_a_row_need_not_be_whole_before_the_next_layer_begins() -> None:
    """One row of 64 pixels through four 1x1 layers whose copies have stripes: faster than a row after another.

    A layer with R copies takes ceil(64 / R) times the time of a firing for the row. If each waited for the one before,
    four would take four times that; side by side they take it once, and a firing more each.
    """
    model = Builder()
    x = model.input(1, 16, 2, 32)
    for _ in range(4):
        x = model.relu(model.conv(x, 16, (1, 1)))
    trace = model.trace(outputs=[x])
    plan, result = make_plan(CHIP, trace), simulate(CHIP, trace)
    layers = [op for op in plan.ops if op.tiling is not None]
    fires = [max(len(part) for part in op.parts) for op in layers if op.parts]
    assert len(fires) == 4
    step = plan.package.kinds["tile"].slot_fs(layers[0].tiling, 16)
    assert result.latency_fs < 0.6 * sum(fires) * step
