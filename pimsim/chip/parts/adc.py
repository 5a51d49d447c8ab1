"""Adc: the converters that turn the columns' results into numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pimsim.chip.base import ClockName, Clocks, Count, EnergyPj, Part, no_effect, period_fs
from pimsim.chip.models import AnyConverterModel, ConverterModel, Point
from pimsim.chip.upkeep import Calibration
from pimsim.units import FS_PER_S

SAME = 1e-6  # relative: clocks are whole femtoseconds, so that a rate is not exactly the published one

OWN_KEYS = {  # of a point: the key of the chip file that sets it, and its unit
    "bits": ("core.adc.bits", "bits"),
    "samples_per_s": ("core.adc.convert_cycles", "samples a second"),
    "technology_nm": ("technology_nm", "nm"),
}


class Adc(Part):
    """The analog-to-digital converters of a core, in banks; one instance is one converter.

    A bank converts ``ceil(columns * arrays_in_bank / adcs_per_bank)`` samples one after another.

    Parameters
    ----------
    bits : int
        Resolution.
    clock : str
        Name of the clock that conversions fall on.
    convert_cycles : int
        Cycles of that clock for one sample.
    banks : int
        Banks in a core; the arrays of the core are dealt out to them evenly.
    adcs_per_bank : int
        Converters that work side by side in a bank.
    energy_per_convert_pj : float, optional
        Energy of one sample, in picojoules. With a model it is the published figure at the model's anchor.
    calibration : Calibration, optional
        At which intervals banks are calibrated; without it, never.
    model : ConverterModel, optional
        What energy, area and the time of counting follow bits, rate and node by; without one they are as given.
    """

    action: ClassVar[str] = "energy_per_convert_pj"

    bits: Annotated[
        int,
        Field(
            ge=1,
            le=16,
            json_schema_extra=no_effect(
                "energy and area follow only by core.adc.model, time only in a counting one (cco); the width of what "
                "leaves the arrays is precision.accumulator_bits"
            ),
        ),
    ]
    clock: ClockName
    convert_cycles: Count
    banks: Count
    adcs_per_bank: Count
    energy_per_convert_pj: EnergyPj | None = None
    calibration: Calibration | None = None
    model: AnyConverterModel | None = None

    @model_validator(mode="after")
    def _figures_have_one_origin(self) -> Adc:
        """A figure is published, or the model's own, or published and carried by the model from its anchor."""
        model = self.model
        if model is None:
            return self
        given = {"energy_per_convert_pj": self.energy_per_convert_pj, "area_um2": self.area_um2}
        own = _figures(model, Point(self.bits, 1.0, 1.0))  # any point tells what the model has a form for
        if model.anchor is None:
            for (key, value), computed in zip(given.items(), own, strict=True):
                if value is not None and computed is not None:
                    raise PydanticCustomError(
                        "chip",
                        "found {key} beside the model {name}, expected one of them, or an anchor: the bits, rate_gsps "
                        "and technology_nm that the figure holds at",
                        {"key": key, "name": model.name},
                    )
        elif not any(given.values()):
            raise PydanticCustomError(
                "chip",
                "found an anchor of no figure, expected energy_per_convert_pj or area_um2 beside the model",
                {},
            )
        return self

    @property
    def count_ns(self) -> float:
        """How long a read lasts at least because the converter works during it, in nanoseconds."""
        return 0.0 if self.model is None else self.model.count_ns(self.bits)

    def point(self, clocks: Clocks, technology_nm: float) -> Point:
        """Return the bits, the rate of one converter and the node that it works at."""
        cycle_fs = clocks[self.clock].period_fs
        return Point(self.bits, FS_PER_S / (cycle_fs * self.convert_cycles), technology_nm)

    def beyond(self, clocks: Clocks, technology_nm: float) -> tuple[str, float, str] | None:
        """Return what its model would have to extrapolate: key, found and expected; None where it need not, or may."""
        model = self.model
        if model is None or model.force:
            return None
        points = {"": self.point(clocks, technology_nm)}
        if model.anchor is not None:
            points["anchor"] = model.anchor.point
        for place, point in points.items():
            outside = model.outside(point)
            if outside is not None:
                name, value, expected = outside
                key, unit = OWN_KEYS[name]
                expected += f" {unit}, the limits of the model {model.name} (force: true extrapolates)"
                return ("core.adc.model.anchor" if place else key), value, expected
        return None

    def resolved(self, clocks: Clocks, technology_nm: float) -> Adc:
        """Return the same converters with energy and area at their own point, and no model that they follow.

        Parameters
        ----------
        clocks : mapping of str to Clock
            The chip's clocks.
        technology_nm : float
            The chip's technology node, in nanometres.
        """
        if self.model is None:
            return self
        energy, area = self._scaled(self.model, self.point(clocks, technology_nm))
        return self.model_copy(update={"energy_per_convert_pj": energy, "area_um2": area, "model": None})

    def _scaled(self, model: ConverterModel, point: Point) -> tuple[float | None, float | None]:
        """Return energy and area at a point: as published, from the model, or scaled from the anchor."""
        here = _figures(model, point)
        there: tuple[float | None, float | None] = (None, None)
        if model.anchor is not None:  # at the anchor itself, the published figure to the last bit
            there = here if _same(point, model.anchor.point) else _figures(model, model.anchor.point)
        given = self.energy_per_convert_pj, self.area_um2
        return _carried(given[0], here[0], there[0]), _carried(given[1], here[1], there[1])

    def notes(self, name: str, clocks: Clocks, technology_nm: float) -> Iterator[str]:
        """Yield in words which figures a model gives, from which published ones, and what it leaves as it is.

        `name` is what results call these converters.
        """
        model, point = self.model, self.point(clocks, technology_nm)
        if model is None or (model.anchor is not None and _same(point, model.anchor.point)):
            return
        told, left = [], []
        given = (
            ("energy_per_convert_pj", self.energy_per_convert_pj, "pJ"),
            ("area_um2", self.area_um2, "um2"),
        )
        for (key, before, unit), now in zip(given, self._scaled(model, point), strict=True):
            if now is not None and now != before:
                told.append(
                    f"{key} {now:.4g} {unit}" + (f" (published: {before:g})" if before is not None else "")
                )
            elif before is not None:
                left.append(f"{key} {before:g} {unit}")
        if self.static_power_mw is not None:
            left.append(f"static_power_mw {self.static_power_mw:g} mW")
        if told:
            start = "" if model.anchor is None else f", scaled from {model.anchor.point}"
            yield f"{name}: {' and '.join(told)}{start} to {point} by the model {model.name} ({model.about})."
        if left:
            yield f"{name}: {' and '.join(left)} as given, at {point} too; the model {model.name} does not carry it."

    def counting(self, name: str) -> str:
        """Return what a counting converter does with its bits, in words; nothing for others."""
        if not self.count_ns:
            return ""
        return (
            f"{name}: {self.bits} bits take {self.count_ns:g} ns to count, which a read lasts at least. No "
            "publication lets its energy and area follow the bits: they stay as given, here or at the array."
        )

    def conversion_fs(self, samples: int, clocks: Clocks) -> int:
        """Return the time that a converter takes for so many samples, one after another, fs."""
        return samples * self.convert_cycles * period_fs(clocks, self.clock)

    def doubled(self) -> dict[str, Any]:
        """Twice the converters of a bank."""
        return {"adcs_per_bank": 2 * self.adcs_per_bank}


def _same(here: Point, there: Point) -> bool:
    """Whether two points are one, up to the rounding of clocks."""
    return all(abs(a - b) <= SAME * b for a, b in zip(here, there, strict=True))


def _figures(model: ConverterModel, point: Point) -> tuple[float | None, float | None]:
    return model.energy_pj(point), model.area_um2(point)


def _carried(given: float | None, here: float | None, there: float | None) -> float | None:
    """Return a figure at a point, from the published one and the model's at the point and at the anchor."""
    if given is None or here is None:
        return here if given is None else given
    return given if there is None else given * (here / there)
