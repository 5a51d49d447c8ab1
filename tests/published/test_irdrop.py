"""IR drop against other people's solvers: CrossSim on a 128x128 array, badcrossbar on small random ones.

What they were given and what they gave stands in ``irdrop/``, each with where it comes from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pimsim.values.wires import (
    column_currents_exact,
    column_currents_fast,
    effective_exact_us,
    effective_fast_us,
)

HERE = Path(__file__).parent / "irdrop"
CROSSSIM = json.loads((HERE / "crosssim.json").read_text())
BADCROSSBAR = json.loads((HERE / "badcrossbar.json").read_text())["cases"]


@pytest.mark.parametrize("case", CROSSSIM["gains"], ids=lambda case: f"{case['wire_ohm']} ohm")
def test_a_balanced_array_has_crosssims_gain(case: dict[str, Any]) -> None:
    """CrossSim's own solver stops at voltages within 1e-3, so its gain is known to a few 1e-4.

    docs/devices.md states the bound of the approximation, 3e-3 of the drop.
    """
    with np.load(HERE / "balanced_128x128.npz") as given:
        weights, inputs = given["weights"] / 127, given["inputs"][: case["vectors"]] / 255
    least, most = 1e6 / CROSSSIM["r_max_ohm"], 1e6 / CROSSSIM["r_min_ohm"]
    pair = [least + (most - least) * np.maximum(sign * weights, 0) for sign in (1, -1)]
    ideal = inputs @ (pair[0] - pair[1])
    exact, fast = (
        solve(pair[0], inputs, case["wire_ohm"]) - solve(pair[1], inputs, case["wire_ohm"])
        for solve in (column_currents_exact, column_currents_fast)
    )
    gain = (exact * ideal).sum() / (ideal**2).sum()
    assert gain == pytest.approx(case["gain"], abs=4e-4)
    assert np.sqrt(((fast - exact) ** 2).mean()) < 3e-3 * np.sqrt(((ideal - exact) ** 2).mean())


@pytest.mark.parametrize("case", BADCROSSBAR, ids=lambda case: f"{np.shape(case['resistance_ohm'])}")
def test_random_arrays_agree_with_badcrossbar(case: dict[str, Any]) -> None:
    conductance_us, wire_ohm = 1e6 / np.array(case["resistance_ohm"]), case["wire_ohm"]
    expected_ua = 1e6 * np.array(case["column_a"])
    one_by_one = column_currents_exact(conductance_us, case["input_v"], wire_ohm)
    at_once = np.array(case["input_v"]) @ effective_exact_us(conductance_us, wire_ohm)
    for found in (one_by_one, at_once):
        np.testing.assert_allclose(found, expected_ua, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("wire_ohm", [0.5, 2.5])
def test_the_approximation_holds_with_bit_slices(wire_ohm: float) -> None:
    """Four 2-bit slices of the same weights with an offset of 128; docs/devices.md states the bound of 1e-3."""
    with np.load(HERE / "balanced_128x128.npz") as given:
        digits = given["weights"].astype(int)[:64, :64] + 128
    slices = np.stack([1 + 99 * (digits >> shift & 3) / 3 for shift in (0, 2, 4, 6)])
    exact, fast = effective_exact_us(slices, wire_ohm), effective_fast_us(slices, wire_ohm)
    bits = np.random.default_rng(1).integers(0, 2, (32, 64)) * 0.2
    error, drop = bits @ (fast - exact), bits @ (slices - exact)
    assert np.sqrt((error**2).mean()) < 1e-3 * np.sqrt((drop**2).mean())
