"""What every part has in common: strict checks, where its numbers come from, area and static power."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Bits = Annotated[int, Field(ge=1, le=1_048_576)]
Cycles = Annotated[int, Field(ge=0, le=1_000_000)]
Positive = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
TimeNs = Annotated[float, Field(ge=0.001, le=1e9, allow_inf_nan=False)]
EnergyPj = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=10_000)]
ClockName = Annotated[str, Field(min_length=1, max_length=100)]


NO_EFFECT = "no_effect"


def no_effect(words: str) -> dict[str, str]:
    """Say of a field what it does not affect, for ``json_schema_extra``: printed where a user overrides it.

    Parameters
    ----------
    words : str
        They follow the key: "core.array.device: only runs that write arrays, …".
    """
    return {NO_EFFECT: words}


class Model(BaseModel):
    """A frozen piece of a chip file: unknown keys are refused, a bool or a string is not a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    no_effect: ClassVar[str] = ""
    """What none of its keys affects, in words; a field can say its own, with `no_effect`."""


class Sourced(Model):
    """A piece whose numbers have an origin.

    Parameters
    ----------
    source : str
        Where every number comes from, with the arithmetic from a published figure. A number that no
        publication states is marked ``assumed:`` here, with its reason.
    """

    source: Text = ""


class Part(Sourced):
    """A piece of hardware.

    Parameters
    ----------
    area_um2 : float, optional
        Area of one instance in square micrometres; None where it is not modelled, never 0 for unknown.
    static_power_mw : float, optional
        Power of one instance in milliwatts that runs with time; None where it is not modelled.
    """

    area_um2: Positive | None = None
    static_power_mw: Positive | None = None

    plugs: ClassVar[str] = "parts"
    action: ClassVar[str] = ""
    """The field with the energy of one action; empty for a part that does none of its own."""

    @property
    def action_pj(self) -> float | None:
        """Energy of one action in picojoules; None where it is not modelled."""
        value: float | None = getattr(self, self.action, None) if self.action else None
        return value

    def faster(self, factor: int) -> dict[str, Any]:
        """Return the fields of the same part that works so many times as fast, 0 for infinitely; none if it cannot.

        The clock aside: whoever asks gives the part a faster one.
        """
        return {}

    def doubled(self) -> dict[str, Any]:
        """Return the fields of twice as many of it, or twice as wide; none if there is no such thing."""
        return {}

    def enlarged(self) -> dict[str, Any]:
        """Return the fields of one that holds twice as much; none if it holds nothing."""
        return {}


Energy = tuple[tuple[str, float | None], ...]
"""What a visit costs, pJ by part; None where the part acts but has no figure."""


def cost(part: str, actions: float, energy_pj: float | None) -> Energy:
    """Return what so many actions of a part cost; nothing for none."""
    if not actions:
        return ()
    return ((part, None if energy_pj is None else actions * energy_pj),)


class Visit(NamedTuple):
    """One use of a part.

    Parameters
    ----------
    held : int
        How long the part is taken, fs.
    after : int
        When the visitor goes on, fs from the start; before the end where it needs only the head.
    actions : float
        What is charged: accesses, transfers, elements, bits, …
    """

    held: int
    after: int
    actions: float


class Use(NamedTuple):
    """What a chip has of a part, and how much it does at its peak.

    Parameters
    ----------
    path : str
        What results call it.
    part : Part
        Itself.
    instances : int
        On a chip.
    per_second : float
        Actions of all of them at the peak rate.
    """

    path: str
    part: Part
    instances: int
    per_second: float = 0.0


def refuse(path: str, found: object, expected: str) -> PydanticCustomError:
    """Return what the loader turns into a ConfigError at `path`."""
    return PydanticCustomError(
        "chip",
        "found {found}, expected {expected}",
        {"path": path, "found": repr(found), "expected": expected},
    )
