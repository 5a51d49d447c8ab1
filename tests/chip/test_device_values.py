"""What becomes of values in cells: ranges, what is modelled and what not, and what holds for any cells.

Against publications: ``tests/published/test_device_models.py``.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimsim.chip import Chip
from pimsim.chip.devices import Device
from pimsim.chip.devices.spread import MODELS
from pimsim.chip.notes import notes_of_values
from pimsim.chip.parts.array import Array
from pimsim.errors import ConfigError
from pimsim.registry import plugged

EVERY = {
    device(**{"model": model} if model else {}).name: device(**{"model": model} if model else {})
    for device in plugged("devices").values()
    for model in device.spreads
}
# Range in microsiemens and levels, as the sources of each model give them; and which of MODELS it has.
FIGURES: dict[str, tuple[float | None, float | None, int | None, str]] = {
    "pcm of the model joshi": (0, 25, None, "programming drift read"),
    "pcm of the model hermes": (0, 20.7, None, "programming drift read"),
    "reram of the model neurram": (1, 39.26, None, "programming"),
    "reram of the model wan": (1, 40, None, "programming drift"),
    "reram of the model milo": (50, 225, None, "programming"),
    "reram of the model cmo": (9, 88.2, 32, "programming drift read"),
    "reram of the model isaac": (1e6 / 3e6, 1e6 / 2e3, None, ""),
    "reram of the model raella": (1e6 / 20e3, 1e6 / 1330, None, ""),
    "reram of the model prime": (1e6 / 20e3, 1e6 / 1e3, None, ""),
    "reram of the model neurosim": (1e6 / 17e5, 1e6 / 1e5, None, ""),
    "flash": (0, 16, None, "programming drift read"),
    "sram": (None, None, 2, "programming drift"),
    "fefet": (1e6 / 1e9, 1e6 / 1e5, 60, ""),
    "mram": (1e6 / 8000, 1e6 / 4000, 2, ""),
}
KINDS = plugged("devices")
DRIFTING = sorted(name for name, device in EVERY.items() if "drift" in device.models)
NOISY = sorted(name for name, device in EVERY.items() if "read" in device.models)
PROGRAMMED = sorted(name for name, device in EVERY.items() if "programming" in device.models)
normals = st.floats(-6, 6)
shares = st.floats(0, 1)


def array_of(*overrides: str) -> Array:
    array = Chip.load("isaac", overrides).config.sites["tile"].core.array
    assert isinstance(array, Array)
    return array


def target_of(device: Device, share: float, shape: tuple[int, ...] = (1,)) -> Any:
    least, most = device.g_min_us or 0.0, device.g_max_us or 1.0
    return np.full(shape, least + share * (most - least))


def test_every_model_of_every_device_has_its_row_here() -> None:
    assert set(FIGURES) == set(EVERY)


@pytest.mark.parametrize("name", FIGURES)
def test_range_levels_and_what_is_modelled_are_as_published(name: str) -> None:
    device, (least, most, levels, modelled) = EVERY[name], FIGURES[name]
    assert (device.g_min_us, device.g_max_us, device.levels) == (least, most, levels)
    assert device.models == tuple(modelled.split())
    assert [*device.models, *device.not_modelled] == sorted(
        MODELS, key=lambda each: (each not in device.models, MODELS.index(each))
    )
    assert not list(device.warnings())


def test_the_documented_range_levels_and_models_are_these() -> None:
    """The table of cells in docs/devices.md, row by row."""
    text, seen = (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8"), set()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "|" in line
    ]
    for kind, model, reach, levels, *laws, _ in (
        row for row in rows if len(row) == 8 and row[0].strip("`") in KINDS
    ):
        device = plugged("devices")[kind.strip("`")](**{"model": model.split("`")[1]} if model else {})
        found = [each for each in (device.g_min_us, device.g_max_us) if each is not None]
        given = [float(each) for each in reach.split(",") if each]
        assert found == pytest.approx(given, rel=1e-3), device.name
        assert device.levels == (int(levels) if levels else None), device.name
        modelled = [each for each, law in zip(MODELS, laws, strict=True) if law != "not modelled"]
        assert list(device.models) == modelled, device.name
        seen.add(device.name)
    assert seen == set(EVERY)


def test_surveyed_figures_are_the_surveys() -> None:
    """tests/published/devices/survey.csv is the half of NVMExplorer's rows that was read."""
    lines = (Path(__file__).parents[1] / "published" / "devices" / "survey.csv").read_text().splitlines()[1:]
    rows = list(csv.DictReader(lines))
    for kind, device in plugged("devices").items():
        own = [row for row in rows if row["kind"] == kind]
        endurance = sorted(float(row["endurance"]) for row in own if row["endurance"])
        pulses = sorted(float(each) for row in own for each in row["pulses_ns"].split())
        found = {key: list(values) for key, values in device.surveyed.items()}
        assert found == ({"row_write_ns": pulses, "endurance": endurance} if own else {})


