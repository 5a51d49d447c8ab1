"""What every part has in common: strict checks, where its numbers come from, area and static power."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Bits = Annotated[int, Field(ge=1, le=65_536)]
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
        They follow the key: "core.array.device: a name only, …".
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
