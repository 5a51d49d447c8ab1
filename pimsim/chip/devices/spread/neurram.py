"""ReRAM cells of the NeuRRAM chip: what is left of write and verify once cells have relaxed."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import TYPE_CHECKING, ClassVar

from pimsim.chip.devices.spread.base import NOT_READ, Spread
from pimsim.chip.devices.spread.law import polynomial

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DAY_S = 86_400.0


class Neurram(Spread):
    """NeuRRAM's cells a second after write and verify: a cubic fit to Extended Data Fig. 3."""

    source = (
        "Wan et al., Nature 608, 504 (2022), Extended Data Fig. 3 at 1 s, as CrossSim fits it (sandialabs/cross-sim, "
        "commit 0a2eb1e, BSD-3, RRAMWan): 1.053 + 0.2374 G - 0.01167 G^2 + 1.536e-4 G^3 uS, up to 39.26 uS; the range's"
        " lower end, 1 uS, is recalled from the paper"
    )
    g_min_us, g_max_us = 1.0, 39.26
    missing: ClassVar[Mapping[str, str]] = {
        "drift": "this fit is of 1 s; the model wan has 1 day and 2 days",
        "read": NOT_READ,
    }

    def programming_sigma_us(self, target_us: Floats, g_max_us: float) -> Floats:
        """What a second of relaxation has left of write and verify."""
        return polynomial((1.053, 0.2374, -1.167e-2, 1.536e-4), target_us).clip(0)


class Wan(Spread):
    """The same cells at three times: fits of fourth order to the same figure."""

    source = (
        "Wan et al., Nature 608, 504 (2022), at 1 s, 1 day and 2 days, as AIHWKit fits it (IBM/aihwkit, commit "
        "4545f11, MIT, ReRamWan2022NoiseModel); between these times sigma is interpolated over the logarithm of time; "
        "the range's lower end, 1 uS, is recalled from the paper"
    )
    g_min_us, g_max_us = 1.0, 40.0
    longest_s = 2 * DAY_S
    missing: ClassVar[Mapping[str, str]] = {"read": "AIHWKit's authors found no data of read noise"}
    fits = (
        (1.0, (0.348, 16.030, -43.853, 45.393, -16.815)),
        (DAY_S, (0.701, 22.086, -50.773, 47.095, -16.458)),
        (2 * DAY_S, (0.782, 20.274, -43.507, 37.062, -11.934)),
    )

    def programming_sigma_us(self, target_us: Floats, g_max_us: float) -> Floats:
        """The deviation after a second."""
        return self.sigma_us(target_us, 1.0)

    def sigma_us(self, target_us: Floats, seconds: float) -> Floats:
        """Return the standard deviation from the target after so many seconds; before 1 s, that of 1 s."""
        share = target_us / 40.0
        (early, one), (late, other) = self.fits[:2] if seconds <= DAY_S else self.fits[1:]
        way = (log(max(seconds, 1.0)) - log(early)) / (log(late) - log(early))
        return ((1 - way) * polynomial(one, share) + way * polynomial(other, share)).clip(0)

    def drifted_us(
        self, programmed_us: Floats, target_us: Floats, seconds: float, normal: Floats, g_max_us: float
    ) -> Floats:
        """A cell keeps what programming left it, and moves on by what the spread has grown since 1 s."""
        grown = (self.sigma_us(target_us, seconds) ** 2 - self.sigma_us(target_us, 1.0) ** 2).clip(0) ** 0.5
        return programmed_us + grown * normal
