"""What every result promises, on random models on random chips: design page, "What a result promises".

Each promise is a function of a finished run and a test of its own; all of them look at the same random runs.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.machine.machine import Machine
from pimsim.mapping.planner import make_plan
from pimsim.result.result import Result
from pimsim.result.simulate import freeze, interval_fs
from pimsim.trace import Trace
from tests.random_models import chips, traces

EXAMPLES = int(os.environ.get("PIMSIM_PROMISE_EXAMPLES", "200"))
BATCH = 2


class Run(NamedTuple):
    """A machine that has run two inferences, its result, and the latency of one inference alone."""

    machine: Machine
    trace: Trace
    result: Result
    alone_fs: int


def run_both(chip: Chip, trace: Trace) -> Run | None:
    """Run a batch of one and a batch of two; None for a model that does not fit."""
    try:
        plan = make_plan(chip, trace)
    except MappingError:
        return None
    one, two = Machine(plan, 1), Machine(plan, BATCH)
    one.run()
    two.run()
    result = freeze(two, trace, interval_fs(two.host.outputs), BATCH)
    return Run(two, trace, result, one.host.outputs[-1])


def attribution_closes(run: Run) -> None:
    """Closure of time: no charge is negative, and they sum to the latency to the femtosecond."""
    rows = run.result.rows("attribution")
    assert all(row["fs"] > 0 for row in rows)
    assert sum(row["fs"] for row in rows) == run.result.latency_fs


def energy_closes(run: Run) -> None:
    """Closure of energy: the total is the sum of the parts, a part the sum of its dynamic and static share."""
    energy = run.result.energy_pj
    assert energy["total"] == math.fsum(energy["by_part"].values())
    for part, total in energy["by_part"].items():
        assert total == energy["dynamic"].get(part, 0) + energy["static"].get(part, 0)
    assert math.fsum(energy["dynamic"].values()) == pytest.approx(math.fsum(energy["dynamic_by_op"].values()))
    assert not set(energy["not_modelled"]) & set(energy["by_part"])


def nothing_is_more_than_busy(run: Run) -> None:
    """Bounds: a resource with so many servers is busy for at most that many times the latency."""
    _, busy, _ = run.machine.engine.resource_figures()
    for row, held in zip(run.machine.net.resources, busy, strict=True):
        assert held <= run.result.latency_fs * row.servers, row.name
    assert all(0 <= share <= 1 for share in run.result.utilisation.values()), run.result.utilisation


def latency_is_above_both_bounds(run: Run) -> None:
    """Bounds: neither the busiest resource nor the longest chain takes longer than the run."""
    assert run.result.bounds["resource_fs"] <= run.result.latency_fs
    assert run.result.bounds["dependence_fs"] <= run.result.latency_fs


def all_work_is_done(run: Run) -> None:
    """Conservation: every firing of the plan is done, once an inference, and with them the trace's MACs."""
    done = run.machine.engine.firings_done()
    planned = [actor.firings for actor in run.machine.net.actors]
    names = [actor.name for actor in run.machine.net.actors]
    missing = [row for row in zip(names, planned, done.tolist(), strict=True) if row[1] != row[2]]
    assert not missing
    assert run.result.macs == BATCH * sum(op.macs for op in run.trace.ops)


def positions_are_dealt_out(run: Run) -> None:
    """Conservation: the replicas of an op do all its positions, each once."""
    positions: dict[str, int] = {}
    for actor in run.machine.net.actors:
        if not actor.name.endswith(".sum") and ".sum" not in actor.name and ".t" not in actor.name:
            positions[actor.op] = positions.get(actor.op, 0) + actor.period
    for op in run.machine.plan.ops:
        if op.tiling is None and op.unit is not None:
            assert positions[op.node.name] == op.node.positions


def tokens_produced_are_delivered(run: Run) -> None:
    """Conservation: each token of a stream has exactly one producer, and no consumer needs one that never comes."""
    net = run.machine.net
    made: list[list[int]] = [[] for _ in net.streams]
    for out in net.outputs:
        made[out.stream] += [int(token) for token in net.tables[out.token] if token >= 0]
    for stream, tokens in zip(net.streams, made, strict=True):
        assert sorted(tokens) == list(range(stream.tokens)), stream.name
    for row in net.inputs:
        assert int(net.tables[row.need].max()) <= net.streams[row.stream].tokens
        assert int(net.tables[row.free][-1]) >= net.streams[row.stream].tokens


def outputs_come_in_order(run: Run) -> None:
    """Outputs come one after another, the last one is the latency, and the interval is a time."""
    outputs = run.result.outputs_fs
    assert len(outputs) == BATCH
    assert run.result.first_output_fs == outputs[0] <= outputs[1] == run.result.latency_fs
    assert run.result.interval_fs > 0


def more_inferences_take_longer(run: Run) -> None:
    """Two inferences never end before one alone does."""
    assert run.result.latency_fs >= run.alone_fs


PROMISES: list[Callable[[Run], None]] = [
    attribution_closes,
    energy_closes,
    nothing_is_more_than_busy,
    latency_is_above_both_bounds,
    all_work_is_done,
    positions_are_dealt_out,
    tokens_produced_are_delivered,
    outputs_come_in_order,
    more_inferences_take_longer,
]
