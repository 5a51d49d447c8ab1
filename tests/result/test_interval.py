"""The interval: is it that of an endless batch, is it possible, and does it say how sure it is?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.result.interval import interval_of, is_exact
from pimsim.run.simulate import simulate
from pimsim.run.steady import FEW_EVENTS, LOOKS, MEASURED, steady_machine
from pimsim.trace import Trace
from tests.oracle.test_lowered import small_cnn
from tests.random_models import Builder, chips, small_chip, traces

FAST = [("hermes64", "squeezenet"), ("hermes_llm", "squeezenet"), ("puma", "squeezenet")]
FAST += [(chip, "digits_cnn") for chip in ("hermes64", "hermes_llm", "isaac", "puma", "dadiannao")]
LONG = 24


@pytest.mark.parametrize(("chip", "trace"), FAST)
def test_a_shipped_pair_has_a_possible_interval(chip: str, trace: str) -> None:
    result = simulate(Chip.load(chip), Trace.load(trace))
    assert result.interval_fs >= result.bounds["resource_fs"]
    assert sum(row["fs"] for row in result.interval_attribution) == result.interval_fs


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces(), st.integers(1, 6))
def test_no_interval_is_less_than_the_busiest_resources_work(chip: Chip, trace: Trace, batch: int) -> None:
    try:
        result = simulate(chip, trace, batch)
    except MappingError:
        return
    assert result.interval_fs >= result.bounds["resource_fs"] / batch
    assert sum(row["fs"] for row in result.interval_attribution) == result.interval_fs


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces(), st.integers(2, 6))
def test_what_counts_is_as_in_a_longer_batch(chip: Chip, trace: Trace, batch: int) -> None:
    """Up to the last output that counts, nothing tells the run from one of twice as many inferences."""
    try:
        plan = make_plan(chip, trace)
    except MappingError:
        return
    short, long = Machine(plan, batch), Machine(plan, 2 * batch)
    short.run()
    long.run()
    for mark in short.host.marks:
        assert mark.outputs < batch
        assert short.host.outputs[: mark.outputs] == long.host.outputs[: mark.outputs]


def test_a_unit_that_is_always_busy_sets_the_interval() -> None:
    """One lane, a cycle an element: 4 features at 30 positions are 120 cycles of the unit in each interval."""
    model = Builder()
    model.relu(model.input(1, 4, 6, 5))
    chip = small_chip({"tile.digital.sigmoid.count": 1})
    period = chip.config.clocks["digital"].period_fs
    result = simulate(chip, model.trace())
    assert result.bounds["interval_fs"] == 120 * period
    edges = chip.config.external.byte_fs  # outputs come at those of the link's clock
    assert abs(result.interval_fs - 120 * period) <= result.interval_error_fs + edges
    assert result.interval_how == "settled"


@pytest.mark.parametrize("name", ["hermes64", "isaac", "puma"])
def test_the_mean_of_a_long_batch_is_within_what_one_inference_says(name: str) -> None:
    """A run without a batch says how far its interval may be off; a batch of 24 shows where it is."""
    one = simulate(Chip.load(name), Trace.load("digits_cnn"))
    outputs = simulate(Chip.load(name), Trace.load("digits_cnn"), LONG).outputs_fs
    mean = Fraction(outputs[LONG // 2] - outputs[2], LONG // 2 - 2)
    assert abs(mean - one.interval_fs) <= max(1, one.interval_error_fs)


def test_one_gap_is_as_sure_as_its_actors_are_steady() -> None:
    """As many firings in all, but one actor is ahead and another behind: the machine is not as it was a gap before.

    Where all are as far as before, the gap is known to half a percent: where in a firing they are does not show.
    """
    machine = Machine(make_plan(Chip.load("puma"), Trace.load("digits_cnn")), 1)
    machine.run()
    full = steady_machine(machine)
    steady = interval_of(full)
    assert (steady.outputs, len(full.host.marks)) == (1, 2)
    assert is_exact(full)
    assert steady.error_fs == steady.fs // 200
    begin, end = full.host.marks
    moved, whole = begin.begun.copy(), int(full.host.periods.sum())
    most, other = np.argsort(moved)[-2:]
    by = -(-whole // 100)
    moved[most] -= by
    moved[other] += by
    full.host.marks[0] = replace(begin, begun=moved)
    assert interval_of(full).error_fs == round(Fraction(2 * 2 * by * (end.fs - begin.fs), whole))
    assert not is_exact(full)


def test_the_last_outputs_of_a_batch_do_not_count() -> None:
    """Behind them the pipeline drains: they come sooner after one another, and the interval is not theirs."""
    result = simulate(small_chip(), small_cnn(), 8)
    assert result.interval_batch == 8
    assert result.interval_over < 7
    names = [phase["phase"] for phase in result.phases]
    assert names[0] == "fill"
    assert names[-2:] == ["steady", "drain"]


def test_the_second_run_costs_no_more_than_some_inferences() -> None:
    machine = Machine(make_plan(Chip.load("hermes64"), Trace.load("squeezenet")), 1)
    machine.run()
    again = steady_machine(machine)
    assert again.engine.events > FEW_EVENTS
    most = (MEASURED + 1 / LOOKS) * machine.firings  # it looks so often
    assert again.engine.firings_begun().sum() <= 1.05 * most  # it goes on to the end of an instant


def test_writing_weights_first_is_no_part_of_the_interval() -> None:
    """With --cold all arrays are written once; the bound and the interval are those of a warm machine."""
    chip = small_chip({"core.array.write_ns": 1000.0})
    cold, warm = (simulate(chip, small_cnn(), cold=each) for each in (True, False))
    assert cold.bounds["interval_fs"] == warm.bounds["interval_fs"]
    assert cold.interval_fs >= cold.bounds["interval_fs"]
    assert cold.interval_fs == pytest.approx(warm.interval_fs, rel=0.05)
