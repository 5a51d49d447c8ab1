"""More chips than a model needs make it faster, as expected, or change nothing; what is unused is said."""

from __future__ import annotations

import pytest

from pimsim import Chip, Trace, simulate
from pimsim.mapping.lowering.predicted import predict
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.spare import on_some, widened
from tests.oracle.test_lowered import agree
from tests.random_models import Builder, small_chip


def two_layers() -> Trace:
    model = Builder()
    model.conv(model.conv(model.input(1, 4, 12, 12), 8, (3, 3)), 8, (3, 3))
    return model.trace()


@pytest.mark.parametrize("preset", ["isaac", "puma", "hermes64", "dadiannao"])
def test_no_number_of_chips_is_expected_to_be_slower_than_the_fewest(preset: str) -> None:
    chip, trace = Chip.load(preset), Trace.load("digits_cnn")
    expected = [predict(make_plan(chip, trace, chips=count)).expected_fs for count in (1, 2, 3, 4)]
    assert expected == sorted(expected, reverse=True)


def test_unused_chips_hold_nothing_and_are_said() -> None:
    """What each part does, channel by channel, is what it does without them."""
    chip, trace = Chip.load("hermes64"), Trace.load("digits_cnn")
    one = make_plan(chip, trace)
    wide = widened(one, 3)
    assert wide.package.chips == 3
    assert {tile for op in wide.ops for tile in op.tiles} == {tile for op in one.ops for tile in op.tiles}
    assert predict(wide) == predict(one)
    plan = make_plan(chip, trace, chips=3)
    used = 1 + max(tile for op in plan.ops for tile in op.tiles) // chip.config.tiles
    assert plan.chosen.startswith(f"Of 3 chips {used} ") == (used < 3)


def test_a_plan_that_leaves_chips_unused_runs_as_plain_simpy_does() -> None:
    plan = widened(make_plan(small_chip(), two_layers(), chips=2), 4)
    agree(plan, 2)


def test_numbers_of_chips_are_tried_until_two_in_a_row_win_nothing() -> None:
    """Of equals the fewest are taken."""
    chip, trace = small_chip(), two_layers()
    first = make_plan(chip, trace, chips=1)
    tried: list[int | None] = []
    times = {1: 9, 2: 8, 3: 8, 4: 8, 5: 1}

    def plan_on(count: int | None) -> object:
        tried.append(count)
        return widened(first, count or 1)

    found = on_some(16, plan_on, lambda plan: times[plan.package.chips])  # type: ignore[arg-type]
    assert tried == [None, 2, 3, 4]
    assert found.chosen.startswith("Of 16 chips 2 are used")


def test_who_asks_for_idle_chips_reads_it_in_the_result() -> None:
    """A chip more than the net can use: its two layers are as fast on one, which has arrays for a copy a position."""
    chip = small_chip({"core.arrays": 64})
    notes = " ".join(simulate(chip, two_layers(), chips=3).data["notes"])
    assert "Of 3 chips 1 is used" in notes
