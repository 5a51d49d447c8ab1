"""What every result promises, on random models on random chips.

Each promise is a function of a finished run; `test_every_promise_is_kept` holds all of them against random runs, and
the tests below it hold them against runs that once broke one. ``PIMSIM_PROMISE_EXAMPLES`` sets how many are drawn.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.result.freeze import freeze
from pimsim.result.result import Result
from pimsim.run.experiment import Experiment
from pimsim.run.options import Options
from pimsim.run.simulate import simulate
from pimsim.trace import Trace
from tests.random_models import Builder, chips, small_chip, traces

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
    result = freeze(two, trace, two, Experiment(chip, trace, Options(batch=BATCH)).identity)
    return Run(two, trace, result, one.host.outputs[-1])


def attribution_closes(run: Run) -> None:
    """Closure of time: no charge is negative, and they sum to the latency to the femtosecond."""
    rows = run.result.rows("attribution")
    assert all(row["fs"] > 0 for row in rows)
    assert sum(row["fs"] for row in rows) == run.result.latency_fs


def energy_closes(run: Run) -> None:
    """Closure of energy: the total is the sum of the parts, a part the sum of its dynamic and static share."""
    energy = run.result.energy_pj
    rows = run.result.energy["rows"]
    assert all(row["aj"] >= 0 for row in rows)
    assert sum(row["aj"] for row in rows) == run.result.energy["total_aj"]  # whole numbers: exactly
    assert (
        energy["total"] == run.result.energy["total_aj"] / 10**6
    )  # rounded once; above 2^53 aJ 1e6 rounds twice
    assert energy["total"] == pytest.approx(math.fsum(energy["by_part"].values()))
    for part, total in energy["by_part"].items():
        assert total == pytest.approx(energy["dynamic"].get(part, 0) + energy["static"].get(part, 0))
    assert math.fsum(energy["dynamic"].values()) == pytest.approx(math.fsum(energy["dynamic_by_op"].values()))
    assert not set(energy["not_modelled"]) & set(energy["by_part"])


def visits_spend_what_the_plan_says(run: Run) -> None:
    """Closure of energy: what the visits spent as they happened, by part and by tile, is what the plan counts."""
    machine = run.machine
    _, by_part, by_tile, _, _, _ = machine.engine.time_figures()
    dynamic = run.result.energy_pj["dynamic"]
    for part, spent in zip(machine.energy_parts, by_part.sum(axis=1), strict=True):
        assert spent == pytest.approx(dynamic.get(part, 0), rel=1e-9, abs=1e-5)
    assert by_tile.sum() == pytest.approx(by_part.sum(), rel=1e-9)
    in_tiles = sum(row["energy_pj"] for row in run.result.tiles)
    assert in_tiles == pytest.approx(by_tile[:-1].sum(), rel=1e-9)


def every_actor_is_in_one_state_at_a_time(run: Run) -> None:
    """Closure of stalls: working, starved, blocked, denied and over add up to the latency, actor by actor."""
    latency = run.result.latency_fs
    for row in run.result.ops:
        states = [row[f"{state}_fs"] for state in ("working", "starved", "blocked", "denied", "over")]
        assert min(states) >= 0
        assert sum(states) == row["actors"] * latency
        assert sum(row["starved_by"].values()) == row["starved_fs"]
        assert sum(row["blocked_by"].values()) == row["blocked_fs"]
        assert sum(row["waited_at"].values()) == row["waited_fs"]
        assert 0 <= row["begin_fs"] <= row["end_fs"]
    assert sum(row["firings"] for row in run.result.ops) == run.machine.firings


def places_account_for_the_latency(run: Run) -> None:
    """Closure of places: all of the critical path but waiting for the host is spent at some part or stream."""
    places = run.machine.engine.place_charges()
    waiting = sum(row["fs"] for row in run.result.attribution if row["cause"] == "dependence")
    assert int(places.sum()) + waiting == run.result.latency_fs
    in_tiles = sum(row["critical_fs"] for row in run.result.tiles)
    assert in_tiles + waiting <= run.result.latency_fs


def phases_and_interval_close(run: Run) -> None:
    """The phases follow one another, each with its part of the critical path; an interval has its own."""
    end = 0
    for phase in run.result.phases:
        assert phase["begin_fs"] == end
        end = phase["end_fs"]
        assert sum(row["fs"] for row in phase["attribution"]) == end - phase["begin_fs"]
    assert end == run.result.latency_fs
    assert sum(row["fs"] for row in run.result.interval_attribution) == run.result.interval_fs


def the_interval_is_no_less_than_the_busiest_resources_work(run: Run) -> None:
    """Bounds: in an interval, the busiest resource does its work for one inference at least."""
    bounds = run.result.bounds
    assert run.result.interval_fs >= bounds["interval_fs"]
    if not run.machine.controllers:  # what they do need not be done for each inference
        assert bounds["interval_fs"] >= bounds["resource_fs"] / run.result.batch


def buffers_hold_no_more_than_they_can(run: Run) -> None:
    """Bounds: the most that a tile's buffer ever held fits into it."""
    for row in run.result.tiles:
        assert 0 <= row["buffer_peak_bytes"] <= row["buffer_bytes"]
        assert all(0 <= share <= 1 for share in row["busy"].values()), row


