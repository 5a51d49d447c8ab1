"""ReRAM: filaments in an oxide, formed and broken by voltage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pimsim.chip.base import EnergyPj, Positive, Text, TimeNs
from pimsim.chip.devices.base import ACCURACY, Device, Pulses
from pimsim.chip.devices.spread import Spread, Unpublished
from pimsim.chip.devices.spread.cmo import Cmo
from pimsim.chip.devices.spread.milo import Milo
from pimsim.chip.devices.spread.neurram import Neurram, Wan


class Reram(Device):
    """Resistive memory, as in ISAAC and PUMA.

    Parameters
    ----------
    model : str
        Whose cells: ``neurram``, those of the NeuRRAM chip after a second; ``wan``, the same up to two days; ``milo``,
        HfO2 by Milo et al.; ``cmo``, a conductive metal oxide on HfOx; or a range alone, as designs assume it:
        ``isaac``, ``raella``, ``prime``, ``neurosim``.
    """

    retention: ClassVar[str] = (
        "an analog value spreads within a second after it is written (NeuRRAM, Nature 2022: sigma up to 2.5 uS); a "
        "stored bit stays for 30 days at 250 C (VLSI 2014, 10.1109/VLSIT.2014.6894401), 42 days at 125 C (the same,"
        " .6894435)"
    )

    spreads: ClassVar[Mapping[str, Spread]] = {
        "neurram": Neurram(),
        "wan": Wan(),
        "milo": Milo(),
        "cmo": Cmo(),
        "isaac": Unpublished("2 kilo-ohm to 3 megohm: CiMLoop's older model of ISAAC", 1e6 / 3e6, 1e6 / 2000),
        "raella": Unpublished("1.33 to 20 kilo-ohm: RAELLA, ISCA 2023", 1e6 / 20e3, 1e6 / 1330),
        "prime": Unpublished("1 to 20 kilo-ohm: PRIME, ISCA 2016", 1e6 / 20e3, 1e6 / 1000),
        "neurosim": Unpublished("100 kilo-ohm, and 17 times that: DNN+NeuroSim 1.4", 1e6 / 1.7e6, 1e6 / 1e5),
    }

    surveyed: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "row_write_ns": (5, 60, 60, 100, 500, 1e3, 1e3, 1e4, 8e4, 8e4, 1e5, 1e5),
        "endurance": (1e3, 1e3, 1e5, 1e5, 1e6, 1e6, 1e7, 1e8, 1e8),
    }

    kind: Literal["reram"] = "reram"
    model: Annotated[
        Literal["neurram", "wan", "milo", "cmo", "isaac", "raella", "prime", "neurosim"],
        Field(json_schema_extra=ACCURACY),
    ] = "neurram"
    source: Text = (
        "A pulse: 40 ns at 2 V (PRIME, ISCA 2016, and RAELLA, ISCA 2023). Pulses: 8.52 us of pulses to set a cell "
        "(NeuRRAM, Nature 2022); recalled: of 1 us each, so 8.52 of them. Energy of a pulse: the most that a cell "
        "at its low resistance takes (RAELLA: 1330 ohm), 2 V * 2 V / 1330 ohm * 40 ns = 120.3 pJ. Endurance: "
        "recalled, the least of what is typical, 1e6 to 1e9; 1e6 for four levels in HfOx"
    )
    row_write_ns: TimeNs | None = 40.0
    pulses: Pulses | None = 8.52
    energy_per_cell_write_pj: EnergyPj | None = 120.3
    endurance: Positive | None = 1e6
