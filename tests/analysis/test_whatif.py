"""What-if simulates what it says: the same figures as a run with the change made by hand; and what it refuses."""

from __future__ import annotations

import pytest

import pimsim
from pimsim.analysis.changes import changes_of, grid
from pimsim.analysis.whatif import whatif
from pimsim.errors import ConfigError, ResultError
from tests.oracle.test_lowered import small_cnn
from tests.random_models import small_chip


@pytest.fixture(scope="module")
def found():
    return whatif(small_chip(), small_cnn(), jobs=2)


def test_every_row_is_a_run_of_its_own(found):
    """Planned anew: the same as simulating the changed chip."""
    for row in found.rows:
        if not row.change.same_plan and row.outcome is not None:
            result = pimsim.simulate(row.change.applied_to(small_chip()), small_cnn())
            assert row.outcome.latency_fs == result.latency_fs
            assert row.outcome.attribution == result.attribution
    assert found.base.latency_fs == pimsim.simulate(small_chip(), small_cnn()).latency_fs


def test_every_part_in_use_is_tried_in_every_way_and_ranked(found):
    parts = set(pimsim.simulate(small_chip(), small_cnn()).resources)
    tried = {(row.change.part, row.change.kind) for row in found.rows}
    for part in parts:
        assert {(part, "twice as fast"), (part, "infinitely fast"), (part, "twice as many")} <= tried
    times = [row.outcome.latency_fs for row in found.rows if row.outcome is not None]
    assert times == sorted(times)
    for row in found.rows:
        if row.outcome is not None:
            assert sum(r["fs"] for r in row.outcome.attribution) == row.outcome.latency_fs
            assert row.won_fs == found.base.latency_fs - row.outcome.latency_fs


def test_where_attribution_and_outcome_disagree_the_row_says_so(found):
    for row in found.rows:
        if row.change.kind == "infinitely fast" and row.outcome is not None:
            little = row.won_fs < 0.5 * row.attributed_fs and row.attributed_fs > found.base.latency_fs // 100
            assert ("slack takes over" in row.note or "slower" in row.note) == (
                little or "slower" in row.note
            )


def test_a_grid_tries_all_combinations():
    chip = small_chip()
    found = whatif(
        chip, small_cnn(), 3, settings=["core.adc.adcs_per_bank=1,2", "tile.in_flight=1,3"], jobs=2
    )
    assert len(found.rows) == 4
    for row in found.rows:
        result = pimsim.simulate(row.change.applied_to(chip), small_cnn(), 3)
        assert (row.outcome.latency_fs, row.outcome.interval_fs) == (result.latency_fs, result.interval_fs)
    assert {tuple(row.change.values.items()) for row in found.rows} == {
        (("core.adc.adcs_per_bank", a), ("tile.in_flight", b)) for a in (1, 2) for b in (1, 3)
    }


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("core.adc.adcs_per_bank", "expected KEY=VALUE,VALUE"),
        ("core.adc.adcs_per_banks=1,2", "adcs_per_bank"),
        ("core.adc.adcs_per_bank=1,none", "core.adc.adcs_per_bank"),
        ("core.adc.adcs_per_bank=[", "expected values with commas"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_runs(setting, message):
    with pytest.raises(ConfigError, match=message):
        grid(small_chip(), [setting])


def test_a_part_that_the_run_does_not_use_is_refused():
    with pytest.raises(ResultError, match=r"does not use 'core\.adcs'"):
        whatif(small_chip(), small_cnn(), parts=["core.adcs"])


def test_a_change_that_does_not_fit_is_a_row_in_words():
    found = whatif(small_chip(), small_cnn(), settings=["tile.buffer.capacity_kib=64,0.01"], jobs=1)
    unfit = [row for row in found.rows if row.outcome is None]
    assert len(unfit) == 1
    assert "does not fit" in unfit[0].note
    assert "does not fit" in str(found)


def test_changes_that_leave_a_keys_range_are_left_out():
    chip = small_chip({"tile.buffer.ports": 1024})
    kinds = {(change.part, change.kind) for change in changes_of(chip, ["tile.buffer"])}
    assert ("tile.buffer", "twice as many") not in kinds
    assert ("tile.buffer", "twice as fast") in kinds


def test_an_experiment_is_asked_with_all_its_options():
    experiment = pimsim.Experiment(small_chip(), small_cnn(), pimsim.Options(batch=2, input_bits=4))
    found = whatif(experiment, settings=["core.adc.adcs_per_bank=2"], jobs=1)
    assert found.base.latency_fs == pimsim.simulate(experiment).latency_fs
    (row,) = found.rows
    changed = experiment.with_(chip=row.change.applied_to(experiment.chip))
    assert row.outcome.latency_fs == pimsim.simulate(changed).latency_fs


def test_generation_is_refused():
    asked = pimsim.Options(prompt=4, tokens=2)
    with pytest.raises(ConfigError, match="prompt: what-if runs inferences"):
        whatif(pimsim.Experiment(small_chip(), small_cnn(), asked))