# -- what holds for any cells ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMMED)
@given(share=shares, normal=normals)
def test_no_conductance_is_negative_and_a_larger_draw_gives_no_less(
    name: str, share: float, normal: float
) -> None:
    device = EVERY[name]
    target = target_of(device, share, (2,))
    less, more = device.programmed_us(target, np.array([normal, normal + 1]))
    assert 0 <= less <= more
    assert device.programmed_us(target, np.zeros(2)) == pytest.approx(target)


@pytest.mark.parametrize("name", DRIFTING)
@given(share=shares, first=normals, second=normals, seconds=st.floats(0, 1.7e5))
def test_drift_leaves_a_conductance(
    name: str, share: float, first: float, second: float, seconds: float
) -> None:
    device = EVERY[name]
    target = target_of(device, share)
    programmed = device.programmed_us(target, np.array([first]))
    drifted = device.drifted_us(programmed, target, seconds, np.array([second]))
    assert drifted >= 0
    assert np.isfinite(drifted)
    assert device.drifted_us(programmed, target, 0.0, np.array([second])) == pytest.approx(programmed)


@pytest.mark.parametrize("name", [each for each in DRIFTING if each.startswith("pcm")])
@given(share=shares, second=normals, seconds=st.floats(0, 3e8), more=st.floats(1, 100))
def test_a_phase_change_cell_only_falls(
    name: str, share: float, second: float, seconds: float, more: float
) -> None:
    device = EVERY[name]
    target = target_of(device, share)
    normal = np.array([second])
    early, late = (device.drifted_us(target, target, each, normal) for each in (seconds, seconds * more))
    assert late <= early * (1 + 1e-12)
    assert early <= target


@pytest.mark.parametrize("name", [each for each in DRIFTING if EVERY[each].spread.longest_s < 1e9])
def test_cells_spread_without_a_jump_between_published_times(name: str) -> None:
    """A second around each day changes nothing that shows."""
    device = EVERY[name]
    target = target_of(device, 0.5)
    for day in range(1, int(device.spread.longest_s / 86_400)):
        before, after = (
            device.drifted_us(target, target, day * 86_400 + step, np.ones(1)) for step in (-1.0, 1.0)
        )
        assert after == pytest.approx(before, rel=1e-4)


@pytest.mark.parametrize("name", NOISY)
@given(share=shares, seconds=st.floats(0, 3e8))
def test_noise_of_a_read_is_no_negative_number(name: str, share: float, seconds: float) -> None:
    device = EVERY[name]
    target = target_of(device, share)
    noise = device.read_sigma_us(target, target, seconds)
    assert noise >= 0
    assert np.isfinite(noise)


@pytest.mark.parametrize("name", PROGRAMMED)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 2), (2, 3, 4)])
def test_arrays_of_any_shape_keep_it_and_cells_do_not_know_of_each_other(
    name: str, shape: tuple[int, ...]
) -> None:
    device, random = EVERY[name], np.random.default_rng(1)
    target, normal, other = target_of(device, 0.5, shape), *random.standard_normal((2, *shape))
    found = {"programming": device.programmed_us(target, normal)}
    if "drift" in device.models:
        found["drift"] = device.drifted_us(found["programming"], target, 90_000.0, other)
    if "read" in device.models:
        found["read"] = device.read_sigma_us(found["programming"], target, 90_000.0)
    assert all(each.shape == shape for each in found.values())
    if target.size:
        alone = device.programmed_us(target.ravel()[-1:], normal.ravel()[-1:])
        assert alone == found["programming"].ravel()[-1:]


def test_a_bit_stays_exactly() -> None:
    sram, bits = EVERY["sram"], np.array([0.0, 1.0])
    assert (sram.programmed_us(bits, np.array([3.0, -3.0])) == bits).all()
    assert (sram.drifted_us(bits, bits, 1e9, np.array([3.0, -3.0])) == bits).all()


def test_a_smaller_cell_of_the_same_kind_errs_in_proportion() -> None:
    """AIHWKit scales errors with the largest conductance: half of it, half the error, the same exponents."""
    whole, half = EVERY["pcm of the model joshi"], plugged("devices")["pcm"](g_max_us=12.5)
    target, normal = np.linspace(0.1, 25, 9), np.linspace(-2, 2, 9)
    programmed = whole.programmed_us(target, normal)
    assert half.programmed_us(target / 2, normal) == pytest.approx(programmed / 2)
    assert half.drifted_us(programmed / 2, target / 2, 1e5, normal) == pytest.approx(
        whole.drifted_us(programmed, target, 1e5, normal) / 2
    )


# -- in a chip file ----------------------------------------------------------------------------------------------


def test_a_chip_file_chooses_the_model_and_may_replace_its_range() -> None:
    assert array_of("core.array.device={kind: pcm, model: hermes}").device.g_max_us == 20.7
    device = array_of("core.array.device={kind: pcm, model: hermes, g_max_us: 10, levels: 16}").device
    assert (device.g_min_us, device.g_max_us, device.levels) == (0, 10, 16)
    assert array_of("core.array.device.model=milo").device.g_min_us == 50
    assert array_of("core.array.device.g_max_us=null").device.g_max_us == 39.26


