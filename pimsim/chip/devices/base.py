"""What every technology of memory cells says: how a cell is written, how often, and how long it keeps its value."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from pimsim.chip.base import EnergyPj, Positive, Sourced, TimeNs

Pulses = Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False)]


class Device(Sourced):
    """A technology of memory cells; a subclass has the figures of one, which a chip file may replace.

    What is not known is None, in which case the array itself has to say it.

    Parameters
    ----------
    kind : str
        Which technology it is.
    row_write_ns : float, optional
        One pulse to the cells of a row at once, in nanoseconds.
    pulses : float, optional
        Mean number of pulses, each with its reading back, until a cell holds its value.
    energy_per_cell_write_pj : float, optional
        Energy of one pulse to one cell, in picojoules.
    endurance : float, optional
        Writes that a cell survives.
    """

    plugs: ClassVar[str] = "devices"
    no_effect: ClassVar[str] = (
        "only runs that write arrays (--cold, --reload, refresh), and there what the array's own keys leave open"
    )
    retention: ClassVar[str] = ""
    """How long a cell keeps its value, and how it drifts, in words."""

    kind: str
    row_write_ns: TimeNs | None = None
    pulses: Pulses | None = None
    energy_per_cell_write_pj: EnergyPj | None = None
    endurance: Positive | None = None

    @property
    def row_ns(self) -> float | None:
        """Time to write a row with all its pulses, in nanoseconds; None where a pulse's is not known."""
        return None if self.row_write_ns is None else self.row_write_ns * (self.pulses or 1)

    @property
    def cell_pj(self) -> float | None:
        """Energy to write a cell with all its pulses, in picojoules; None where a pulse's is not known."""
        each = self.energy_per_cell_write_pj
        return None if each is None else each * (self.pulses or 1)

    @property
    def how(self) -> str:
        """How a row is written, in words: so many pulses, or that their number is not known."""
        if self.pulses is None:
            return "one pulse, how many more verifying takes is not known"
        return f"{self.pulses:.4g} pulses"
