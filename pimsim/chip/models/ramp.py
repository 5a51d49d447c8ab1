"""A ramp converter carried to fewer bits: one voltage rises step by step, a comparator a column waits for it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pimsim.chip.models.base import ROUNDED, Anchor, ConverterModel, Limits, Point


def steps(bits: int) -> int:
    """Return how many steps a ramp over so many bits has: ``2^bits``."""
    return 1 << bits


class Ramp(ConverterModel):
    """Energy and rate of a published single-slope converter, as its steps are counted.

    A ramp goes through all codes, one step each, while the comparators of all columns run (as in Spear et al., IEEE
    JXCDC 2023). It has no figure of its own: the published energy is taken times the steps here over those there, and
    at best a step takes as long as it did there. With more bits every comparator would have to be better, which no
    form says; nor does one say how it follows the node. Area has no form.

    Parameters
    ----------
    anchor : Anchor
        Where the published figures hold that stand beside the model.
    """

    kind: Literal["ramp"] = "ramp"
    anchor: Anchor

    about: ClassVar[str] = "steps of a ramp, counted"

    def limits(self) -> Limits:
        """Up to the published bits, as fast as a ramp of one bit, at its node; `outside` knows the rate of others."""
        point = self.anchor.point
        return Limits(
            (1, point.bits),
            (0.0, self._fastest(1) * (1 + ROUNDED)),
            (point.technology_nm, point.technology_nm),
        )

    def outside(self, point: Point) -> tuple[str, Any, str] | None:
        """Besides the limits, a conversion takes its steps."""
        most = self._fastest(point.bits)
        if point.samples_per_s > most * (1 + ROUNDED):
            return (
                "samples_per_s",
                point.samples_per_s,
                f"at most {most:.4g}, {steps(point.bits)} steps each,",
            )
        return super().outside(point)

    def _fastest(self, bits: int) -> float:
        """Return the samples a second of a ramp over so many bits whose steps are as short as the published ones."""
        return self.anchor.point.samples_per_s * steps(self.anchor.bits) / steps(bits)

    def energy_pj(self, point: Point) -> float:
        """Return the steps of one conversion: of such figures only ratios enter."""
        return steps(point.bits)

    def area_um2(self, point: Point) -> None:
        """Area has no form here."""
        return None
