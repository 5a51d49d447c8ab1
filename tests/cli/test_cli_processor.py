"""The command line on a processor: run, compare, what-if, report, and one clear message for what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .runner import call, small_file


def test_a_trace_runs_is_compared_and_reported(capsys, monkeypatch, tmp_path: Path) -> None:
    trace, results = small_file(tmp_path), []
    for chip in ("isaac", "tpuv4"):
        results.append(str(tmp_path / f"{chip}.json.gz"))
        done = call(capsys, monkeypatch, "run", chip, trace, "-o", results[-1])
        assert done.code == 0, done.err
    done = call(capsys, monkeypatch, "compare", *results)
    assert done.code == 0, done.err
    assert "starts of kernels by tile.launcher" in " ".join(done.out.split())
    page = tmp_path / "page.html"
    done = call(capsys, monkeypatch, "report", *results, "-o", str(page))
    assert done.code == 0, done.err
    assert "tile.launcher" in page.read_text(encoding="utf-8")
    done = call(capsys, monkeypatch, "whatif", "tpuv4", trace, "--json")
    assert done.code == 0, done.err
    assert {row["part"] for row in json.loads(done.out)["changes"]} >= {"tile.launcher", "tile.memory"}


def test_the_plan_says_how_products_are_cut(capsys, monkeypatch, tmp_path: Path) -> None:
    done = call(capsys, monkeypatch, "run", "a100", small_file(tmp_path), "--plan")
    assert done.code == 0, done.err
    assert ": tiles of 64 x 64 on 108 cores, 0.00926 waves, bf16." in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--set", "tile.buffer.capacity_kib=64"],
            "its buffer of 64 KiB does not hold what stays in the arrays of 'tile', 256 KiB",
        ),
        (["--set", "tile.memory.capacity_kib=0.5", "--chips", "1"], "tile.memory.capacity_kib"),
        (["--set", "digital.matrix.dataflow=row-stationary"], "expected 'output-stationary'"),
        (["--set", "digital.matrix.rows=100"], "expected rows that divide the lanes"),
        (["--cold"], "leave cold out"),
    ],
)
def test_a_mistake_gets_one_message(
    capsys, monkeypatch, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = call(capsys, monkeypatch, "run", "tpuv4", small_file(tmp_path), *arguments)
    assert done.code == 2, done.out
    assert message in done.err
    assert "Traceback" not in done.err
