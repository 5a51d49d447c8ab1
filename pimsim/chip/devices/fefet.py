"""FeFET: a transistor whose gate stack is ferroelectric."""

from __future__ import annotations

from typing import ClassVar, Literal

from pimsim.chip.base import Positive, Text, TimeNs
from pimsim.chip.devices.base import Device


class Fefet(Device):
    """Ferroelectric transistors."""

    retention: ClassVar[str] = "not in what was read"

    kind: Literal["fefet"] = "fefet"
    source: Text = (
        "A pulse: 50 ns at 4 V (DNN+NeuroSim 2.1; the same in IEDM 2019, 10.1109/IEDM19573.2019.8993565). How many "
        "pulses one of its 60 levels takes, and the energy of one: not in what was read. Endurance: recalled, the "
        "least of what is typical, 1e5 to 1e10"
    )
    row_write_ns: TimeNs | None = 50.0
    endurance: Positive | None = 1e5
