"""Energy of commands and of time from a data sheet's currents: voltage times current times time.

The rules are those of Micron's technical note TN-40-07 (Calculating Memory Power for DDR4 SDRAM): a current that a data
sheet states for a pattern of commands, less the standby current that flows anyway, over the time of the pattern.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, Strict

from pimsim.chip.base import Positive, Sourced, Text

Texts = Annotated[tuple[Text, ...], Strict(False)]  # a list, as YAML has it
AJ_PER_PJ = 1_000_000
NEEDED = ("nRAS", "nRC", "nBL", "nRFC")  # timings that the currents are over
Current = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class Energy(Sourced):
    """A data sheet's currents; what they say is only known at the timings that it was measured with.

    Parameters
    ----------
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

    def per_action(self, cycles: Mapping[str, int], period_ns: float) -> dict[str, int]:
        """Return aJ of an action (``activate`` with its precharge, ``read``, ``write``, ``refresh``) beyond standby.

        Parameters
        ----------
        cycles : mapping of str to int
            The standard's timings.
        period_ns : float
            A cycle.
        """
        ras, rc, burst, rfc = (cycles[name] * period_ns for name in NEEDED)
        standby = (self.idd3n_ma * ras + self.idd2n_ma * (rc - ras)) / rc
        return {
            "activate": self._aj(self.idd0_ma - standby, rc),
            "read": self._aj(self.idd4r_ma - self.idd3n_ma, burst),
            "write": self._aj(self.idd4w_ma - self.idd3n_ma, burst),
            "refresh": self._aj(self.idd5b_ma - self.idd3n_ma, rfc),
        }

    def standby(self, period_ns: float) -> dict[str, int]:
        """Return aJ of a cycle of standby by state: with a bank open, and with all closed."""
        return {
            "standby_active": self._aj(self.idd3n_ma, period_ns),
            "standby_precharged": self._aj(self.idd2n_ma, period_ns),
        }
