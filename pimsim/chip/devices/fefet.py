"""FeFET: a transistor whose gate stack is ferroelectric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pimsim.chip.base import Positive, Text, TimeNs
from pimsim.chip.devices.base import Device
from pimsim.chip.devices.spread import Spread, Unpublished


class Fefet(Device):
    """Ferroelectric transistors."""

    retention: ClassVar[str] = "not in what was read"

    spreads: ClassVar[Mapping[str, Spread]] = {
        "": Unpublished(
            "100 kilo-ohm on and 1 giga-ohm off: VLSI 2019, 10.23919/VLSIT.2019.8776497, in NVMExplorer's survey "
            "(commit 16eb289); 60 levels: DNN+NeuroSim 2.1",
            g_min_us=0.001,
            g_max_us=10.0,
            levels=60,
        )
    }

    surveyed: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "row_write_ns": (50, 1e3),
        "endurance": (1e7,),
    }

    kind: Literal["fefet"] = "fefet"
    source: Text = (
        "A pulse: 50 ns at 4 V (DNN+NeuroSim 2.1; the same in IEDM 2019, 10.1109/IEDM19573.2019.8993565). How many "
        "pulses one of its 60 levels takes, and the energy of one: not in what was read. Endurance: recalled, the "
        "least of what is typical, 1e5 to 1e10"
    )
    row_write_ns: TimeNs | None = 50.0
    endurance: Positive | None = 1e5
