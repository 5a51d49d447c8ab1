"""What every technology of memory cells says: how a cell is written, how often, and what becomes of its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from pimsim.chip.base import EnergyPj, Positive, Sourced, TimeNs, no_effect, refuse
from pimsim.chip.devices.spread import MODELS, Spread, Unpublished
from pimsim.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Pulses = Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False)]
ACCURACY = no_effect("only pimsim accuracy: no time and no energy depends on values")
LeastUs = Annotated[float | None, Field(ge=0, le=1e6, allow_inf_nan=False, json_schema_extra=ACCURACY)]
MostUs = Annotated[float | None, Field(gt=0, le=1e6, allow_inf_nan=False, json_schema_extra=ACCURACY)]
Levels = Annotated[int | None, Field(ge=2, le=65_536, json_schema_extra=ACCURACY)]
SURVEY = "NVMExplorer's survey, commit 16eb289"
FEW = 3  # published devices, at least, that make a range
NEAR = 1e-9  # of a range: what rounding may put beyond it
WORDS = {"programming": "programming error", "drift": "drift", "read": "read noise"}


class Device(Sourced):
    """A technology of memory cells; a subclass has the figures of one, which a chip file may replace.

    What is not known is None, in which case the array itself has to say it. Conductances, where a chip file gives none,
    are those of the published model that `spread` is.

    Parameters
    ----------
    kind : str
        Which technology it is.
    row_write_ns : float, optional
        One pulse to the cells of a row at once, in nanoseconds.
    pulses : float, optional
        Mean number of pulses, each with its reading back, until a cell holds its value.
    energy_per_cell_write_pj : float, optional
        Energy of one pulse to one cell, in picojoules.
    endurance : float, optional
        Writes that a cell survives.
    g_min_us, g_max_us : float, optional
        Range of a cell's conductance, in microsiemens.
    levels : int, optional
        Levels that a cell can be told apart by.
    """

    plugs: ClassVar[str] = "devices"
    no_effect: ClassVar[str] = (
        "only runs that write arrays (--cold, --reload, refresh), and there what the array's own keys leave open; "
        "and pimsim accuracy"
    )
    retention: ClassVar[str] = ""
    """How long a cell keeps its value, and how it drifts, in words."""
    spreads: ClassVar[Mapping[str, Spread]] = {"": Unpublished()}
    """The published models of its cells by name, which its key ``model`` chooses from; one needs no such key."""

    surveyed: ClassVar[Mapping[str, tuple[float, ...]]] = {}
    """What published devices have of a key, in order: of `SURVEY`."""

    kind: str
    row_write_ns: TimeNs | None = None
    pulses: Pulses | None = None
    energy_per_cell_write_pj: EnergyPj | None = None
    endurance: Positive | None = None
    g_min_us: LeastUs = None
    g_max_us: MostUs = None
    levels: Levels = None

    @model_validator(mode="before")
    @classmethod
    def _as_published(cls, data: Any) -> Any:
        """Take the range and the levels of the published model where none are given."""
        field = cls.model_fields.get("model")
        default = next(iter(cls.spreads)) if field is None else field.default
        spread = cls.spreads.get(data.get("model", default)) if isinstance(data, Mapping) else None
        if spread is None:  # refused by what checks the fields
            return data
        of_model = {key: getattr(spread, key) for key in ("g_min_us", "g_max_us", "levels")}
        return {**data, **{key: value for key, value in of_model.items() if data.get(key) is None}}

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        least, most = self.g_min_us, self.g_max_us
        if least is not None and most is not None and least >= most:
            raise refuse("g_min_us", least, f"less than g_max_us, {most:g} uS")
        return self

    # -- how a cell is written ---------------------------------------------------------------------------------

    @property
    def row_ns(self) -> float | None:
        """Time to write a row with all its pulses, in nanoseconds; None where a pulse's is not known."""
        return None if self.row_write_ns is None else self.row_write_ns * (self.pulses or 1)

    @property
    def cell_pj(self) -> float | None:
        """Energy to write a cell with all its pulses, in picojoules; None where a pulse's is not known."""
        each = self.energy_per_cell_write_pj
        return None if each is None else each * (self.pulses or 1)

    @property
    def how(self) -> str:
        """How a row is written, in words: so many pulses, or that their number is not known."""
        if self.pulses is None:
            return "one pulse, how many more verifying takes is not known"
        return f"{self.pulses:.4g} pulses"

    # -- what becomes of its value -----------------------------------------------------------------------------

    @property
    def spread(self) -> Spread:
        """The published model of its cells."""
        return self.spreads[getattr(self, "model", next(iter(self.spreads)))]

    @property
    def models(self) -> tuple[str, ...]:
        """Which of `MODELS` it has: ``programming``, ``drift``, ``read``."""
        return tuple(each for each in MODELS if each not in self.spread.missing)

    @property
    def not_modelled(self) -> dict[str, str]:
        """Which of `MODELS` it lacks, each with the reason, in words."""
        return dict(self.spread.missing)

    def programmed_us(self, target_us: Floats, normal: Floats) -> Floats:
        """Return the conductances of cells that were programmed to a target; none is negative.

        Parameters
        ----------
        target_us : ndarray
            Conductances aimed at, in microsiemens.
        normal : ndarray, of the same shape
            A draw of the standard normal distribution for each cell.

        Returns
        -------
        ndarray
            Conductances in microsiemens.

        Raises
        ------
        ConfigError
            If programming is not modelled for the device, or a target is outside its range.
        """
        most = self._range("programming")
        if target_us.size and not (target_us.min() >= 0 and target_us.max() <= most * (1 + NEAR)):
            found = f"found conductances of {target_us.min():.4g} to {target_us.max():.4g} uS"
            raise ConfigError(
                f"{found}, expected 0 to {most:.4g} uS, the range of {self.name}", where="device"
            )
        missed = self.spread.programming_sigma_us(target_us, most) * normal
        return (target_us + missed).clip(0)

    def drifted_us(self, programmed_us: Floats, target_us: Floats, seconds: float, normal: Floats) -> Floats:
        """Return the conductances of programmed cells after a time; none is negative.

        Parameters
        ----------
        programmed_us : ndarray
            What `programmed_us` made of the targets, in microsiemens.
        target_us : ndarray
            The targets, in microsiemens.
        seconds : float
            Time since programming, in seconds.
        normal : ndarray
            Another draw of the standard normal distribution for each cell: how one drifts otherwise than others.

        Returns
        -------
        ndarray
            Conductances in microsiemens.

        Raises
        ------
        ConfigError
            If drift is not modelled for the device, or the time is negative or later than what was published.
        """
        most = self._range("drift")
        self._check_time("drift", seconds)
        return self.spread.drifted_us(programmed_us, target_us, seconds, normal, most).clip(0)

    def read_sigma_us(
        self,
        conductance_us: Floats,
        target_us: Floats,
        seconds: float,
        programmed_us: Floats | None = None,
    ) -> Floats:
        """Return the standard deviation of one read of each cell, in microsiemens.

        Parameters
        ----------
        conductance_us : ndarray
            What cells have when they are read, in microsiemens.
        target_us : ndarray
            What they were programmed to.
        seconds : float
            Time since programming, in seconds.
        programmed_us : ndarray, optional
            What programming left, which AIHWKit takes the noise of a phase-change cell from; the target if it is
            not given, as Joshi et al. do.

        Raises
        ------
        ConfigError
            If read noise is not modelled for the device, or the time is negative.
        """
        most = self._range("read")
        self._check_time("read", seconds)
        written = target_us if programmed_us is None else programmed_us
        return self.spread.read_sigma_us(conductance_us, written, seconds, most)

    def _range(self, model: str) -> float:
        """Return the largest conductance, without end where there is none; refuse a device that lacks a model."""
        if model in self.spread.missing:
            reason = f"{WORDS[model]} of {self.name} is not modelled: {self.spread.missing[model]}"
            raise ConfigError(reason, where="device", mend="leave it out, or choose a device that has it")
        return inf if self.g_max_us is None else self.g_max_us

    def _check_time(self, model: str, seconds: float) -> None:
        """Refuse a time that is no finite number from 0 on, or drift for longer than it is published."""
        longest = self.spread.longest_s if model == "drift" else inf
        if not 0 <= seconds <= longest or seconds == inf:
            limit = "at least 0" if longest == inf else f"0 to {longest:g} s, as long as it is published"
            found = f"found {WORDS[model]} of {self.name} after {seconds!r:.60} s"
            raise ConfigError(f"{found}, expected {limit}", where="device")

    # -- what is said of it ------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Its technology, and the model where there are several."""
        model = getattr(self, "model", "")
        return f"{self.kind} of the model {model}" if model else self.kind

    def warnings(self) -> Iterator[str]:
        """Yield which of its figures are outside what is published, each after its key."""
        spread = self.spread
        least, most, levels = spread.g_min_us, spread.g_max_us, spread.levels
        if least is not None and self.g_min_us is not None and self.g_min_us < least * (1 - NEAR):
            yield f"g_min_us: {self.g_min_us:g} uS, less than the {least:g} uS that {self.name} is published for"
        if most is not None and self.g_max_us is not None and self.g_max_us > most * (1 + NEAR):
            yield f"g_max_us: {self.g_max_us:g} uS, more than the {most:g} uS that {self.name} is published for"
        if levels is not None and self.levels is not None and self.levels > levels:
            yield f"levels: {self.levels}, more than the {levels} that {self.name} is published for"
        for key, known in self.surveyed.items():
            value = getattr(self, key)
            if value is not None and len(known) >= FEW and not known[0] <= value <= known[-1]:
                yield f"{key}: {value:g}, {len(known)} published devices have {known[0]:g} to {known[-1]:g} ({SURVEY})"

    def notes(self) -> Iterator[str]:
        """Yield in words what is modelled of its values, what is not, and how long it keeps them."""
        known = " and ".join(WORDS[each] for each in self.models) or "nothing"
        reach = "" if self.g_max_us is None else f", {self.g_min_us or 0:g} to {self.g_max_us:g} uS"
        levels = "" if self.levels is None else f", {self.levels} levels"
        source = f" ({self.spread.source})" if self.spread.source else ""
        yield f"values of {self.name}{reach}{levels}: {known} modelled{source}"
        for model, reason in self.spread.missing.items():
            yield f"{WORDS[model]} not modelled: {reason}"
        for key, published in self.surveyed.items():
            yield f"{key}: {_distribution(published)} ({SURVEY})"
        if self.retention:
            yield f"retention: {self.retention}"


def _distribution(known: tuple[float, ...]) -> str:
    """Say in words what published devices have of a key; their figures are in order."""
    if len(known) == 1:
        return f"1 published device has {known[0]:g}"
    ends = f"{known[0]:g} to {known[-1]:g}"
    return f"{len(known)} published devices have {ends}, half of them at least {known[len(known) // 2]:g}"
