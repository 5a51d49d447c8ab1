"""What a chip file says of the upkeep of parts: converters that are calibrated, arrays that are refreshed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from pimsim.chip.base import EnergyPj, TimeNs, refuse
from pimsim.chip.control import Control
from pimsim.units import fs_from_ns

if TYPE_CHECKING:
    from pimsim.machine.controllers.calibration import CalibrationControl
    from pimsim.machine.controllers.refresh import RefreshControl

IntervalUs = Annotated[float, Field(gt=0, le=9e9, allow_inf_nan=False)]


class Periodic(Control):
    """Something that is done again and again; the sites of a name begin one after another, evenly over an interval.

    Parameters
    ----------
    interval_us : float
        From the beginning of one to that of the next, in microseconds.
    """

    interval_us: IntervalUs

    @property
    def interval_fs(self) -> int:
        """From the beginning of one to that of the next, fs."""
        return fs_from_ns(self.interval_us * 1000)

    def check(self, path: str, takes_fs: int) -> None:
        """Refuse an interval in which what is done, so long, is not over.

        Parameters
        ----------
        path : str
            Where it stands, below the site.
        takes_fs : int
            How long it takes.
        """
        if takes_fs >= self.interval_fs:
            expected = f"more than the {takes_fs / 1e9:g} us that it takes each time"
            raise refuse(f"{path}.interval_us", self.interval_us, expected)


class Calibration(Periodic):
    """A bank of converters is calibrated: nothing is converted meanwhile.

    Parameters
    ----------
    duration_ns : float
        Time of one calibration of a bank, in nanoseconds, rounded up to its clock.
    energy_pj : float, optional
        Its energy, in picojoules; None where it is not modelled.
    """

    duration_ns: TimeNs
    energy_pj: EnergyPj | None = None

    @classmethod
    def process(cls) -> type[CalibrationControl]:
        """Return what calibrates."""
        from pimsim.machine.controllers.calibration import CalibrationControl

        return CalibrationControl

    @model_validator(mode="after")
    def _ends_before_the_next(self) -> Calibration:
        if fs_from_ns(self.duration_ns) >= self.interval_fs:
            expected = f"more than duration_ns ({self.duration_ns:g} ns)"
            raise refuse("interval_us", self.interval_us, expected)
        return self


class Refresh(Periodic):
    """Weights in arrays that drift are written anew, row after row; nothing is read meanwhile."""

    @classmethod
    def process(cls) -> type[RefreshControl]:
        """Return what writes them anew."""
        from pimsim.machine.controllers.refresh import RefreshControl

        return RefreshControl
