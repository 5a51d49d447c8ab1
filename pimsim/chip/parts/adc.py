"""Adc: the converters that turn the columns' results into numbers."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from pimsim.chip.parts.base import ClockName, Clocks, Count, EnergyPj, Part, period_fs


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

    action: ClassVar[str] = "energy_per_convert_pj"

    bits: Annotated[int, Field(ge=1, le=16)]
    clock: ClockName
    convert_cycles: Count
    banks: Count
    adcs_per_bank: Count
    energy_per_convert_pj: EnergyPj | None = None

    def conversion_fs(self, samples: int, clocks: Clocks) -> int:
        """Return the time that a converter takes for so many samples, one after another, fs."""
        return samples * self.convert_cycles * period_fs(clocks, self.clock)

    def doubled(self) -> dict[str, Any]:
        """Twice the converters of a bank."""
        return {"adcs_per_bank": 2 * self.adcs_per_bank}
