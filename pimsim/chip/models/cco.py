"""A current-controlled oscillator that is counted while a column is read: its time grows with 2^bits."""

from __future__ import annotations

from math import inf
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pimsim.chip.models.base import ConverterModel, Limits, Point


def count_ns(bits: int, lsb_ps: float) -> float:
    """Return the time to count all codes, in nanoseconds: ``2^bits * lsb_ps / 1000``."""
    return 2.0**bits * lsb_ps / 1000


class Cco(ConverterModel):
    """A counting converter: a read lasts at least until every code could be counted.

    Parameters
    ----------
    lsb_ps : float
        Time to count one code, in picoseconds. The core paper of HERMES (Khaddam-Aljameh et al., IEEE JSSC 2022) gives
        300.
    """

    kind: Literal["cco"] = "cco"
    lsb_ps: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]

    about: ClassVar[str] = "current-controlled oscillator, counted during the read"

    def limits(self) -> Limits:
        """None: counting longer is always possible."""
        return Limits((1, 16), (0.0, inf), (0.0, inf))

    def count_ns(self, bits: int) -> float:
        """Return how long a read lasts at least, in nanoseconds."""
        return count_ns(bits, self.lsb_ps)

    def energy_pj(self, point: Point) -> None:
        """No publication lets energy follow."""
        return None

    def area_um2(self, point: Point) -> None:
        """No publication lets area follow."""
        return None
