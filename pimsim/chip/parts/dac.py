"""Dac: drives one row of an array with a slice of the input."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from pimsim.chip.base import EnergyPj, Part


class Dac(Part):
    """A digital-to-analog converter or pulse-width modulator; one a row of every array.

    Parameters
    ----------
    bits : int
        Bits of the input that one phase applies.
    energy_per_conversion_pj : float, optional
        Energy of one row in one phase, in picojoules.
    """

    action: ClassVar[str] = "energy_per_conversion_pj"

    bits: Annotated[int, Field(ge=1, le=16)]
    energy_per_conversion_pj: EnergyPj | None = None
