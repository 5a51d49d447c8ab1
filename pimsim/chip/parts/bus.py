"""Bus: joins a tile's buffer, cores and digital units."""

from __future__ import annotations

from pimsim.chip.parts.base import Bits, ClockName, Cycles, EnergyPj, Part


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

    width_bits: Bits
    clock: ClockName
    latency_cycles: Cycles
    energy_per_transfer_pj: EnergyPj | None = None
