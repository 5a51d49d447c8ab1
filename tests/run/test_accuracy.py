"""Does a chip answer as its converters and cells let it, in one call, the same every time?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pimsim import Chip, Sidecar, Trace, accuracy, simulate
from pimsim.errors import ConfigError, MappingError, TraceError
from pimsim.presets import folder
from pimsim.run import answers
from pimsim.run.accuracy import AccuracyInterrupted, AccuracyResult, _interval

DIGITS = Trace.load("digits_cnn")
VALUES = Sidecar.beside(DIGITS, folder("traces") / "digits_cnn.jsonl")


IDEAL = {"core.array.device": {"kind": "reram", "model": "isaac"}}  # a range, and no error


def on(chip: str, changes: dict[str, Any] | None = None, **asked: Any) -> AccuracyResult:
    return accuracy(
        Chip.load(chip, changes or {}), DIGITS, VALUES, **{"samples": 48, "calibrate": 32, **asked}
    )


def test_isaac_loses_nothing_but_its_integers() -> None:
    """With cells as written, complements make 8 bits enough: the answers are those of integers, to the last bit."""
    result = on("isaac", IDEAL, samples=None)
    (row,) = result.times
    assert {key: row[key] for key in row if key != "after_s"} == result.data["integers"]
    assert (
        row["top1"] == result.data["floats"]["top1"] == pytest.approx(357 / 360)
    )  # as the trace's header says
    assert [layer["own_snr_db"] for layer in result.layers] == [None, None, None]
    timed = simulate(Chip.load("isaac"), DIGITS)
    assert (result.data["latency_fs"], result.data["interval_fs"]) == (timed.latency_fs, timed.interval_fs)
    assert result.data["energy_pj"] == timed.data["energy_pj"]["total"]


def test_fewer_codes_lose_more() -> None:
    """Each bit less of a converter is a step twice as wide: 6 dB, and a little less where codes are few."""
    asked = {"samples": 16, "calibrate": 16}
    found = [
        on("hermes64", {"core.adc.bits": bits, **IDEAL}, **asked).layers[1]["own_snr_db"]
        for bits in (8, 6, 4)
    ]
    assert np.diff(found) == pytest.approx([-12, -12], abs=3)


def test_what_is_switched_off_is_told_beside_what_is_left() -> None:
    result = on("hermes64", {"core.adc.bits": 5, **IDEAL}, causes=True)
    rows = {row["off"]: row for row in result.causes}
    assert rows["converter"]["relative_error"] < result.times[0]["relative_error"] / 2
    assert rows["all of these"]["relative_error"] == result.data["integers"]["relative_error"]


@pytest.mark.parametrize("at_once", [1, 7])
def test_the_answers_do_not_depend_on_how_many_are_computed_at_once(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With noise in every read, and cells that drift: of each sample the same, whatever is beside it."""
    changes = {"core.coding.adc_range": [-20000.0, 20000.0]}
    before = on("hermes64", changes, samples=8, calibrate=8).to_dict()
    monkeypatch.setattr(answers, "AT_ONCE", at_once)
    after = on("hermes64", changes, samples=8, calibrate=8).to_dict()
    for row, other in zip(before["layers"], after["layers"], strict=True):
        assert row["own_snr_db"] == pytest.approx(other["own_snr_db"], rel=1e-9)
    assert before["times"][0]["relative_error"] == pytest.approx(
        after["times"][0]["relative_error"], rel=1e-6
    )


def test_the_same_inputs_give_the_same_result() -> None:
    first, second = (on("hermes64", samples=8, calibrate=8).to_json() for _ in range(2))
    assert first == second
    assert json.loads(first)["identity"]["digest"] != on("hermes64", samples=7).data["identity"]["digest"]


def test_the_range_is_from_samples_that_are_told() -> None:
    """One sample reaches less far than 32, so more is clipped."""
    few, many = (on("hermes64", IDEAL, calibrate=count) for count in (1, 32))
    assert few.times[0]["relative_error"] > many.times[0]["relative_error"]
    assert any("the first 1 of the samples" in note for note in few.data["notes"])


