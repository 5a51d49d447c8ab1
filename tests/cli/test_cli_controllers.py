"""Controllers on the command line: what a cold start says, and what is refused with one clear message."""

from __future__ import annotations

import json

import pytest

from .runner import call

RUN = ("run", "isaac", "digits_cnn")
BANKS = "core.adc.calibration={{interval_us: {}, duration_ns: {}}}"


def test_a_cold_start_says_what_it_did(capsys, monkeypatch):
    done = call(capsys, monkeypatch, *RUN, "--cold", "--set", "core.array.write_ns=100", "--json")
    result = json.loads(done.out)
    assert done.code == 0
    (row,) = result["controllers"]
    assert (row["controller"], row["where"]) == ("programming", "tile")
    assert row["energy_not_modelled_of"] == "external"  # of a cell, the device says it
    assert result["identity"]["cold"] is True
    assert any("(cold)" in note for note in result["notes"])


def test_calibration_and_refresh_by_overrides(capsys, monkeypatch):
    sets = ("--set", BANKS.format(2, 100), "--set", "core.array.write_ns=100")
    refresh = ("--set", "core.array.refresh={interval_us: 20}")
    done = call(capsys, monkeypatch, *RUN, "--batch", "30", *sets, *refresh, "--json")
    rows = {row["controller"]: row for row in json.loads(done.out)["controllers"]}
    assert rows.keys() == {"calibration", "refresh"}
    assert all(row["times"] > 0 and row["held_fs"] > 0 for row in rows.values())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--cold", "--set", "core.array.device=sram"], "core.array.write_ns: writing is not modelled"),
        (["--set", BANKS.format(0, 100)], "interval_us: found 0, expected more than 0"),
        (
            ["--set", BANKS.format(1, 2000)],
            "interval_us: found 1.0, expected more than duration_ns (2000 ns)",
        ),
        (
            ["--set", "core.array.device=sram", "--set", "core.array.refresh={interval_us: 5}"],
            "core.array.write_ns: found None, expected a time",
        ),
        (
            ["--set", "core.array.refresh={interval_us: 5}", "--set", "core.array.write_ns=100"],
            "core.array.refresh.interval_us: found 5.0, expected more than the 12.8 us that it takes each time",
        ),
    ],
)
def test_what_is_refused(capsys, monkeypatch, arguments, expected):
    done = call(capsys, monkeypatch, *RUN, *arguments)
    assert done.code == 2
    assert expected in done.err
    assert "Traceback" not in done.err
