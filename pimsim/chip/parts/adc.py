"""Adc: the converters that turn the columns' results into numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pimsim.chip.parts.base import ClockName, Count, EnergyPj, Part


class Adc(Part):
    """The analog-to-digital converters of a core, in banks; one instance is one converter.

    A bank converts ``ceil(columns * arrays_in_bank / adcs_per_bank)`` samples one after another.

    Parameters
    ----------
    bits : int
        Resolution.
    clock : str
        Name of the clock that conversions fall on.
    convert_cycles : int
        Cycles of that clock for one sample.
    banks : int
        Banks in a core; the arrays of the core are dealt out to them evenly.
    adcs_per_bank : int
        Converters that work side by side in a bank.
    energy_per_convert_pj : float, optional
        Energy of one sample, in picojoules.
    """

    bits: Annotated[int, Field(ge=1, le=16)]
    clock: ClockName
    convert_cycles: Count
    banks: Count
    adcs_per_bank: Count
    energy_per_convert_pj: EnergyPj | None = None
