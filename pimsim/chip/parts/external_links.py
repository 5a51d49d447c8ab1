"""ExternalLinks: what joins a chip to others and to its host."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pimsim.chip.parts.base import Count, EnergyPj, Part, Positive


class ExternalLinks(Part):
    """The links that leave the chip; one instance is one link.

    Parameters
    ----------
    count : int
        Links of a chip.
    bandwidth_gb_per_s : float
        Bandwidth of one link in each direction, in GB/s (1e9 bytes a second).
    latency_ns : float
        Latency of one link in nanoseconds.
    energy_per_bit_pj : float, optional
        Energy of one bit, in picojoules.
    """

    count: Count
    bandwidth_gb_per_s: Positive
    latency_ns: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
    energy_per_bit_pj: EnergyPj | None = None
