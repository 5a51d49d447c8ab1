"""Buffer: a tile's memory for activations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pimsim.chip.parts.base import Bits, ClockName, Cycles, EnergyPj, Part, Positive


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

    capacity_kib: Positive
    width_bits: Bits
    ports: Annotated[int, Field(ge=1, le=1024)]
    clock: ClockName
    latency_cycles: Cycles
    energy_per_access_pj: EnergyPj | None = None
