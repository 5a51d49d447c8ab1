"""One recorded result, so that a change of any figure is seen and said, not slipped in.

The figures have no authority of their own: they are what this version computes. A change that means to move them
runs ``python -m tests.golden.test_golden``, commits the new file, and says why in CHANGELOG.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pimsim.chip import Chip
from pimsim.run.simulate import simulate
from pimsim.trace import Trace

FILE = Path(__file__).parent / "squeezenet_hermes64.json"


def figures() -> dict[str, Any]:
    result = simulate(Chip.load("hermes64"), Trace.load("squeezenet"))
    return {
        "command": "python -m tests.golden.test_golden",
        "chip": "hermes64",
        "trace": "squeezenet",
        "latency_fs": result.latency_fs,
        "interval_fs": result.interval_fs,
        "energy_pj": result.energy_pj["total"],
        "bounds": {key: result.bounds[key] for key in ("resource_fs", "dependence_fs")},
        "firings": result.engine["firings"],
        "packets": result.engine["packets"],
        "events": result.engine["events"],
        "longest": result.rows("attribution")[0],
    }


def test_the_recorded_result_is_computed_again() -> None:
    recorded = json.loads(FILE.read_text())
    now = figures()
    assert now.pop("energy_pj") == pytest.approx(recorded.pop("energy_pj"), rel=1e-12)
    assert now == recorded


if __name__ == "__main__":
    FILE.write_text(json.dumps(figures(), indent=1) + "\n")
