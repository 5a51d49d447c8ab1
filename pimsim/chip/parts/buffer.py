"""Buffer: a tile's memory for activations."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from pimsim.chip.base import Bits, ClockName, Cycles, EnergyPj, Part, Positive, Visit
from pimsim.chip.parts.clock import Clocks, hertz, period_fs


class Buffer(Part):
    """A tile's buffer; every port does one access a cycle.

    Parameters
    ----------
    capacity_kib : float
        Size in KiB (1024 bytes).
    width_bits : int
        Bits of one access.
    ports : int
        Accesses that can be under way side by side.
    clock : str
        Name of its clock.
    latency_cycles : int
        Cycles from the request to the data.
    energy_per_access_pj : float, optional
        Energy of one access of the full width, in picojoules.
    """

    action: ClassVar[str] = "energy_per_access_pj"

    capacity_kib: Positive
    width_bits: Bits
    ports: Annotated[int, Field(ge=1, le=1024)]
    clock: ClockName
    latency_cycles: Cycles
    energy_per_access_pj: EnergyPj | None = None

    def read(self, bits: int, clocks: Clocks) -> Visit:
        """Read so many bits: the reader goes on with the first word."""
        period = period_fs(clocks, self.clock)
        accesses = self.accesses(bits)
        return Visit(accesses * period, max(1, self.latency_cycles) * period, accesses)

    def write(self, bits: int, clocks: Clocks) -> Visit:
        """Write so many bits; they are there when the last word is."""
        period = period_fs(clocks, self.clock)
        accesses = self.accesses(bits)
        return Visit(accesses * period, (accesses - 1 + max(1, self.latency_cycles)) * period, accesses)

    def accesses(self, bits: int) -> int:
        """Return the accesses that so many bits take."""
        return -(-bits // self.width_bits)

    @property
    def capacity_bytes(self) -> int:
        """What it holds, in bytes."""
        return int(self.capacity_kib * 1024)

    def per_second(self, clocks: Clocks, count: int = 1) -> float:
        """Return the accesses of a second in which every port of so many does one in each cycle."""
        return count * self.ports * hertz(clocks, self.clock)

    def gb_per_s(self, clocks: Clocks) -> float:
        """Return what it reads and writes at most, in GB/s (1e9 bytes a second)."""
        return self.width_bits / 8 * self.per_second(clocks) / 1e9

    def doubled(self) -> dict[str, Any]:
        """Twice the ports."""
        return {"ports": 2 * self.ports}

    def enlarged(self) -> dict[str, Any]:
        """Twice the capacity."""
        return {"capacity_kib": 2 * self.capacity_kib}
