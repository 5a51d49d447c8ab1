"""RouterAdder: adds partial sums up where they meet on their way through the network."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from pimsim.chip.base import Cycles, EnergyPj, Part, Visit


class RouterAdder(Part):
    """An adder at every router, on the network's clock; one instance is that of one router.

    It takes whole packets, one from each of the ways that meet, and sends one on.

    Parameters
    ----------
    lanes : int
        Values that it adds in a cycle.
    latency_cycles : int
        Cycles more until the sums can leave.
    energy_per_add_pj : float, optional
        Energy of adding one value, in picojoules.
    """

    action: ClassVar[str] = "energy_per_add_pj"

    lanes: Annotated[int, Field(ge=1, le=65_536)]
    latency_cycles: Cycles
    energy_per_add_pj: EnergyPj | None = None

    def add(self, values: int, period: int) -> Visit:
        """Add so many values up, on a clock of this period (fs)."""
        cycles = -(-values // self.lanes)
        return Visit(cycles * period, (cycles + self.latency_cycles) * period, values)

    def doubled(self) -> dict[str, Any]:
        """Twice the lanes."""
        return {"lanes": 2 * self.lanes}
