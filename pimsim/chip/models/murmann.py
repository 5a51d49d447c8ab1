"""The regression on Murmann's ADC survey: the best that converters of so many bits, rate and node have reached."""

from __future__ import annotations

from math import ceil, exp, log
from typing import ClassVar, Literal

from pimsim.chip.models.base import ConverterModel, Limits, Point

# FOM is Schreier's figure of merit in dB: slow converters are bounded by their resolution, fast ones by their rate.
FOM_FAST, FOM_PER_LOG_HZ = 213.781, -2.8719
FOM_SLOW, FOM_PER_BIT = 128.307, 3.22051


def energy_pj(bits: int, samples_per_s: float, technology_nm: float) -> float:
    """Return the energy of a conversion in picojoules.

    Parameters
    ----------
    bits : int
        Resolution, taken as the effective number of bits.
    samples_per_s : float
        Rate of the converter in hertz.
    technology_nm : float
        Technology node in nanometres.
    """
    fom_db = min(FOM_FAST + FOM_PER_LOG_HZ * log(samples_per_s), FOM_SLOW + FOM_PER_BIT * ceil(bits))
    sndr_db = 6.0206 * bits + 1.761
    best = 0.5 * 10 ** ((sndr_db - fom_db) / 10)
    return best * exp(26.0496 + 1.88004 * log(technology_nm) - 2.82913 * log(bits) - 1.47020)


def area_um2(bits: int, samples_per_s: float, technology_nm: float) -> float:
    """Return the area of a converter in square micrometres; arguments as of `energy_pj`."""
    energy = log(energy_pj(bits, samples_per_s, technology_nm))
    return exp(1.34619 + 0.99328 * log(technology_nm) + 0.18072 * log(samples_per_s) + 0.29912 * energy)


class Murmann(ConverterModel):
    """Energy and area from the survey, for any kind of converter; optimistic by design.

    The forms are those of Accelergy's ADC plug-in (github.com/Accelergy-Project/accelergy-adc-plug-in, MIT), fitted to
    B. Murmann, "ADC Performance Survey" (github.com/bmurmann/ADC-survey).
    """

    kind: Literal["murmann"] = "murmann"

    about: ClassVar[str] = "regression on Murmann's ADC survey, as Accelergy's plug-in has it"

    def limits(self) -> Limits:
        """From 4 bits on; up to the survey's fastest converter, slow ones do not matter; its nodes."""
        return Limits((4, 16), (0.0, 9e10), (7, 1000))

    def energy_pj(self, point: Point) -> float:
        """Return the energy of one conversion in picojoules."""
        return energy_pj(*point)

    def area_um2(self, point: Point) -> float:
        """Return the area of one converter in square micrometres."""
        return area_um2(*point)
