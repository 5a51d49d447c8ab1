"""A chip that is larger than a scanner's field says so, and how many dies it would be."""

from __future__ import annotations

import pytest

from pimsim.analysis.compare import compare
from pimsim.chip import Chip
from pimsim.chip.reticle import beyond_reticle, dies
from pimsim.report.comparison import comparison_text
from pimsim.report.terminal import to_text
from pimsim.run.simulate import simulate
from pimsim.trace import Trace


@pytest.mark.parametrize(("area", "count"), [(0, 1), (858, 1), (858.1, 2), (2597, 4)])
def test_dies(area: float, count: int) -> None:
    """A field is 26 mm by 33 mm: 858 mm²."""
    assert dies(area) == count


def test_of_the_presets_only_one_is() -> None:
    assert beyond_reticle(Chip.load("isaac")) == ""
    assert beyond_reticle(Chip.load("hermes_llm")).startswith(
        "hermes_llm is 2,597 mm2 as one chip, beyond a reticle of 858"
    )
    assert "4 dies" in beyond_reticle(Chip.load("hermes_llm"))


def test_reports_tell_what_is_off_the_chip_and_beyond_a_reticle() -> None:
    trace = Trace.load("digits_cnn")
    results = [simulate(Chip.load(name), trace) for name in ("isaac", "hermes_llm")]
    isaac, large = results
    energy = isaac.energy_pj
    assert energy["off_chip"] == ["external"]
    assert energy["on_chip"] == pytest.approx(energy["total"] - energy["by_part"]["external"], rel=1e-12)
    assert "on the chip" in to_text(isaac)
    assert "without external" in to_text(isaac)
    assert "hermes_llm is 2,597 mm2" in " ".join(to_text(large).split())
    said = " ".join(comparison_text(compare(*results)).split())
    assert "The energy of external" in said
    assert "an assumption of the chip files, not of the designs" in said
