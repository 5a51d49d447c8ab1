"""SONOS cells of 40 nm: charge in a nitride, read below threshold. Currents of 128 thousand of them, over five days."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pimsim.chip.devices.spread.base import Spread
from pimsim.chip.devices.spread.law import polynomial

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DAY_S = 86_400.0
NA_PER_US = (
    100.0  # at the 0.1 V that CrossSim reads at: its currents of up to 1.6 uA are conductances of up to 16 uS
)
# Each day's shift of the current, as a polynomial of the current; both in nA. Day 0 is programming.
SHIFT_NA: tuple[tuple[float, ...], ...] = (
    (0.0,) * 11,
    (1.72684e-01, 5.72552e-02, -6.85715e-04, 3.50271e-06, -9.37682e-09, 1.40575e-11, -1.19803e-14, 5.41293e-18,
     -8.85448e-22, -1.66869e-25, 5.95180e-29),
    (2.50712e-01, 6.62195e-02, -6.83218e-04, 2.99442e-06, -6.78255e-09, 7.70482e-12, -3.04983e-15, -2.15919e-18,
     2.94617e-21, -1.23359e-24, 1.85329e-28),
    (-1.75300e-02, 9.76883e-02, -9.63791e-04, 4.55551e-06, -1.22391e-08, 1.93786e-11, -1.85899e-14, 1.07659e-17,
     -3.58211e-21, 5.96785e-25, -3.30410e-29),
    (4.03338e-02, 1.03111e-01, -1.04740e-03, 4.83961e-06, -1.28132e-08, 1.99484e-11, -1.85139e-14, 1.00008e-17,
     -2.84944e-21, 3.01008e-25, 1.18747e-29),
    (3.19927e-01, 1.06596e-01, -1.04054e-03, 4.50290e-06, -1.10352e-08, 1.56477e-11, -1.27592e-14, 5.45513e-18,
     -7.26841e-22, -2.43893e-25, 7.14608e-29),
)  # fmt: skip
# Each day's spread, A (1 - exp(-I / B)), in nA.
SPREAD_NA = (
    (19.88665, 176.3115),
    (25.59102, 186.85544),
    (28.72753, 193.56834),
    (31.04318, 198.90332),
    (33.76214, 204.77023),
    (34.57909, 207.34309),
)
READ_NA = (12.58037, 215.36557)


class Sonos(Spread):
    """Programming, drift and read noise of SONOS cells, interpolated between whole days."""

    source = (
        "Agrawal et al., IEDM 2022, 10.1109/IEDM45625.2022.10019564, as CrossSim fits its figures 10 and 11 "
        "(sandialabs/cross-sim, commit 0a2eb1e, BSD-3, SONOS), currents over 0.1 V; range as CrossSim suggests it"
    )
    g_min_us, g_max_us = 0.0, 16.0
    longest_s = 5 * DAY_S

    def programming_sigma_us(self, target_us: Floats, g_max_us: float) -> Floats:
        """Saturates at 0.2 uS."""
        return _saturating(SPREAD_NA[0], target_us * NA_PER_US) / NA_PER_US

    def drifted_us(
        self, programmed_us: Floats, target_us: Floats, seconds: float, normal: Floats, g_max_us: float
    ) -> Floats:
        """A cell keeps what programming left it, shifts as its target does, and moves on by the spread's growth."""
        current = target_us * NA_PER_US
        day = min(int(seconds // DAY_S), len(SHIFT_NA) - 2)
        way = seconds / DAY_S - day
        coefficients = _between(SHIFT_NA[day], SHIFT_NA[day + 1], way)
        shift = polynomial(coefficients, current)
        late = _saturating(_between(SPREAD_NA[day], SPREAD_NA[day + 1], way), current + shift)
        grown = (late**2 - _saturating(SPREAD_NA[0], current) ** 2).clip(0) ** 0.5
        return programmed_us + (shift + grown * normal) / NA_PER_US

    def read_sigma_us(
        self, conductance_us: Floats, written_us: Floats, seconds: float, g_max_us: float
    ) -> Floats:
        """The same at all times."""
        return _saturating(READ_NA, conductance_us * NA_PER_US) / NA_PER_US


def _between(one: tuple[float, ...], other: tuple[float, ...], way: float) -> tuple[float, ...]:
    return tuple((1 - way) * a + way * b for a, b in zip(one, other, strict=True))


def _saturating(law: tuple[float, ...], current: Floats) -> Floats:
    import numpy as np

    most, scale = law
    return np.asarray(most * (1 - np.exp(-current / scale))).clip(0)
