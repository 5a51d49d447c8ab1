"""ShiftAdd: joins the samples of bit slices and input phases to one sum."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from pimsim.chip.base import ClockName, Count, Cycles, EnergyPj, Part, no_effect


class ShiftAdd(Part):
    """The shift-and-add units of a core, pipelined behind the converters; one instance is one unit.

    Parameters
    ----------
    count : int
        Units in a core.
    clock : str
        Name of its clock.
    latency_cycles : int
        Cycles from the last conversion to the finished sum.
    energy_per_add_pj : float, optional
        Energy for one sample, in picojoules.
    """

    action: ClassVar[str] = "energy_per_add_pj"

    count: Annotated[
        Count,
        Field(
            json_schema_extra=no_effect("area and static power only: the units keep up with the converters")
        ),
    ]
    clock: ClockName
    latency_cycles: Cycles
    energy_per_add_pj: EnergyPj | None = None
