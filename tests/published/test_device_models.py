"""Published models of cells against the code that others made of them, and against statistics of it.

``devices/models.json`` has what AIHWKit's and CrossSim's own source gives for given normals,
``devices/aihwkit_pcm.json`` statistics over AIHWKit's random draws; each says how it was made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pimsim.chip.devices import Device
from pimsim.chip.devices.flash import Flash
from pimsim.chip.devices.pcm import Pcm
from pimsim.chip.devices.reram import Reram

HERE = Path(__file__).parent / "devices"
MODELS = json.loads((HERE / "models.json").read_text())
AIHWKIT = json.loads((HERE / "aihwkit_pcm.json").read_text())["by_target_us"]
ONE, NONE = np.ones(1), np.zeros(1)
DAY_S = 86_400.0


@pytest.mark.parametrize("model", ["joshi", "hermes"])
def test_phase_change_cells_are_aihwkits(model: str) -> None:
    """Cell by cell: what programming left, what drifted, and the noise of a read."""
    device = Pcm(model=model)  # type: ignore[arg-type]
    first, second = (np.array(MODELS["normals"][each]) for each in ("programming", "drift"))
    for row in MODELS[model]:
        target = np.full(first.shape, row["target_us"])
        programmed = device.programmed_us(target, first)
        drifted = device.drifted_us(programmed, target, row["seconds"], second)
        noise = device.read_sigma_us(drifted, target, row["seconds"], programmed)
        np.testing.assert_allclose(programmed, row["programmed_us"], rtol=1e-12)
        np.testing.assert_allclose(drifted, row["drifted_us"], rtol=1e-12)
        np.testing.assert_allclose(noise, row["read_sigma_us"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("model", ["neurram", "milo"])
def test_one_deviation_of_programming_is_crosssims(model: str) -> None:
    device = Reram(model=model)  # type: ignore[arg-type]
    for row in MODELS[model]:
        target = row["target_us"] * ONE
        missed = device.programmed_us(target, ONE) - target
        assert missed[0] == pytest.approx(row["sigma_us"], rel=1e-9)


def test_neurrams_cells_relax_as_aihwkits_fits_say() -> None:
    """Its spread from the target after 1 s, 1 day and 2 days: programming's and what came later, squares added."""
    device = Reram(model="wan")
    for row in MODELS["wan"]:
        target = row["target_us"] * ONE
        first = (device.programmed_us(target, ONE) - target)[0]
        later = (device.drifted_us(target, target, row["seconds"], ONE) - target)[0]
        assert np.hypot(first, later) == pytest.approx(row["sigma_us"], rel=1e-9)


def test_cells_of_a_metal_oxide_are_aihwkits() -> None:
    device, normals = Reram(model="cmo"), MODELS["normals"]
    for row in MODELS["cmo"]:
        target = row["target_us"] * ONE
        programmed = device.programmed_us(target, normals["cmo_programming"] * ONE)
        drifted = device.drifted_us(programmed, target, row["seconds"], normals["cmo_drift"] * ONE)
        noise = device.read_sigma_us(drifted, target, row["seconds"])
        found = [programmed[0], drifted[0], noise[0]]
        assert found == pytest.approx(
            [row["programmed_us"], row["drifted_us"], row["read_sigma_us"]], rel=1e-9
        )


def test_sonos_cells_are_crosssims() -> None:
    """The mean after some days, whole or not, and the spread around it, squares added; the noise of a read."""
    device = Flash()
    for row in MODELS["sonos"]:
        target, seconds = row["target_us"] * ONE, row["days"] * DAY_S
        first = (device.programmed_us(target, ONE) - target)[0]
        mean = device.drifted_us(target, target, seconds, NONE)
        later = (device.drifted_us(target, target, seconds, ONE) - mean)[0]
        assert first == pytest.approx(row["programming_sigma_us"], rel=1e-9)
        assert mean[0] == pytest.approx(row["mean_us"], rel=1e-9)
        assert np.hypot(first, later) == pytest.approx(row["sigma_us"], rel=1e-9)
        assert device.read_sigma_us(target, target, 0.0)[0] == pytest.approx(row["read_sigma_us"], rel=1e-9)


COUNT, THEIRS, SIGMAS = 200_000, 100_000, 5
"""Draws here and, about, in AIHWKit's statistics; how many standard errors they may be apart."""


def apart(found: Any, mean: float, deviation: float) -> list[float]:
    """How many standard errors a sample's mean and deviation are from those of another sample."""
    scale = found.std() * np.sqrt(1 / COUNT + 1 / THEIRS)
    tails = (
        np.sqrt((((found - found.mean()) / found.std()) ** 4).mean() - 1) / 2
    )  # 0.71 of a normal distribution
    return [abs(found.mean() - mean) / scale, abs(found.std() - deviation) / (scale * tails)]


@pytest.mark.parametrize("target_us", AIHWKIT)
def test_a_population_has_aihwkits_statistics(target_us: str) -> None:
    expected, device, random = AIHWKIT[target_us], Pcm(), np.random.default_rng(7)
    target = np.full(COUNT, float(target_us))
    draws = random.standard_normal((3, COUNT))
    programmed = device.programmed_us(target, draws[0])
    distances = apart(programmed, expected["prog_mean"], expected["prog_std"])
    year_s = 3.1536e7
    drifted = device.drifted_us(np.ones(COUNT), target, year_s, draws[1])
    nu = -np.log(drifted) / np.log1p(year_s / 20)
    distances += apart(nu, expected["nu_mean"], expected["nu_std"])
    for seconds, label in ((1.0, "1s"), (3600.0, "3600s"), (DAY_S, "86400s"), (year_s, "3.1536e+07s")):
        drifted = device.drifted_us(programmed, target, seconds, draws[1])
        read = drifted + device.read_sigma_us(drifted, target, seconds, programmed) * draws[2]
        distances += apart(read.clip(0), expected[f"mean_{label}"], expected[f"std_{label}"])
    assert max(distances) < SIGMAS, distances


@pytest.mark.parametrize(("seconds", "expected"), [(3600.0, 19.4), (DAY_S, 16.6), (3.1536e7, 12.5)])
def test_the_strongest_cells_drift_as_joshi_et_al_have_it(seconds: float, expected: float) -> None:
    """25 uS after an hour, a day and a year, in the mean over cells (by Gauss and Hermite's rule of 20 points)."""
    normal, weight = np.polynomial.hermite_e.hermegauss(20)
    target = np.full(20, 25.0)
    mean = (Pcm().drifted_us(target, target, seconds, normal) * weight).sum() / weight.sum()
    assert mean == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("device", "target_us", "expected"),
    [
        (Pcm(), 25.0, 1.06),  # 0.26348 + 1.9650 - 1.1731
        (Pcm(model="hermes"), 20.7, 0.166 + 4.718 - 8.481 + 4.690),
        (Pcm(model="hermes"), 10.35, 0.166 + 4.718 / 2 - 8.481 / 4 + 4.690 / 8),
        (Reram(), 10.0, 1.053 + 2.374 - 1.167 + 0.1536),
        (Reram(model="milo"), 100.0, 4.782 - 0.91),
    ],
    ids=lambda value: value.name if isinstance(value, Device) else str(value),
)
def test_deviations_of_programming_by_hand(device: Device, target_us: float, expected: float) -> None:
    target = target_us * ONE
    assert (device.programmed_us(target, ONE) - target)[0] == pytest.approx(expected, abs=0.005)
