"""SRAM: six transistors that hold a bit while they have power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pimsim.chip.base import EnergyPj, Text
from pimsim.chip.devices.base import Device, Pulses
from pimsim.chip.devices.spread import Bits, Spread


class Sram(Device):
    """Static memory; how long writing a row takes is its macro's to say, in the array's write_ns."""

    retention: ClassVar[str] = "a value stays as long as there is power, and no longer"

    spreads: ClassVar[Mapping[str, Spread]] = {"": Bits()}

    kind: Literal["sram"] = "sram"
    source: Text = (
        "Pulses: a bit is written outright. Energy: Horowitz, ISSCC 2014, 45 nm: 10 pJ for 64 bits of an 8 KB SRAM,"
        " / 64 = 0.15625 pJ a bit. The time of a row depends on the macro and is not given. Nothing wears out"
    )
    pulses: Pulses | None = 1.0
    energy_per_cell_write_pj: EnergyPj | None = 0.15625
