"""What every converter model has in common: the point it is asked for, its limits, the anchor of published figures."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from pimsim.chip.base import Model, Positive, no_effect

RateGsps = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
SAMPLES_PER_GS = 1e9
ROUNDED = 3e-6  # of a rate: what clocks in whole femtoseconds may put beyond a published one


class Point(NamedTuple):
    """What a converter is: its resolution in bits, samples a second of one converter, and technology node in nm."""

    bits: int
    samples_per_s: float
    technology_nm: float

    def __str__(self) -> str:
        rate = f"{self.samples_per_s / SAMPLES_PER_GS:.4g} GS/s"
        return f"{self.bits} bits, {rate}, {self.technology_nm:g} nm"


class Limits(NamedTuple):
    """Where a model holds: least and most of each of a point's figures, both included."""

    bits: tuple[int, int]
    samples_per_s: tuple[float, float]
    technology_nm: tuple[float, float]


class Anchor(Model):
    """The point that the published energy and area of a converter hold at.

    Parameters
    ----------
    bits : int
        Resolution.
    rate_gsps : float
        1e9 samples a second of one converter.
    technology_nm : float
        Technology node in nanometres.
    """

    bits: Annotated[int, Field(ge=1, le=16)]
    rate_gsps: RateGsps
    technology_nm: Positive

    @property
    def point(self) -> Point:
        """The same as a point."""
        return Point(self.bits, self.rate_gsps * SAMPLES_PER_GS, self.technology_nm)


class ConverterModel(Model):
    """How energy and area of a converter follow its bits, its rate and its technology node.

    A model is a class of its own file and a line in `MODELS`; its ``kind`` is a literal of that name.

    Parameters
    ----------
    force : bool
        Extrapolate beyond the model's limits instead of refusing.
    anchor : Anchor, optional
        Where the published figures hold that stand beside the model. With it, these are scaled by the model's figure
        at the converter's point over that at the anchor; without it, energy and area are the model's own.
    """

    force: Annotated[
        bool,
        Field(json_schema_extra=no_effect("inside the model's limits: it only lifts the refusal beyond")),
    ] = False
    anchor: Anchor | None = None

    about: ClassVar[str] = ""
    """Where the model comes from, in a few words."""

    @property
    def name(self) -> str:
        """Its kind, as a chip file names it."""
        return str(getattr(self, "kind", type(self).__name__))

    def limits(self) -> Limits:
        """Return where the model holds."""
        raise NotImplementedError

    def energy_pj(self, point: Point) -> float | None:
        """Return the energy of one conversion in picojoules; None where the model has no form for it."""
        raise NotImplementedError

    def area_um2(self, point: Point) -> float | None:
        """Return the area of one converter in square micrometres; None where the model has no form for it."""
        raise NotImplementedError

    def count_ns(self, bits: int) -> float:
        """Return how long the read must last for the converter, in nanoseconds; 0 if it does not work during it."""
        return 0.0

    def outside(self, point: Point) -> tuple[str, Any, str] | None:
        """Return which figure of a point is beyond the limits, its value and what was expected; None if none is."""
        for name, value, (least, most) in zip(Point._fields, point, self.limits(), strict=True):
            if not least <= value <= most:
                return name, value, f"{least:g} to {most:g}"
        return None
