"""PCM: a glass that a current melts or crystallises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pimsim.chip.base import Positive, Text, TimeNs
from pimsim.chip.devices.base import ACCURACY, Device
from pimsim.chip.devices.spread import Spread
from pimsim.chip.devices.spread.hermes import Hermes
from pimsim.chip.devices.spread.joshi import Joshi


class Pcm(Device):
    """Phase-change memory, as in the HERMES chips.

    Parameters
    ----------
    model : str
        Whose cells: ``joshi``, a million mushroom cells of 90 nm, or ``hermes``, two cells a value of the HERMES chip.
    """

    retention: ClassVar[str] = (
        "conductance drifts, G(t) = G * (t / 20 s)^-nu with nu between 0.049 and 0.1 in the mean (Joshi et al., "
        "Nature Communications 2020): 25 uS are 19.4 after an hour, 16.6 after a day, 12.5 after a year; a stored "
        "bit stays for 10 years at 120 C (IEDM 2018, 10.1109/IEDM.2018.8614513)"
    )
    spreads: ClassVar[Mapping[str, Spread]] = {"joshi": Joshi(), "hermes": Hermes()}

    surveyed: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "row_write_ns": (10, 20, 75, 80, 100, 100, 120, 180, 480),
        "endurance": (2e5, 1e7, 1e8, 1e9, 1e9, 1e11, 2e11),
    }

    kind: Literal["pcm"] = "pcm"
    model: Annotated[Literal["joshi", "hermes"], Field(json_schema_extra=ACCURACY)] = "joshi"
    source: Text = (
        "A pulse: 100 ns to set a 1T1R cell of 40 nm (IEDM 2018, 10.1109/IEDM.2018.8614513, in NVMExplorer's "
        "survey). How many pulses an analog value takes, and the energy of one: not in what was read. Endurance: "
        "recalled, the least of what is typical, 1e8 to 1e9"
    )
    row_write_ns: TimeNs | None = 100.0
    endurance: Positive | None = 1e8
