"""Energy of a memory: from a data sheet's currents, or from published energies by part.

Both say for each part what an action of a command costs, and what a cycle of standby does. Currents follow Micron's
technical note TN-40-07 (Calculating Memory Power for DDR4 SDRAM): the current that a data sheet states for a pattern of
commands, less the standby current that flows anyway, over the time of the pattern.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, Strict

from pimsim.chip.base import EnergyPj, Positive, Sourced, Text

Texts = Annotated[tuple[Text, ...], Strict(False)]  # a list, as YAML has it
PartName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
AJ_PER_PJ = 1_000_000
NEEDED = ("nRAS", "nRC", "nBL", "nRFC")  # timings that the currents are over
Current = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Costs = dict[str, dict[str, int]]
"""Part, action (``activate``, ``read``, ``write``, ``refresh``): aJ."""


class Currents(Sourced):
    """A data sheet's currents; what they say is only known at the timings that it was measured with.

    Parameters
    ----------
    kind : str
        ``currents``.
    devices : int
        That work together in a rank (or whatever is refreshed together).
    vdd_v : float
        Supply voltage, V.
    idd0_ma, idd2n_ma, idd3n_ma, idd4r_ma, idd4w_ma, idd5b_ma : float
        Currents of a device, mA: activate and precharge every tRC; standby with all banks closed, and with one open;
        reads and writes without a gap; refresh (every tRFC).
    not_modelled : sequence of str
        Parts that the currents do not hold.
    """

    kind: Literal["currents"]
    devices: Annotated[int, Field(ge=1, le=1024)]
    vdd_v: Positive
    idd0_ma: Current
    idd2n_ma: Current
    idd3n_ma: Current
    idd4r_ma: Current
    idd4w_ma: Current
    idd5b_ma: Current
    not_modelled: Texts = ()

    def _aj(self, milliamperes: float, nanoseconds: float) -> int:
        """V * mA * ns = pJ, of all devices; in whole attojoules, so that sums are exact."""
        return round(self.vdd_v * milliamperes * nanoseconds * self.devices * AJ_PER_PJ)

    def costs(self, cycles: Mapping[str, int], period_ns: float, burst_bits: int) -> Costs:
        """Return what each action costs beyond standby; an activate with its precharge.

        Parameters
        ----------
        cycles : mapping of str to int
            The standard's timings.
        period_ns : float
            A cycle.
        burst_bits : int
            Bits of a burst.
        """
        ras, rc, burst, rfc = (cycles[name] * period_ns for name in NEEDED)
        standby = (self.idd3n_ma * ras + self.idd2n_ma * (rc - ras)) / rc
        return {
            "activate": {"activate": self._aj(self.idd0_ma - standby, rc)},
            "read": {"read": self._aj(self.idd4r_ma - self.idd3n_ma, burst)},
            "write": {"write": self._aj(self.idd4w_ma - self.idd3n_ma, burst)},
            "refresh": {"refresh": self._aj(self.idd5b_ma - self.idd3n_ma, rfc)},
        }

    def standby(self, period_ns: float) -> dict[str, int]:
        """Return aJ of a cycle of standby by state: with a bank open, and with all closed."""
        return {
            "standby_active": self._aj(self.idd3n_ma, period_ns),
            "standby_precharged": self._aj(self.idd2n_ma, period_ns),
        }


class Parts(Sourced):
    """Published energies by part; what runs with time is not modelled.

    Parameters
    ----------
    kind : str
        ``parts``.
    activate_pj : dict of str to float
        By part: pJ of an activate with its precharge.
    burst_pj_per_bit : dict of str to float
        By part: pJ of each bit of a burst, read or written.
    not_modelled : sequence of str
        What else there is.
    """

    kind: Literal["parts"]
    activate_pj: dict[PartName, EnergyPj]
    burst_pj_per_bit: dict[PartName, EnergyPj]
    not_modelled: Texts = ()

    def costs(self, cycles: Mapping[str, int], period_ns: float, burst_bits: int) -> Costs:
        """Return what each action costs, as for currents; neither the timings nor the clock matter."""
        found: Costs = {}
        for part, energy in self.activate_pj.items():
            found.setdefault(part, {})["activate"] = round(energy * AJ_PER_PJ)
        for part, energy in self.burst_pj_per_bit.items():
            for action in ("read", "write"):
                found.setdefault(part, {})[action] = round(energy * burst_bits * AJ_PER_PJ)
        return found

    def standby(self, period_ns: float) -> dict[str, int]:
        """Return nothing: standby is not modelled."""
        return {}


Energy = Annotated[Currents | Parts, Field(discriminator="kind")]