def test_devices_spread_and_drift() -> None:
    """PCM: seeds differ, a year costs more than a second, and both are told beside what is not modelled."""
    result = on("hermes64", samples=16, calibrate=16, seeds=2, after_s=[1.0, 3.15e7])
    soon, late = result.times
    assert soon["relative_error"] < late["relative_error"]
    assert result.data["identity"]["seeds"] == 2
    assert on("hermes64", samples=16, calibrate=16, seed=2).data["layers"] != result.data["layers"]
    isaac = on("isaac", samples=4, after_s=[1.0, 10.0])
    assert len(isaac.times) == 1
    assert "other times are not modelled" in isaac.data["notes"][0]
    assert any("drift is not modelled" in note for note in isaac.data["notes"])


def test_wires_cost_more_the_thinner_they_are() -> None:
    found = [
        on("hermes64", {"core.array.wire_ohm": ohm}, samples=2).times[0]["relative_error"]
        for ohm in (1.0, 10.0)
    ]
    assert found[0] < found[1]


@pytest.mark.parametrize(
    ("shares", "samples", "ends"),
    [
        ([0.99], 360, (0.973, 0.996)),  # Wilson: by hand
        ([1.0], 100, (0.963, 1.0)),
        ([0.9, 0.8], 10_000_000, (0.85 - 1.96 * 0.05, 0.85 + 1.96 * 0.05)),  # the spread of two seeds alone
    ],
)
def test_the_interval_of_a_share(shares: list[float], samples: int, ends: tuple[float, float]) -> None:
    assert _interval(shares, samples) == pytest.approx(ends, abs=1e-3)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"samples": 361}, "samples: found 361, expected a whole number from 1 to 360"),
        ({"seeds": 0}, "seeds: found 0"),
        ({"calibrate": 0}, "calibrate: found 0"),
        ({"after_s": []}, "after: found 0 times"),
        ({"after_s": [-1.0]}, r"after: found -1\.0, expected a time from 0"),
        ({"after_s": [float("nan")]}, "after: found nan"),
        ({"weight_bits": 24}, "weight_bits: found 24 bits, expected up to 20"),
    ],
)
def test_options_that_make_no_sense(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        on("isaac", **asked)


def test_a_chip_without_arrays_has_nothing_to_lose() -> None:
    with pytest.raises(MappingError, match="no op of 'digits_cnn' computes on arrays of a100"):
        on("a100")


def test_cells_have_no_more_levels_than_their_device() -> None:
    with pytest.raises(ConfigError, match=r"cells of 2 bits, which take 4 levels; sram has 2"):
        on("isaac", {"core.array.device": "sram"})
    assert on("isaac", {"core.array.device": "sram", "core.array.bits_per_cell": 1}, samples=2).times


def test_drift_beyond_what_is_published_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected 0 to .* as long as it is published"):
        on("isaac", {"core.array.device": {"kind": "reram", "model": "wan"}}, samples=2, after_s=[1e8])


def test_ctrl_c_keeps_the_runs_that_are_through() -> None:
    """Three seeds of eight samples: floats, integers, one seed, and a bit of the next."""

    def stop(done: int, total: int) -> None:
        assert total == 8 * 5
        if done > 8 * 3:
            raise KeyboardInterrupt

    asked = {"samples": 8, "calibrate": 8}
    with pytest.raises(AccuracyInterrupted) as caught:
        on("hermes64", seeds=3, on_progress=stop, **asked)
    kept = caught.value.result
    assert kept.times == on("hermes64", **asked).times
    assert kept.data["notes"][0].startswith("Interrupted: 1 of 3 runs")
    with pytest.raises(KeyboardInterrupt) as early:
        on("hermes64", on_progress=lambda done, total: (_ for _ in ()).throw(KeyboardInterrupt), **asked)
    assert not isinstance(early.value, AccuracyInterrupted)


def test_values_by_their_path(tmp_path: Path) -> None:
    path = folder("traces") / "digits_cnn.npz"
    result = accuracy(Chip.load("isaac"), DIGITS, path, samples=2)
    assert result.data["identity"]["values"] == VALUES.digest
    assert len(result.to_pandas()) == 1
    with pytest.raises(TraceError, match="cannot be read"):
        accuracy(Chip.load("isaac"), DIGITS, tmp_path / "none.npz")
