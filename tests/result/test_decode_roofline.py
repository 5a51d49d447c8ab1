"""Is the table of `docs/roofline-decode.md` what the formulas and the simulator say?"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
LINES = [
    line for line in (ROOT / "docs/roofline-decode.md").read_text().splitlines() if line.startswith("| ")
]


@pytest.fixture
def script(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import decode_roofline

    return decode_roofline


def test_the_formulas_are_those_of_the_table(script):
    written = [line for line in LINES if "| formula | " in line and not line.startswith("| term")]
    assert written == [script.formula_line(row) for row in script.ROWS]


def test_the_table_closes(script):
    """Terms add up to the sum, the ratio is that of the sums, and rows outside the tolerance say so."""
    simulated = [line for line in LINES if "| simulated |" in line]
    assert len(simulated) == len(script.ROWS)
    for row, line in zip(script.ROWS, simulated, strict=True):
        *terms, total = (float(cell.replace(",", "")) for cell in re.findall(r"[\d,.]+(?= \|)", line)[:10])
        assert sum(terms) == pytest.approx(total, abs=0.05 * len(terms))
        found = re.search(r"\*\*([\d.]+)\*\*(, outside)?", line)
        ratio = float(found[1])
        assert ratio == pytest.approx(total / (sum(script.formula(row).values()) / 1000), abs=0.01)
        assert bool(found[2]) == (not script.LEAST <= ratio <= script.MOST)


@pytest.mark.parametrize("prompt", [64, 256])
def test_simulated_again_a_row_is_the_same(prompt, script):
    """The cheap rows; the others take up to two minutes each."""
    (row,) = (r for r in script.ROWS if (r.chip, r.prompt, r.changes) == ("hermes_llm", prompt, ()))
    assert script.simulated_line(row, script.simulated(row)) in LINES
