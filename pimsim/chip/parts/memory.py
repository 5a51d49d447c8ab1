"""Memory: what lies off the chip and holds what the tiles' buffers cannot."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pimsim.chip.parts.base import Count, EnergyPj, Part, Positive


class Memory(Part):
    """Off-chip memory of a chip behind ports at routers of its network; one instance is one port with its channel.

    A port takes one access after another, each for its bytes at the port's bandwidth; the first byte comes after the
    latency. Banks and rows are not modelled.

    Parameters
    ----------
    ports : int
        Ports of a chip, spread evenly over its routers.
    bandwidth_gb_per_s : float
        Bandwidth of one port, reads and writes together, in GB/s (1e9 bytes a second).
    latency_ns : float
        Time from an access to its first byte, in nanoseconds.
    capacity_gib : float
        Of all ports of a chip, in GiB (2^30 bytes).
    energy_per_bit_pj : float, optional
        Energy of one bit read or written, in picojoules.
    """

    ports: Count
    bandwidth_gb_per_s: Positive
    latency_ns: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
    capacity_gib: Positive
    energy_per_bit_pj: EnergyPj | None = None

    def router(self, port: int, routers: int) -> int:
        """Return the index of the router that a port is at."""
        return port * routers // self.ports % routers
