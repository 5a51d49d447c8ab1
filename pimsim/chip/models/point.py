"""Converters as published: what a paper gives for them, and nothing in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import ClassVar, Literal

from pimsim.chip.models.base import ConverterModel, Limits, Point


@dataclass(frozen=True)
class PublishedConverter:
    """Figures of one publication.

    Parameters
    ----------
    source : str
        Which.
    energy_pj : mapping of int to float
        Bits to the energy of a conversion, in picojoules.
    area_um2 : mapping of int to float
        Bits to the area of a converter, in square micrometres; empty where none is given.
    samples_per_s : float, optional
        The rate that it was published at: it can be slower, not faster.
    technology_nm : float
        Its node.
    """

    source: str
    energy_pj: Mapping[int, float]
    area_um2: Mapping[int, float] = field(default_factory=dict)
    samples_per_s: float | None = None
    technology_nm: float = 32


PUBLISHED = {
    "isaac": PublishedConverter(
        "ISAAC's converter scaled over bits, as CiMLoop uses it (Andrulis et al., ISPASS 2024)",
        {4: 0.79, 5: 0.99, 6: 1.20, 7: 1.42, 8: 1.667, 9: 1.97, 10: 2.38},
        samples_per_s=1.28e9,
    ),
    "newton": PublishedConverter("Nag et al., Newton, IEEE Micro 2018", {9: 2.58}, {9: 1500.0}),
    "forms": PublishedConverter("Yuan et al., FORMS, ISCA 2021", {4: 0.226}, {4: 284.0}, samples_per_s=2.1e9),
    # 3.875 mW on average / 1 GS/s = 3.875 pJ, by simulation of the layout; its area is not in what was read.
    "ghai": PublishedConverter(
        "flash, Ghai, Mohanty, Kougianos, A Process and Supply Variation Tolerant Nano-CMOS Low Voltage, High Speed, "
        "A/D Converter for System-on-Chip, abstract",
        {6: 3.875},
        samples_per_s=1e9,
        technology_nm=90,
    ),
    # 10.2 fJ * 2^7.87 = 2.387 pJ; 48 uW / 2.387 pJ = 20.1 MS/s; 190 um * 5 um = 950 um2.
    "fan": PublishedConverter(
        "successive approximation, then a single slope, Fan et al., ISCAS 2022, 10.1109/ISCAS48785.2022.9937285, "
        "abstract",
        {8: 2.387},
        {8: 950.0},
        samples_per_s=2.01e7,
        technology_nm=65,
    ),
}


class PublishedPoint(ConverterModel):
    """A published converter: it holds at the bits that are published, at its node, and no faster than it was.

    Parameters
    ----------
    of : str
        Which: ``isaac`` (4 to 10 bits), ``newton`` (9 bits), ``forms`` (4 bits), ``ghai`` (a flash, 6 bits) or ``fan``
        (a single slope after successive approximation, 8 bits).
    """

    kind: Literal["point"] = "point"
    of: Literal["isaac", "newton", "forms", "ghai", "fan"]

    about: ClassVar[str] = "published converters"

    @property
    def name(self) -> str:
        """The kind and whose."""
        return f"point of {self.of}"

    def limits(self) -> Limits:
        """The published bits, rates up to the published one, and the node."""
        data = PUBLISHED[self.of]
        fastest = data.samples_per_s if data.samples_per_s is not None else inf
        bits = data.energy_pj
        return Limits((min(bits), max(bits)), (0.0, fastest), (data.technology_nm, data.technology_nm))

    def energy_pj(self, point: Point) -> float:
        """Return the energy of one conversion in picojoules: at other bits, forced, that of the nearest published."""
        return _nearest(PUBLISHED[self.of].energy_pj, point.bits)

    def area_um2(self, point: Point) -> float | None:
        """Return the area in square micrometres; None where none is published."""
        found = PUBLISHED[self.of].area_um2
        return _nearest(found, point.bits) if found else None


def _nearest(figures: Mapping[int, float], bits: int) -> float:
    """Return the figure of the nearest bits, of the more where two are as near."""
    return figures[min(figures, key=lambda known: (abs(known - bits), -known))]
