"""Flash: charge in the gate stack of a transistor, which is read as a conductance below its threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pimsim.chip.base import Text
from pimsim.chip.devices.base import Device
from pimsim.chip.devices.spread import Spread
from pimsim.chip.devices.spread.sonos import Sonos


class Flash(Device):
    """Charge-trapping transistors, as in SONOS arrays for analog weights."""

    retention: ClassVar[str] = (
        "currents shift and spread over days (SONOS, Agrawal et al., IEDM 2022): up to 5 are published"
    )
    spreads: ClassVar[Mapping[str, Spread]] = {"": Sonos()}

    kind: Literal["flash"] = "flash"
    source: Text = (
        "Values: Agrawal et al., IEDM 2022, 10.1109/IEDM45625.2022.10019564, as CrossSim fits them. How long a pulse "
        "takes, how many there are, what they cost and how often a cell survives them: not in what was read"
    )