def nothing_is_more_than_busy(run: Run) -> None:
    """Bounds: a resource with so many servers is busy for at most that many times the latency."""
    _, busy, _ = run.machine.figures
    for row, held in zip(run.machine.net.resources, busy, strict=True):
        assert held <= run.result.latency_fs * row.servers, row.name
    shares = [
        share for share in run.result.utilisation.values() if share is not None
    ]  # a chip may have no ADCs
    assert all(0 <= share <= 1 for share in shares), run.result.utilisation


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
    """Conservation: the replicas of an op do all its positions, each once; slices of heads, each of them all."""
    positions: dict[str, int] = {}
    for actor in run.machine.net.actors:
        if not any(mark in actor.name for mark in (".sum", ".t", " -> ")):
            positions[actor.op] = positions.get(actor.op, 0) + actor.period
    for op in run.machine.plan.ops:
        if op.tiling is None and op.unit is not None and not op.whole:  # a kernel is actors of other names
            assert positions[op.node.name] == op.node.positions * op.slices


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


def links_account_for_congestion(run: Run) -> None:
    """Closure of congestion: what the critical path waited for is waited for at links, to the femtosecond."""
    caused = sum(row["fs"] for row in run.result.attribution if row["cause"] == "congestion")
    assert sum(row["critical_fs"] for row in run.result.network["links"]) == caused


def links_carry_what_fits(run: Run) -> None:
    """Bounds: a link carries a flit a cycle at most; rows are links that there are and that did something."""
    period = run.machine.net.network.period_fs
    graph = run.machine.plan.package.graph
    for row in run.result.network["links"]:
        assert graph.has_edge(row["from"], row["to"])
        assert 0 <= row["chip"] < run.result.chips
        assert row["flits"] or row["critical_fs"]
        assert row["busy_fs"] == row["flits"] * period <= run.result.latency_fs
        assert row["utilisation"] == row["busy_fs"] / run.result.latency_fs
        assert row["critical_fs"] >= 0
        assert row["waited_fs"] >= 0


def the_fidelity_is_the_chips(run: Run) -> None:
    """A run by packet says so, and only that one."""
    wanted = run.machine.plan.chip.config.network.fidelity
    assert run.result.network["fidelity"] == run.result.identity["network"] == wanted
    assert run.result.network["approximate"] == (wanted == "packet")


PROMISES: list[Callable[[Run], None]] = [
    attribution_closes,
    energy_closes,
    visits_spend_what_the_plan_says,
    every_actor_is_in_one_state_at_a_time,
    places_account_for_the_latency,
    phases_and_interval_close,
    the_interval_is_no_less_than_the_busiest_resources_work,
    buffers_hold_no_more_than_they_can,
    nothing_is_more_than_busy,
    latency_is_above_both_bounds,
    all_work_is_done,
    positions_are_dealt_out,
    tokens_produced_are_delivered,
    outputs_come_in_order,
    more_inferences_take_longer,
    links_account_for_congestion,
    links_carry_what_fits,
    the_fidelity_is_the_chips,
]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces())
def test_every_promise_is_kept(chip: Chip, trace: Trace) -> None:
    """A run ends, or the model does not fit; and what has ended keeps all promises."""
    run = run_both(chip, trace)
    if run is not None:
        for promise in PROMISES:
            promise(run)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces())
