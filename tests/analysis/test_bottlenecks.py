"""On machines built so that one known thing is the bottleneck: do breakdown and what-if name it, and is the win right?

Unit: the expected win is arithmetic on the chip file's numbers, written beside each case: the work that the bottleneck
does (positions times the time of each) halves, everything else stays. Tolerance, stated here: 2 % of the latency.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

import pimsim
from pimsim.analysis.breakdown import breakdown
from pimsim.analysis.whatif import whatif
from tests.random_models import Builder, changed

TOLERANCE = 0.02
SIDE, INPUTS, OUTPUTS = 16, 32, 8  # a 1x1 convolution over 16x16 pixels of 32 channels to 8
PIXELS = SIDE * SIDE
NS = 1_000_000

QUICK = {  # a chip on which nothing takes long: 1 ns for a read, a conversion, an access, a transfer, a flit
    "clocks.array": {"period_ns": 1.0},
    "clocks.adc": {"period_ns": 1.0},
    "clocks.digital": {"period_ns": 1.0},
    "clocks.slow": {"period_ns": 100.0},
    "tile.count": 1,
    "tile.cores": 1,
    "core.arrays": 1,
    "core.array.read_ns": 1.0,
    "core.adc.banks": 1,
    "core.adc.adcs_per_bank": 128,
    "tile.buffer.width_bits": 4096,
    "tile.buffer.latency_cycles": 1,
    "tile.buffer.capacity_kib": 1024.0,
    "tile.bus.width_bits": 4096,
    "tile.digital.sigmoid.lanes": 64,
    "tile.digital.sigmoid.count": 1,
    "tile.digital.shift_add.lanes": 64,
    "tile.digital.vector.lanes": 64,
    "network.topology": {"kind": "mesh", "width": 1, "height": 1},
    "network.link_width_bits": 4096,
    "external.count": 1,
    "external.bandwidth_gb_per_s": 10_000.0,
    "external.latency_ns": 0.0,
}


def convolution(inputs: int = INPUTS) -> Builder:
    model = Builder()
    model.conv(model.input(1, inputs, SIDE, SIDE), OUTPUTS, (1, 1))
    return model


def convolution_and_relu() -> Builder:
    model = convolution()
    model.relu(model.ops[-1].name)
    return model


def relu() -> Builder:
    model = Builder()
    model.relu(model.input(1, INPUTS, SIDE, SIDE))
    return model


def four_convolutions() -> Builder:
    """Four layers in one core, whose arrays share a bank of converters."""
    model = Builder()
    x = model.input(1, INPUTS, SIDE, SIDE)
    for _ in range(4):
        model.conv(x, OUTPUTS, (1, 1))
    return model


def four_convolutions_to_one_another() -> Builder:
    """Four layers in four tiles, and their sum, a quarter of the pixels in each of those tiles."""
    model = Builder()
    x = model.input(1, 1, SIDE, SIDE)
    model.sum(*(model.conv(x, OUTPUTS, (1, 1)) for _ in range(4)))
    return model


class Case(NamedTuple):
    part: str
    model: Any
    changes: dict[str, Any]
    work_ns: float | None  # what the bottleneck does in the run; None is all that happens
    cause: str | None = None  # that comes first, where the case is built for it
    kind: str = "twice as fast"
    tolerance: float = TOLERANCE  # of the prediction, as a share


CASES = {
    # 16 phases of a 100 ns read.
    "array": Case(
        "core.array",
        convolution,
        {"core.array.clock": "slow", "core.array.read_ns": 100.0},
        PIXELS * 16 * 100,
        "compute",
    ),
    # 16 phases of 128 columns, one converter of 1 ns each.
    "converter": Case("core.adc", convolution, {"core.adc.adcs_per_bank": 1}, PIXELS * 16 * 128, "compute"),
    # 32 values of 16 bits a pixel are written and read, 4 bits a cycle: one pixel while another would be.
    "buffer": Case(
        "tile.buffer", relu, {"tile.buffer.width_bits": 4}, PIXELS * 2 * INPUTS * 16 / 4, "contention"
    ),
    # 32 inputs and 8 sums of 16 bits, 4 a transfer.
    "bus": Case(
        "tile.bus", convolution, {"tile.bus.width_bits": 4}, PIXELS * (INPUTS + OUTPUTS) * 16 / 4, "transport"
    ),
    # 8 elements a pixel, one in 100 ns.
    "unit": Case(
        "tile.digital.sigmoid",
        convolution_and_relu,
        {"tile.digital.sigmoid.lanes": 1, "tile.digital.sigmoid.clock": "slow"},
        PIXELS * OUTPUTS * 100,
        "compute",
    ),
    # 300 rows on arrays of 128 are three sums of 8 outputs, one added in 100 ns.
    "adder": Case(
        "tile.digital.shift_add",
        lambda: convolution(300),
        {"tile.digital.shift_add.lanes": 1, "tile.digital.shift_add.clock": "slow", "tile.cores": 3},
        PIXELS * 3 * OUTPUTS * 100,
        "compute",
    ),
    # 32 inputs of 16 bits come in, a bit a flit and a flit a cycle.
    "network": Case(
        "network", convolution, {"network.link_width_bits": 1}, PIXELS * INPUTS * 16, "transport"
    ),
    # 64 bytes a pixel come in at 10 MB/s.
    "external link": Case(
        "external",
        convolution,
        {"external.bandwidth_gb_per_s": 0.01},
        PIXELS * INPUTS * 2 * 100,
        "transport",
    ),
    # Four layers, each 16 phases of 128 columns, at one converter of 1 ns: each waits for another.
    "contention": Case(
        "core.adc",
        four_convolutions,
        {"core.arrays": 4, "core.adc.adcs_per_bank": 1},
        4 * PIXELS * 16 * 128,
        "contention",
    ),
    # The same with a second converter beside the first.
    "too few converters": Case(
        "core.adc",
        four_convolutions,
        {"core.arrays": 4, "core.adc.adcs_per_bank": 1},
        4 * PIXELS * 16 * 128,
        "contention",
        "twice as many",
    ),
    # Four tiles send one another 8 sums of 16 bits a pixel, a bit a flit; a router's buffer holds them while others
    # go first. There is nothing but the network's cycles, and at twice the clock each takes half as long; but who
    # goes first depends on when they come, which other parts' cycles shift: buffers of 64 to 1024 flits differ by 6 %.
    "congestion": Case(
        "network",
        four_convolutions_to_one_another,
        {
            "tile.count": 4,
            "network.topology": {"kind": "mesh", "width": 2, "height": 2},
            "network.link_width_bits": 1,
            "network.buffer_flits": 256,
        },
        None,
        "congestion",
        tolerance=0.06,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_bottleneck_is_named_first_and_doubling_it_wins_what_arithmetic_says(case: Case) -> None:
    chip = changed("isaac", {**QUICK, **case.changes})
    trace = case.model().trace("bottleneck")
    result = pimsim.simulate(chip, trace)
    work = result.latency_fs if case.work_ns is None else case.work_ns * NS
    assert work > 0.75 * result.latency_fs  # it is the bottleneck, and everything else is next to nothing
    first = breakdown(result, "cause").rows[0]
    assert (first["cause"], first["part"]) == (case.cause, case.part)
    assert breakdown(result, "part").rows[0]["part"] == case.part
    found = whatif(chip, trace, jobs=2)
    assert found.base.latency_fs == result.latency_fs
    finite = [row for row in found.rows if row.change.kind != "infinitely fast"]
    mine = [row for row in finite if row.change.part == case.part]
    best = finite[0].outcome.latency_fs
    assert min(row.outcome.latency_fs for row in mine) <= best * (1 + TOLERANCE)
    (row,) = [row for row in mine if row.change.kind == case.kind]
    predicted = result.latency_fs - work / 2
    assert row.outcome.latency_fs == pytest.approx(predicted, rel=case.tolerance)


def test_a_buffer_smaller_than_what_is_on_its_way_is_named_and_twice_its_room_saves_half_the_ways() -> None:
    """A buffer of 256 bytes has room for 16 pixels of 8 values, and a link takes 2000 cycles of 1 ns.

    Over that link 16 pixels go at a time, and then the last one back to the host.
    """
    model = Builder()
    model.conv(model.conv(model.input(1, 8, SIDE, SIDE), 8, (1, 1)), 8, (1, 1))
    trace = model.trace("far")
    places, way_ns = 16, 2000
    far = {
        "tile.count": 2,
        "network.topology": {"kind": "mesh", "width": 2, "height": 1},
        "network.link_cycles": way_ns,
        "network.buffer_flits": 4096,
        "tile.buffer.capacity_kib": 0.25,
    }
    chip = changed("isaac", {**QUICK, **far})
    result = pimsim.simulate(chip, trace)
    window = next(row for row in result.data["windows"] if row["window"].startswith("conv1 -> conv2"))
    assert (window["size"], window["set_by"]) == (places, "tile.buffer.capacity_kib")
    assert result.latency_fs == pytest.approx((PIXELS / places + 1) * way_ns * NS, rel=0.05)
    (row,) = [
        row
        for row in whatif(chip, trace, jobs=2).rows
        if (row.change.part, row.change.kind) == ("tile.buffer", "twice as large")
    ]
    saved = result.latency_fs - row.outcome.latency_fs
    assert saved == pytest.approx(PIXELS / (2 * places) * way_ns * NS, rel=TOLERANCE)
