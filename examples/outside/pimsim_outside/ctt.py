"""A charge-trap transistor: an ordinary logic transistor whose gate oxide keeps charge."""

from __future__ import annotations

from typing import ClassVar, Literal

from pimsim.chip.base import Text, TimeNs
from pimsim.chip.devices import Device


class Ctt(Device):
    """Charge-trap transistors: they need no step of their own in the fab, and are slow to write."""

    retention: ClassVar[str] = "10 years at 125 C (IEEE EDL 2019, 10.1109/LED.2019.2930212)"

    kind: Literal["ctt"] = "ctt"
    source: Text = (
        "IEEE EDL 2019, 10.1109/LED.2019.2930212, in NVMExplorer's survey: 60 ms to write a cell of 16 nm, all its "
        "pulses together. Energy and endurance are not in the survey"
    )
    row_write_ns: TimeNs | None = 6e7
    pulses: float | None = 1.0
