"""MRAM: the spin of a current turns a magnetic layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pimsim.chip.base import EnergyPj, Positive, Text, TimeNs
from pimsim.chip.devices.base import Device, Pulses
from pimsim.chip.devices.spread import Spread, Unpublished


class Mram(Device):
    """Spin-transfer-torque memory."""

    retention: ClassVar[str] = (
        "10 years at 85 to 200 C (IEDM 2018, 10.1109/IEDM.2018.8614635; ISSCC 2019, 10.1109/ISSCC.2019.8662444)"
    )

    spreads: ClassVar[Mapping[str, Spread]] = {
        "": Unpublished(
            "two states, a resistance that is doubled (100 % of magnetoresistance), 4 and 8 kilo-ohm: a cell file of "
            "NVSim's format after Ikeda et al., Nature Materials 9, 721 (2010)",
            g_min_us=125.0,
            g_max_us=250.0,
            levels=2,
        )
    }

    surveyed: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "row_write_ns": (4.5, 10, 10, 10, 20, 30, 30, 200),
        "endurance": (1e5, 1e6, 1e6, 1e6, 1e6, 1e10, 1e11, 1e12, 1e15),
    }

    kind: Literal["mram"] = "mram"
    source: Text = (
        "A pulse: 20 ns, 4.5 pJ, of a 1 Mb macro of 28 nm (ISSCC 2018, 10.1109/ISSCC.2018.8310393, in NVMExplorer's"
        " survey); pulses: 9e-6 of them fail there, 1 / (1 - 9e-6) = 1.000009. Endurance: recalled, 1e12"
    )
    row_write_ns: TimeNs | None = 20.0
    pulses: Pulses | None = 1.000009
    energy_per_cell_write_pj: EnergyPj | None = 4.5
    endurance: Positive | None = 1e12
