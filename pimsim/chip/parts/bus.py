"""Bus: joins a tile's buffer, cores and digital units."""

from __future__ import annotations

from typing import Any, ClassVar

from pimsim.chip.base import Bits, ClockName, Cycles, EnergyPj, Part, Visit
from pimsim.chip.parts.clock import Clocks, hertz, period_fs


class Bus(Part):
    """A tile's bus; it takes one transfer a cycle.

    Parameters
    ----------
    width_bits : int
        Bits of one transfer.
    clock : str
        Name of its clock.
    latency_cycles : int
        Cycles from sending to arrival.
    energy_per_transfer_pj : float, optional
        Energy of one transfer of the full width, in picojoules.
    """

    action: ClassVar[str] = "energy_per_transfer_pj"

    width_bits: Bits
    clock: ClockName
    latency_cycles: Cycles
    energy_per_transfer_pj: EnergyPj | None = None

    def transfer(self, bits: int, clocks: Clocks, least_fs: int = 0) -> Visit:
        """Move so many bits, for at least so long where what comes in is no faster."""
        period = period_fs(clocks, self.clock)
        transfers = -(-bits // self.width_bits)
        held = -(-max(transfers * period, least_fs) // period) * period
        return Visit(held, held + self.latency_cycles * period, transfers)

    def per_second(self, clocks: Clocks, count: int = 1) -> float:
        """Return the transfers of a second of so many: one in each cycle."""
        return count * hertz(clocks, self.clock)

    def gb_per_s(self, clocks: Clocks) -> float:
        """Return what it moves at most, in GB/s (1e9 bytes a second)."""
        return self.width_bits / 8 * self.per_second(clocks) / 1e9

    def doubled(self) -> dict[str, Any]:
        """Twice the wires."""
        return {"width_bits": 2 * self.width_bits}
