"""Laws that models of phase-change cells share: drift by a power of time, and 1/f noise that has added up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pimsim.chip.devices.spread.base import Spread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST_SHARE = 1e-7  # of the largest conductance: below it, exponents are those of this share


def polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    """Return ``c0 + c1 x + c2 x^2 + …``."""
    total = x * 0.0
    for each in reversed(coefficients):
        total = total * x + each
    return total


class PowerLaw(Spread):
    """Phase-change cells: G(t) = G (t / t0)^-nu, and reads with a standard deviation of G Q sqrt(ln((t + tr) / 2 tr)).

    Conductances enter as shares of the largest one, and errors scale with it. Time counts from t0 after programming,
    as in AIHWKit: t = seconds + t0.
    """

    reference_us: float
    """The largest conductance that it was fitted for."""
    programming: tuple[float, ...]
    """Standard deviation of programming in microsiemens, as a polynomial of the share."""
    t0_s: float
    read_s: float

    def nu(self, share: Floats) -> tuple[Floats, Floats]:
        """Return the mean and the standard deviation of the exponent nu over cells of such a share."""
        raise NotImplementedError

    def noise(self, share: Floats) -> Floats:
        """Return Q, the noise of a read relative to the conductance, for cells programmed to such a share."""
        raise NotImplementedError

    def programming_sigma_us(self, target_us: Floats, g_max_us: float) -> Floats:
        """The polynomial, scaled from the conductances that it was fitted for."""
        return polynomial(self.programming, target_us / g_max_us) * (g_max_us / self.reference_us)

    def drifted_us(
        self, programmed_us: Floats, target_us: Floats, seconds: float, normal: Floats, g_max_us: float
    ) -> Floats:
        """Every cell has an exponent of its own, by the target that it was programmed to; none is negative."""
        mean, spread = self.nu((abs(target_us) / g_max_us).clip(LEAST_SHARE))
        return programmed_us * (1 + seconds / self.t0_s) ** -abs(mean + spread * normal)

    def read_sigma_us(
        self, conductance_us: Floats, written_us: Floats, seconds: float, g_max_us: float
    ) -> Floats:
        """1/f noise since programming."""
        from math import log, sqrt

        elapsed = seconds + self.t0_s
        grown = sqrt(log((elapsed + self.read_s) / (2 * self.read_s)))
        return abs(conductance_us) * self.noise(abs(written_us) / g_max_us) * grown
