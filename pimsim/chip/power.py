"""What a chip file says of a site's power states: when it goes idle or is gated, and what waking takes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from pimsim.chip.base import EnergyPj, TimeNs, refuse
from pimsim.chip.control import Control
from pimsim.registry import named
from pimsim.units import FS_PER_NS

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class PowerStates(Control):
    """A site is active; where nothing has run for a while idle, its clocks still; after that gated, its supply off.

    An idle site starts at the next clock edge; a gated one wakes first, and draws meanwhile what it does when active.

    Parameters
    ----------
    idle_after_ns, gate_after_ns : float, optional
        Time since the end of the last firing after which it is idle, or gated; without it, it never is.
    idle_share, gated_share : float
        Of the static power of the parts inside, what is drawn then, from 0 to 1.
    wake_ns : float, optional
        Time that a gated site takes to wake.
    wake_energy_pj : float, optional
        Energy of waking once; None where it is not modelled.
    """

    idle_after_ns: TimeNs | None = None
    gate_after_ns: TimeNs | None = None
    idle_share: Share = 1.0
    gated_share: Share = 0.0
    wake_ns: TimeNs | None = None
    wake_energy_pj: EnergyPj | None = None

    @classmethod
    def process(cls) -> type[Any]:
        """Return what puts sites to sleep and wakes them."""
        found: type[Any] = named("pimsim.machine.controllers.power:Power")
        return found

    @model_validator(mode="after")
    def _fits_together(self) -> PowerStates:
        if self.idle_after_ns is None and self.gate_after_ns is None:
            raise refuse("idle_after_ns", None, "a time for this or for gate_after_ns")
        if self.gate_after_ns is None:
            return self
        if self.wake_ns is None:
            raise refuse("wake_ns", None, "a time, as the site is gated")
        if self.idle_after_ns is not None and self.idle_after_ns >= self.gate_after_ns:
            expected = f"more than idle_after_ns ({self.idle_after_ns:g})"
            raise refuse("gate_after_ns", self.gate_after_ns, expected)
        return self

    @property
    def idle_fs(self) -> int | None:
        """Time after which a site is idle, fs."""
        return None if self.idle_after_ns is None else round(self.idle_after_ns * FS_PER_NS)

    @property
    def gate_fs(self) -> int | None:
        """Time after which a site is gated, fs."""
        return None if self.gate_after_ns is None else round(self.gate_after_ns * FS_PER_NS)

    @property
    def wake_fs(self) -> int:
        """Time that a gated site takes to wake, fs."""
        return round((self.wake_ns or 0.0) * FS_PER_NS)
