"""Published: the cycles of systolic arrays are those of SCALE-Sim 3, on every row, in all three dataflows.

`processors/systolic_scalesim.csv` is SCALE-Sim 3.0.0 (A. Samajdar et al., PyPI `scalesim`) run with
``InterfaceBandwidth: CALC`` and buffers of 64 KB. It counts cycles from 0 and names the last one, so a product of C
cycles stands there as C - 1. Here each runs through the engine as a kernel, and the array's busy time is counted in its
cycles.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pimsim.run.simulate import simulate
from tests.kinds.processors import matmul, processor

with (Path(__file__).parent / "processors" / "systolic_scalesim.csv").open(encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
DATAFLOWS = {"os": "output-stationary", "ws": "weight-stationary", "is": "input-stationary"}


def number_of(row: dict[str, str]) -> str:
    return f"{row['array_RxC']} {row['dataflow']} {row['gemm']}"


@pytest.mark.parametrize("row", ROWS, ids=number_of)
def test_a_product_takes_scale_sims_cycles(row: dict[str, str]) -> None:
    rows, columns = map(int, row["array_RxC"].split("x"))
    m, n, k = (int(row[key]) for key in "MNK")
    chip = processor(rows=rows, lanes=rows * columns, dataflow=DATAFLOWS[row["dataflow"]])
    result = simulate(chip, matmul(m, n, k))
    unit = result.resources["tile.digital.matrix"]
    period = chip.config.clocks["core"].period_fs
    assert unit["busy_fs"] == (int(row["compute_cycles"]) + 1) * period
    assert result.macs == m * n * k


def test_a_product_is_as_long_as_its_folds_where_nothing_else_takes_time() -> None:
    """Folds follow each other without a gap: what is loaded, fed and stored is hidden behind them."""
    row = next(each for each in ROWS if number_of(each) == "128x128 ws gemv_1k")
    chip = processor(rows=128, lanes=128 * 128, dataflow="weight-stationary")
    result = simulate(chip, matmul(1, 1024, 1024))
    period = chip.config.clocks["core"].period_fs
    folds = (int(row["compute_cycles"]) + 1) * period
    at_array = [each for each in result.attribution if each["part"] == "tile.digital.matrix"]
    assert {each["cause"] for each in at_array} <= {"compute", "contention"}  # one piece after another
    assert sum(each["fs"] for each in at_array) == folds
