"""Port: a way in or out of a chip that takes one byte after another."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from pimsim.chip.base import EnergyPj, Part, Visit
from pimsim.units import FS_PER_S, fs_from_ns


class Port(Part):
    """What moves bytes at a bandwidth and has them there after a latency; one instance is one port.

    Parameters
    ----------
    count : int
        Ports of a chip.
    bandwidth_gb_per_s : float
        Bandwidth of one port, in GB/s (1e9 bytes a second).
    latency_ns : float
        Latency in nanoseconds.
    energy_per_bit_pj : float, optional
        Energy of one bit, in picojoules.
    """

    action: ClassVar[str] = "energy_per_bit_pj"

    count: Annotated[int, Field(ge=1, le=65_536)]
    bandwidth_gb_per_s: Annotated[float, Field(ge=1e-9, le=1e12, allow_inf_nan=False)]
    latency_ns: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
    energy_per_bit_pj: EnergyPj | None = None

    def transfer(self, bits: int) -> Visit:
        """Move so many bits, one byte after another; the last one is there after the latency."""
        period = self.byte_fs
        held = -(-bits // 8) * period
        return Visit(held, held + -(-fs_from_ns(self.delay_ns) // period) * period, bits)

    @property
    def rate_gb_per_s(self) -> float:
        """What one port moves, GB/s."""
        return self.bandwidth_gb_per_s

    @property
    def delay_ns(self) -> float:
        """How long after it is asked for the first byte is there, ns."""
        return self.latency_ns

    @property
    def byte_fs(self) -> int:
        """Time of a byte, fs: the clock of the port."""
        return max(1, round(FS_PER_S / (self.rate_gb_per_s * 1e9)))

    def per_second(self) -> float:
        """Return the bits of a second at full bandwidth, of all ports."""
        return self.count * self.rate_gb_per_s * 8e9

    def faster(self, factor: int) -> dict[str, Any]:
        """More bandwidth, less latency."""
        if factor == 0:
            return {"bandwidth_gb_per_s": 1e6, "latency_ns": 0.0}
        return {
            "bandwidth_gb_per_s": self.rate_gb_per_s * factor,
            "latency_ns": self.delay_ns / factor,
        }

    def doubled(self) -> dict[str, Any]:
        """Twice as many."""
        return {"count": 2 * self.count}
