"""The table of peak figures in docs/chips.md holds what the presets give today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pimsim.chip import Chip

PAGE = Path(__file__).parents[2] / "docs" / "chips.md"
FIGURES = {
    "throughput, TOPS": "tops",
    "power, W": "watts",
    "area, mm²": "area_mm2",
    "area of the cores, mm²": "area_mm2",
    "efficiency, TOPS/W": "tops_per_watt",
    "weights, MB": "weights_mb",
}


def test_documented_figures_are_the_computed_ones() -> None:
    preset, checked = "", set()
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 5 or cells[1] not in FIGURES:
            continue
        preset = cells[0].strip("`") or preset
        computed = getattr(Chip.load(preset).peak, FIGURES[cells[1]])
        assert float(cells[2]) == pytest.approx(computed, rel=5e-4), line
        if cells[3]:
            difference = 100 * (computed / float(cells[3]) - 1)
            stated = float(re.sub("[% ]", "", cells[4]).replace("−", "-"))
            assert stated == pytest.approx(difference, abs=0.06), line
        checked.add(preset)
    assert checked == {
        "dadiannao",
        "isaac",
        "puma",
        "hermes64",
        "hermes64_4phase",
        "tpuv4",
        "a100",
        "h100",
        "l40s",
        "rtx3090",
        "edge_npu",
    }
