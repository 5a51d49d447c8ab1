"""A flash converter carried to fewer bits: a comparator between each two codes."""

from __future__ import annotations

from typing import ClassVar, Literal

from pimsim.chip.models.base import ROUNDED, Anchor, ConverterModel, Limits, Point


def comparators(bits: int) -> int:
    """Return how many comparators tell so many bits: ``2^bits - 1``."""
    return (1 << bits) - 1


class Flash(ConverterModel):
    """Energy and area of a published flash converter, as its comparators are counted.

    A flash compares with every step at once, so it has 2^bits - 1 comparators (as DNN+NeuroSim counts its multilevel
    sense amplifiers). It has no figure of its own: the published one is taken times the comparators here over those
    there, without its ladder and encoder. With more bits every comparator would have to be better, which no form says;
    nor does one say how it follows rate and node.

    Parameters
    ----------
    anchor : Anchor
        Where the published figures hold that stand beside the model.
    """

    kind: Literal["flash"] = "flash"
    anchor: Anchor

    about: ClassVar[str] = "comparators of a flash, counted"

    def limits(self) -> Limits:
        """Up to the published bits and rate, at its node."""
        bits, rate, node = self.anchor.point
        return Limits((1, bits), (0.0, rate * (1 + ROUNDED)), (node, node))

    def energy_pj(self, point: Point) -> float:
        """Return the comparators of one conversion: of such figures only ratios enter."""
        return comparators(point.bits)

    def area_um2(self, point: Point) -> float:
        """Return the comparators of one converter: of such figures only ratios enter."""
        return comparators(point.bits)
