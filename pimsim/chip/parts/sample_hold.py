"""SampleHold: keeps a column's result while the next phase is read."""

from __future__ import annotations

from typing import ClassVar

from pimsim.chip.base import EnergyPj, Part


class SampleHold(Part):
    """A sample-and-hold circuit; one a column of every array.

    Parameters
    ----------
    energy_per_sample_pj : float, optional
        Energy of one sample, in picojoules.
    """

    action: ClassVar[str] = "energy_per_sample_pj"

    energy_per_sample_pj: EnergyPj | None = None
