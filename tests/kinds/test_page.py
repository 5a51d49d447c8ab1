"""The page of arrays beside processors: what counts as moving data, on a chip whose energies are known."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from pimsim.run.simulate import simulate
from tests.kinds.processors import matmul, processor

PATH = Path(__file__).parents[2] / "scripts" / "processors.py"


def test_moving_data_is_all_but_arithmetic_and_starts() -> None:
    spec = importlib.util.spec_from_file_location("processors_page", PATH)
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    result = simulate(processor(), matmul(64, 64, 64))
    energy, time = page.moved(result)
    total = result.energy["total_aj"] * 1e-6  # pJ
    assert energy == pytest.approx(1 - 64**3 * 0.5 / total)  # 0.5 pJ a multiply-accumulate
    rest = sum(row["fs"] for row in result.attribution if row["cause"] in ("compute", "launch"))
    queued = sum(row["fs"] for row in result.attribution if "matrix" in row["part"])
    launch = sum(row["fs"] for row in result.attribution if row["cause"] == "launch")
    assert time == pytest.approx(1 - (queued + launch) / result.latency_fs)
    assert rest <= queued + launch
    assert "compute" in page.largest(result) or "launch" in page.largest(result)
