"""Does the bound by resources name what is busiest, and is it that one's work? On machines with one known bottleneck.

Expected: the name of the part that the case makes slow, and its work by arithmetic on the chip file's numbers, written
beside each case. All else is quick, so the bound is also tight: within 4 % of the latency.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

import pimsim
from tests.analysis.test_bottlenecks import (
    INPUTS,
    NS,
    OUTPUTS,
    PIXELS,
    QUICK,
    SIDE,
    convolution,
    convolution_and_relu,
    four_convolutions,
    relu,
)
from tests.random_models import Builder, changed

PHASES = 16  # bits of an input, one at a time
COLUMNS = 128  # of an array
BITS = 16  # of an input or a sum


def shrinking_convolutions() -> Builder:
    """Four layers, one after another, each over a quarter of the pixels of the one before."""
    model = Builder()
    x = model.input(1, INPUTS, 2 * SIDE, 2 * SIDE)
    for _ in range(4):
        x = model.conv(x, OUTPUTS, (2, 2), strides=(2, 2))
    return model


class Case(NamedTuple):
    resource: str
    model: Any
    changes: dict[str, Any]
    work_ns: float


SLOW_ARRAY = {"core.array.clock": "slow", "core.array.read_ns": 100.0}
CASES = {
    "array": Case("tile0.core0.arrays conv1.0", convolution, SLOW_ARRAY, PIXELS * PHASES * 100),
    "converter": Case(
        "tile0.core0.adc conv1.0", convolution, {"core.adc.adcs_per_bank": 1}, PIXELS * PHASES * COLUMNS
    ),
    # Four layers convert in one bank.
    "shared converter": Case(
        "tile0.core0.adc",
        four_convolutions,
        {"core.arrays": 4, "core.adc.adcs_per_bank": 1},
        4 * PIXELS * PHASES * COLUMNS,
    ),
    # Two banks of two arrays in the core, and one layer on three of them: two arrays convert in the first bank.
    "one of two shared banks": Case(
        "tile0.core0.bank0.adc",
        lambda: convolution(3 * COLUMNS),
        {"core.arrays": 4, "core.adc.banks": 2, "core.adc.adcs_per_bank": 1},
        2 * PIXELS * PHASES * COLUMNS,
    ),
    # Of the two layers in each core the first does four times as much as the other, and the first core most.
    "first of several layers in a core": Case(
        "tile0.core0.arrays conv1.0",
        shrinking_convolutions,
        {**SLOW_ARRAY, "tile.cores": 2, "core.arrays": 2, "core.adc.banks": 2},
        PIXELS * PHASES * 100,
    ),
    # Each pixel is written and read, a bit an access.
    "buffer": Case("tile0.buffer", relu, {"tile.buffer.width_bits": 1}, PIXELS * 2 * INPUTS * BITS),
    "bus": Case("tile0.bus", convolution, {"tile.bus.width_bits": 4}, PIXELS * (INPUTS + OUTPUTS) * BITS / 4),
    "unit": Case(
        "tile0.digital.sigmoid",
        convolution_and_relu,
        {"tile.digital.sigmoid.lanes": 1, "tile.digital.sigmoid.clock": "slow"},
        PIXELS * OUTPUTS * 100,
    ),
    # Two of them share the work.
    "two units": Case(
        "tile0.digital.sigmoid",
        convolution_and_relu,
        {
            "tile.digital.sigmoid.lanes": 1,
            "tile.digital.sigmoid.clock": "slow",
            "tile.digital.sigmoid.count": 2,
        },
        PIXELS * OUTPUTS * 100 / 2,
    ),
    # 300 rows are three arrays, in a core each: three sums of 8 outputs.
    "adder": Case(
        "tile0.digital.shift_add",
        lambda: convolution(300),
        {"tile.digital.shift_add.lanes": 1, "tile.digital.shift_add.clock": "slow", "tile.cores": 3},
        PIXELS * 3 * OUTPUTS * 100,
    ),
    # The inputs come in, a bit a flit and a flit a cycle.
    "link": Case("chip0.r0-t0", convolution, {"network.link_width_bits": 1}, PIXELS * INPUTS * BITS),
    # 10 MB/s are 100 ns a byte.
    "external link": Case(
        "external-1.in",
        convolution,
        {"external.bandwidth_gb_per_s": 0.01},
        PIXELS * INPUTS * BITS / 8 * 100,
    ),
}


@pytest.mark.parametrize("fidelity", ["flit", "packet"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_bound_names_the_bottleneck_and_equals_its_work(case: Case, fidelity: str) -> None:
    chip = changed("isaac", {**QUICK, "network.fidelity": fidelity, **case.changes})
    result = pimsim.simulate(chip, case.model().trace("bottleneck"))
    bounds = result.bounds
    assert (bounds["resource"], bounds["resource_fs"]) == (case.resource, case.work_ns * NS)
    assert bounds["resource_fs"] == max(row["busiest_fs"] for row in result.rows("resources"))
    assert 1 <= bounds["latency_over_bound"] < 1.04


def test_a_tile_counts_all_groups_of_arrays_of_a_core() -> None:
    """Four layers of 256, 64, 16 and 4 pixels on four arrays: those are busy for the mean of their work."""
    case = CASES["first of several layers in a core"]
    result = pimsim.simulate(changed("isaac", {**QUICK, **case.changes}), case.model().trace())
    (tile,) = result.tiles
    held = PIXELS * (1 + 1 / 4 + 1 / 16 + 1 / 64) * PHASES * 100 * NS
    assert tile["busy"]["core.array"] == held / 4 / result.latency_fs
    assert result.resources["core.array"]["busy_fs"] == held
    assert result.resources["core.array"]["instances"] == 4
