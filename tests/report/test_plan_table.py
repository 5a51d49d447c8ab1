"""The plan as a table."""

from __future__ import annotations

import pytest

from pimsim import Chip, Trace, make_plan
from pimsim.report.plan_table import plan_report, plan_table, ranges
from pimsim.report.tables import to_plain_text


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        ([], ""),
        ([5], "5"),
        ([0, 1, 2, 3, 7], "0-3,7"),
        ([7, 3, 1, 2, 0, 3], "0-3,7"),
        ([1, 3, 5, 6], "1,3,5-6"),
    ],
)
def test_ranges(numbers, written):
    assert ranges(numbers) == written


@pytest.mark.parametrize(
    ("chip", "trace"), [("isaac", "resnet50"), ("hermes64", "alexnet"), ("puma", "squeezenet")]
)
def test_every_op_has_a_row_in_80_columns(chip, trace):
    plan = make_plan(Chip.load(chip), Trace.load(trace))
    text = to_plain_text(*plan_report(plan, trace))
    assert max(map(len, text.splitlines())) <= 80
    starts = [line.split()[:3] for line in text.splitlines()]
    for row in plan.rows():
        if len(str(row["op"]).split()) == 1 and len(str(row["type"])) <= 11:  # longer ones fold
            assert [row["op"], row["type"], row["on"]] in starts
    assert f"{plan.arrays} of {plan.arrays_available} arrays" in text


def test_many_tiles_fold_at_commas():
    row = {
        "op": "a",
        "type": "Conv",
        "on": "arrays",
        "arrays": 9,
        "utilisation": 0.5,
        "replicas": 1,
        "firings": 1,
    }
    tiles = list(range(1000, 1100, 2))
    lines = to_plain_text(plan_table([{**row, "tiles": tiles}])).splitlines()[2:]
    folded = [line.split()[-1] for line in lines]
    assert ",".join(part.strip(",") for part in folded).split(",") == [str(tile) for tile in tiles]
    assert all(line.endswith(",") for line in folded[:-1])
    assert lines[0].split()[:7] == ["a", "Conv", "arrays", "9", "50.0", "%", "1"]


def test_several_chips_say_how_tiles_are_counted():
    plan = make_plan(Chip.load("hermes64"), Trace.load("squeezenet"), chips=2)
    assert "chip 1 begins at tile 64" in to_plain_text(*plan_report(plan, "squeezenet", 2))