def test_a_result_is_the_same_after_saving_and_when_run_again(
    tmp_path_factory, chip: Chip, trace: Trace
) -> None:
    try:
        result = simulate(chip, trace)
    except MappingError:
        return
    for name in ("r.json", "r.json.gz"):
        path = tmp_path_factory.mktemp("results") / name
        result.save(path)
        assert Result.load(path) == result
        assert Result.load(path).to_json() == result.to_json()
    assert simulate(chip, trace).to_json() == result.to_json()


def keep_all(model: Builder, changes: dict[str, Any] | None = None, outputs: list[str] | None = None) -> Run:
    run = run_both(small_chip(changes), model.trace(outputs=outputs))
    assert run is not None
    for promise in PROMISES:
        promise(run)
    return run


def test_work_that_no_output_waits_for_is_done_too() -> None:
    """A 1x1 window moved by 4 over 4x4 pixels reads the first one; a slow unit does the others for nothing."""
    model = Builder()
    x = model.relu(model.conv(model.input(1, 8, 4, 4), 8, (1, 1)))
    model.pool(x, (1, 1), strides=(4, 4))
    model.global_pool(model.conv(x, 8, (1, 1), strides=(4, 4)))
    keep_all(model)
    model = Builder()
    x = model.softmax(model.input(1, 8, 4, 4), 1)
    model.conv(x, 8, (1, 1), strides=(4, 4))
    keep_all(
        model, {"tile.digital.vector.lanes": 1, "clocks.array.period_ns": 1.0, "core.array.read_ns": 1.0}
    )


def test_outputs_that_leave_over_two_links_at_once_have_an_interval() -> None:
    """A byte takes 100 us on each of the external links: two outputs come out of them at the same time."""
    model = Builder()
    model.relu(model.input(1, 1))
    keep_all(model, {"external.bandwidth_gb_per_s": 1e-5, "external.count": 4})


def test_an_external_link_may_be_faster_than_a_byte_a_femtosecond() -> None:
    model = Builder()
    model.relu(model.input(1, 1))
    keep_all(model, {"external.bandwidth_gb_per_s": 1e7})


def test_the_energy_of_a_run_of_more_than_9_mj_closes() -> None:
    """A byte takes 1 ms, and links 333 W: 2^53 aJ are 9 mJ, beyond which floats are no whole attojoules."""
    model = Builder()
    model.relu(model.input(1, 3, 4, 4))
    slow = {"external.bandwidth_gb_per_s": 1e-6, "external.static_power_mw": 1e6 / 3}
    run = keep_all(model, slow)
    assert run.result.energy["total_aj"] > 2**53


def test_an_input_that_is_an_output_at_once() -> None:
    model = Builder()
    model.relu(model.input(1, 3, 4, 4))
    keep_all(model, outputs=["input0", "relu1"])


def test_every_bit_from_and_to_the_host_costs_energy() -> None:
    """In: 7 rows of 5 pixels of 3 elements; out: 35 tokens of 3 elements; 16 bits each, both ways over one link."""
    model = Builder()
    model.relu(model.input(1, 3, 7, 5))
    run = keep_all(model, {"external.energy_per_bit_pj": 1.5, "external.static_power_mw": None})
    bits = 2 * (7 * 5 * 3) * 16
    assert run.result.energy_pj["by_part"]["external"] == pytest.approx(BATCH * bits * 1.5)


def test_an_output_takes_the_time_of_its_bytes_over_the_external_link() -> None:
    """1000 outputs of 2 bytes at 0.01 GB/s: 200 us; two such tokens of two inferences go side by side at best."""
    model = Builder()
    model.gemm(model.input(1, 4), 1000)
    changes = {
        "external.bandwidth_gb_per_s": 0.01,
        "tile.count": 64,
        "network.topology": {"kind": "crossbar", "nodes": 64},
    }
    run = keep_all(model, changes)
    assert run.alone_fs >= 1000 * 2 * 100_000_000
