"""Clock: a domain whose edges the parts' events fall on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pimsim.chip.base import Sourced, TimeNs
from pimsim.units import FS_PER_S, fs_from_ns


class Clock(Sourced):
    """A clock domain, given by its frequency or by its period.

    Parameters
    ----------
    frequency_ghz : float, optional
        Frequency in GHz.
    period_ns : float, optional
        Period in nanoseconds. Exactly one of the two is given.
    """

    frequency_ghz: Annotated[float, Field(ge=1e-9, le=1000, allow_inf_nan=False)] | None = None
    period_ns: TimeNs | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Clock:
        if (self.frequency_ghz is None) == (self.period_ns is None):
            found = "neither" if self.frequency_ghz is None else "both"
            raise PydanticCustomError(
                "chip",
                "found {found} of frequency_ghz and period_ns, expected exactly one "
                "(in a file that extends another, set the other one to null)",
                {"found": found},
            )
        return self

    @property
    def period_fs(self) -> int:
        """Period, rounded to whole femtoseconds."""
        if self.period_ns is not None:
            return fs_from_ns(self.period_ns)
        assert self.frequency_ghz is not None
        return fs_from_ns(1.0 / self.frequency_ghz)


Clocks = Mapping[str, Clock]


def period_fs(clocks: Clocks, name: str) -> int:
    """Return the period of a clock, fs."""
    return clocks[name].period_fs


def hertz(clocks: Clocks, name: str) -> float:
    """Return the cycles of a clock in a second."""
    return FS_PER_S / clocks[name].period_fs
