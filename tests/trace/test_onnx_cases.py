"""Small ONNX models of many kinds: MACs and distinct weights by formula, and each runs on every preset.

The models and their figures stand in `onnx_cases`, with a page about where they are from.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import pimsim
from pimsim.presets import names
from pimsim.trace.onnx.export import from_onnx

FOLDER = Path(__file__).parent / "onnx_cases"
with (FOLDER / "expected.csv").open(newline="") as file:
    ROWS = {row["model"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", ROWS)
def test_figures(name: str) -> None:
    trace = from_onnx(FOLDER / f"{name}.onnx")
    assert (trace.macs, trace.weights) == (int(ROWS[name]["macs"]), int(ROWS[name]["weights"]))
    assert not trace.unknown


@pytest.mark.parametrize("name", ROWS)
def test_runs_on_every_preset(name: str) -> None:
    trace = from_onnx(FOLDER / f"{name}.onnx")
    for preset in names("configs", ".yaml"):
        result = pimsim.simulate(pimsim.Chip.load(preset), trace)
        assert result.latency_fs > 0, preset
