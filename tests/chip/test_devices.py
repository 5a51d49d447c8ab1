"""What does a device say of writing its cells, and when is it asked?"""

from __future__ import annotations

import math

import pytest

from pimsim.chip import Chip
from pimsim.chip.parts.array import Array, Programming
from pimsim.errors import ConfigError
from pimsim.registry import plugged
from pimsim.run.simulate import simulate
from pimsim.trace import Trace

NS = 1_000_000  # fs


def array_of(chip: Chip) -> Array:
    array = chip.config.sites["tile"].core.array
    assert isinstance(array, Array)
    return array


def programming(preset: str, *overrides: str) -> Programming:
    chip = Chip.load(preset, overrides)
    return array_of(chip).programming(chip.config.clocks)


# Pulses times a pulse, as the sources give them; times in whole cycles of the arrays' clock.
FIGURES = {
    "reram": (math.ceil(8.52 * 40 / 100) * 100 * NS, 8.52 * 120.3, 1e6),
    "pcm": (100 * NS, None, 1e8),
    "fefet": (100 * NS, None, 1e5),
    "flash": (None, None, None),
    "mram": (100 * NS, 4.5 / (1 - 9e-6), 1e12),
    "sram": (None, 10 / 64, None),
}


def test_every_device_of_pimsim_has_its_row_here() -> None:
    assert set(FIGURES) == set(plugged("devices"))


@pytest.mark.parametrize("device", FIGURES)
def test_an_array_without_figures_of_its_own_takes_those_of_its_device(device: str) -> None:
    row_fs, cell_pj, endurance = FIGURES[device]
    found = programming("isaac", f"core.array.device={device}")
    assert found.row_fs == row_fs
    assert found.cell_pj == (None if cell_pj is None else pytest.approx(cell_pj))
    assert found.endurance == endurance
    assert f"of the device {device}" in found.words or found[:3] == (None, None, None)
    unknown = [
        word for word, value in zip(("time", "energy", "endurance"), found[:3], strict=True) if value is None
    ]
    assert (f"{', '.join(unknown)} not known" if unknown else "not known") in found.words or not unknown


def test_the_energy_of_a_reram_pulse_is_what_its_source_computes() -> None:
    """2 V over 1330 ohm for 40 ns."""
    device = array_of(Chip.load("isaac")).device
    assert device.energy_per_cell_write_pj == pytest.approx(2 * 2 / 1330 * 40e-9 * 1e12, rel=1e-3)


def test_what_the_array_gives_comes_first() -> None:
    """hermes_llm assumes 100 us a row and 100 pJ a cell."""
    assert programming("hermes_llm") == (100_000 * NS, 100, 1e8, "time, energy, endurance as the array gives")
    mixed = programming("isaac", "core.array.write_ns=250", "core.array.device=pcm")
    assert mixed.row_fs == 300 * NS
    assert mixed.words == "time as the array gives; endurance of the device pcm; energy not known"


def test_a_chip_file_may_replace_a_figure_of_a_device() -> None:
    """Four pulses of 40 ns are two cycles of 100 ns."""
    found = programming("isaac", "core.array.device.pulses=4")
    assert (found.row_fs, found.cell_pj) == (200 * NS, pytest.approx(4 * 120.3))
    assert found == programming("isaac", "core.array.device={kind: reram, pulses: 4}")
    below = {"extends": "isaac", "sites": {"tile": {"core": {"array": {"device": {"pulses": 4}}}}}}
    assert (
        array_of(Chip.from_dict(below)).device
        == array_of(Chip.load("isaac", ["core.array.device.pulses=4"])).device
    )


def test_another_device_does_not_keep_what_was_said_of_the_one_before() -> None:
    overrides = ["core.array.device.pulses=4", "core.array.device=fefet"]
    assert array_of(Chip.load("isaac", overrides)).device.pulses is None


def test_a_device_is_kept_by_a_dump() -> None:
    chip = Chip.load("isaac", ["core.array.device.pulses=4"])
    again = Chip.from_dict(chip.to_dict())
    assert array_of(again).device == array_of(chip).device
    assert again.digest == chip.digest != Chip.load("isaac").digest


def test_products_on_arrays_ask_no_device() -> None:
    """Whether a product is written into arrays is weighed by the array's own write time, which isaac does not give."""
    with pytest.raises(ConfigError, match=r"core\.array\.write_ns gives no time to write a row in"):
        Chip.load("isaac", ["products=write"])
    assert Chip.load("isaac", ["core.array.write_ns=100", "products=write"]).config.tiles == 168


def test_a_device_sets_the_time_of_a_cold_run() -> None:
    """Rows of one array follow each other, whatever comes first: a slower device is slower by its rows' difference."""
    trace = Trace.load("digits_cnn")
    cold = {
        pulses: simulate(Chip.load("isaac", {"core.array.device.pulses": pulses}), trace, cold=True)
        for pulses in (25.0, 250.0)
    }
    assert cold[250.0].latency_fs - cold[25.0].latency_fs >= 9 * (100 - 10) * 100 * NS


def test_words_say_what_a_device_affects() -> None:
    for key in ("core.array.device=pcm", "core.array.device.pulses=4"):
        assert any(
            f"{key.split('=')[0]}: only runs that write arrays" in note
            for note in Chip.load("isaac", [key]).notes
        )
