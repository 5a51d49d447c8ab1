"""Windows: does what is under way cover rate times latency, and is the one named that does not?"""

from __future__ import annotations

from typing import Any

import pytest

from pimsim.analysis.breakdown import breakdown
from pimsim.chip import Chip
from pimsim.result.result import Result
from pimsim.run.simulate import simulate
from pimsim.trace import Trace
from tests.random_models import Builder, small_chip


def run(changes: dict[str, Any], trace: Trace, **options: Any) -> Result:
    return simulate(small_chip(changes), trace, **options)


def units_only() -> Trace:
    """A ReLU and a softmax over 400 positions of 4 features."""
    model = Builder()
    model.softmax(model.relu(model.input(1, 4, 20, 20)), 1)
    return model.trace()


def layers() -> Trace:
    """Three layers of one array column each, over 400 positions."""
    model = Builder()
    x = model.input(1, 8, 20, 20)
    for _ in range(3):
        x = model.relu(model.conv(x, 8, (1, 1)))
    return model.trace()


@pytest.mark.parametrize("cycles", [2, 50, 500, 2000])
def test_a_unit_with_a_deep_pipeline_takes_a_firing_as_soon_as_it_can(cycles: int) -> None:
    """Two units of one lane, 400 firings of 4 elements: 800 cycles an inference, whatever the latency."""
    changes = {
        "tile.digital.sigmoid.latency_cycles": cycles,
        "network.link_width_bits": 256,
        "tile.buffer.ports": 4,
    }
    result = run(changes, units_only())
    period = small_chip().config.clocks["digital"].period_fs
    assert result.bounds["interval_fs"] == 800 * period
    assert result.interval_fs <= 1.02 * 800 * period
    fill = result.bounds["dependence_fs"]  # from the first input to the last output, nothing contended for
    assert result.latency_fs <= 1.05 * (800 * period + fill)


@pytest.mark.parametrize("latency_ns", [0.0, 500.0, 5000.0])
def test_outputs_leave_at_the_pace_of_the_link(latency_ns: float) -> None:
    """400 outputs of 8 bytes; without their latency they would take as long."""
    chips = {"external.latency_ns": latency_ns}
    result = run(chips, layers())
    assert result.interval_fs <= 1.01 * result.bounds["interval_fs"]
    alone = run({"external.latency_ns": 0.0}, layers())
    assert result.latency_fs <= alone.latency_fs + 2.2 * latency_ns * 1e6  # in and out, once each


def test_two_convolutions_do_not_wait_for_the_hosts_link() -> None:
    """Two 3x3 convolutions over 64x64: 4096 outputs would take 1.024 ms if two went at a time over 500 ns."""
    model = Builder()
    x = model.conv(model.input(1, 3, 64, 64), 8, (3, 3), pads=(1, 1, 1, 1))
    model.conv(x, 8, (3, 3), pads=(1, 1, 1, 1))
    result = simulate(Chip.load("hermes_llm"), model.trace())
    waits = sum(row["fs"] for row in result.attribution if row["part"] == "external")
    assert waits <= 2 * 500_000_000 + 1_040_000_000  # the latency in and out, and what the link needs
    assert result.latency_fs < 10_000_000_000


@pytest.mark.parametrize("latency_ns", [50.0, 5000.0])
def test_what_crosses_to_another_chip_goes_at_the_pace_of_the_link(latency_ns: float) -> None:
    result = run({"external.latency_ns": latency_ns}, layers(), chips=2)
    assert result.chips == 2
    assert result.interval_fs <= 1.02 * result.bounds["interval_fs"]


def test_a_branch_that_waits_for_a_deep_one_has_room_for_what_is_under_way_there() -> None:
    """x + softmax(relu(x)) with a relu of 500 cycles: what goes around must wait as long as what goes through."""
    model = Builder()
    x = model.softmax(model.input(1, 4, 20, 20), 1)
    model.sum(x, model.softmax(model.relu(x), 1))
    result = run({"tile.digital.sigmoid.latency_cycles": 500}, model.trace())
    assert result.interval_fs <= 1.05 * result.bounds["interval_fs"]


def test_a_buffer_that_is_too_small_is_named() -> None:
    """Rows of 160 bytes, 5 us on their way, into 0.5 KiB: three at a time, and the result says why."""
    model = Builder()
    model.relu(model.input(1, 4, 20, 20))
    small = {"external.latency_ns": 5000.0, "tile.buffer.capacity_kib": 0.5, "tile.digital.sigmoid.lanes": 8}
    result = run(small, model.trace())
    row = result.windows[0]
    assert row["what"] == "places"
    assert row["set_by"] == "tile.buffer.capacity_kib"
    assert row["window"].startswith("input0 -> relu1 at tile")
    assert row["size"] < row["needs"]
    assert any(row["window"] in note and row["set_by"] in note for note in result.notes)
    text = str(breakdown(result))
    assert "input0 -> relu1" in text
    assert f"{row['size']} places" in text
    assert row["set_by"] in text
    enough = run({**small, "tile.buffer.capacity_kib": 64.0}, model.trace())
    assert not [each for each in enough.windows if each["what"] == "places"]
    assert enough.interval_fs < result.interval_fs / 2


def test_few_firings_on_arrays_are_named() -> None:
    """One multiplication at a time: the array waits while its sums are sent, and in_flight is what sets that."""
    result = run({"tile.in_flight": 1, "tile.bus.latency_cycles": 1000}, layers())
    row = next(each for each in result.windows if each["what"] == "firings")
    assert (row["size"], row["set_by"]) == (1, "tile.in_flight")
    assert row["needs"] > 1


def test_links_whose_buffers_are_too_small_are_named() -> None:
    """Links of 500 cycles bring a credit back after 1003 cycles: 32 flits a link are too few."""
    result = run({"network.link_cycles": 500}, layers())
    row = next(each for each in result.windows if each["what"] == "credits")
    router = small_chip().config.network.router
    assert (row["size"], row["set_by"]) == (router.vcs * router.buffer, "network.buffer_flits")
    assert row["needs"] == 2 * 500 + router.st + router.sa + 1 + router.credit