def test_another_model_does_not_keep_the_range_of_the_one_before() -> None:
    assert array_of("core.array.device.g_max_us=30", "core.array.device=pcm").device.g_max_us == 25


@pytest.mark.parametrize(
    ("overrides", "warning"),
    [
        (
            ("core.array.device.g_max_us=40",),
            r"g_max_us: 40 uS, more than the 39.26 uS that reram of the model",
        ),
        (("core.array.device.g_min_us=0.5",), r"g_min_us: 0.5 uS, less than the 1 uS"),
        (("core.array.device={kind: reram, model: cmo, levels: 64}",), r"levels: 64, more than the 32"),
        (("core.array.device.endurance=1e12",), r"endurance: 1e+12, 9 published devices have 1000 to 1e+08"),
        (("core.array.device.row_write_ns=1",), r"row_write_ns: 1, 12 published devices have 5 to 100000"),
        (("core.array.device=mram",), r"bits_per_cell: 2 bits need 4 levels, mram has 2"),
    ],
)
def test_what_is_outside_of_what_is_published_is_a_warning(overrides: tuple[str, ...], warning: str) -> None:
    warnings = Chip.load("isaac", overrides).warnings
    assert len(warnings) == 1
    assert f"sites.tile.core.array.{'' if warning.startswith('bits') else 'device.'}{warning}" in warnings[0]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "core.array.device.model=hermes",
            r"core\.array\.device\.model: found the text 'hermes', expected 'neurram'",
        ),
        ("core.array.device.g_max_us=0", r"core\.array\.device\.g_max_us: found 0, expected more than 0"),
        ("core.array.device.g_min_us=50", r"g_min_us: found 50.0, expected less than g_max_us, 39.26 uS"),
        ("core.array.device.levels=1", r"core\.array\.device\.levels: found 1, expected at least 2"),
        ("core.array.device={kind: mram, model: joshi}", r"found the unknown key 'model'"),
        ("core.array.wire_ohm=0", r"core\.array\.wire_ohm: found 0, expected more than 0"),
    ],
)
def test_refuses(override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Chip.load("isaac", [override])


@pytest.mark.parametrize(
    ("name", "call", "words"),
    [
        (
            "fefet",
            lambda d, g: d.programmed_us(g, g),
            r"programming error of fefet is not modelled: not in what was",
        ),
        (
            "reram of the model milo",
            lambda d, g: d.drifted_us(g, g, 1.0, g),
            r"drift of reram of the model milo is not",
        ),
        ("sram", lambda d, g: d.read_sigma_us(g, g, 1.0), r"read noise of sram is not modelled"),
        (
            "pcm of the model joshi",
            lambda d, g: d.programmed_us(g + 25, g),
            r"found conductances of 26 to 26 uS",
        ),
        (
            "pcm of the model joshi",
            lambda d, g: d.programmed_us(-g, g),
            r"of -1 to -1 uS, expected 0 to 25 uS",
        ),
        ("pcm of the model joshi", lambda d, g: d.programmed_us(g * np.nan, g), r"found conductances of nan"),
        (
            "pcm of the model joshi",
            lambda d, g: d.drifted_us(g, g, -1.0, g),
            r"after -1.0 s, expected at least 0",
        ),
        (
            "pcm of the model joshi",
            lambda d, g: d.read_sigma_us(g, g, np.nan),
            r"read noise of .* after nan s, expected at least 0",
        ),
        (
            "reram of the model cmo",
            lambda d, g: d.drifted_us(g, g, np.inf, g),
            r"after inf s, expected at least 0",
        ),
        (
            "flash",
            lambda d, g: d.drifted_us(g, g, 1e6, g),
            r"expected 0 to 432000 s, as long as it is published",
        ),
    ],
)
def test_refuses_what_is_not_modelled_or_out_of_range(name: str, call: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        call(EVERY[name], np.ones(1))


def test_a_chip_says_what_becomes_of_values() -> None:
    notes = notes_of_values(Chip.load("isaac").config)
    assert notes[0].startswith(
        "core.array: values of reram of the model neurram, 1 to 39.26 uS: programming error modelled"
    )
    assert "core.array: read noise not modelled: not in what was read." in notes
    assert any(
        note.startswith(
            "core.array: endurance: 9 published devices have 1000 to 1e+08, half of them at least 1e+06"
        )
        for note in notes
    )
    assert notes[-1] == "core.array: IR drop not modelled: wire_ohm is not given."
    wired = notes_of_values(Chip.load("isaac", ["core.array.wire_ohm=1.5"]).config)
    assert wired[-1] == "core.array: IR drop modelled: 1.5 ohm of wire from cell to cell."
    assert notes_of_values(Chip.load("dadiannao").config) == []


def test_a_key_of_values_says_that_runs_do_not_depend_on_it() -> None:
    for key in ("core.array.wire_ohm=1", "core.array.device.levels=4", "core.array.device.model=cmo"):
        notes = Chip.load("isaac", [key]).asides
        assert any(note.startswith(f"{key.split('=')[0]}: only pimsim accuracy") for note in notes), key
