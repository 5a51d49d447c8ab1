"""What can be made as one piece: a chip larger than a scanner's field is several dies."""

from __future__ import annotations

import math

from pimsim.chip.chip import Chip

RETICLE_MM2 = 26.0 * 33.0
"""The largest field that a scanner exposes at once, mm²."""


def dies(area_mm2: float) -> int:
    """Return how many dies such an area is at least."""
    return max(1, math.ceil(area_mm2 / RETICLE_MM2))


def beyond_reticle(chip: Chip) -> str:
    """Say that a chip is larger than what can be made as one piece; empty if it is not."""
    area, watts = chip.peak.area_mm2, chip.peak.watts
    if dies(area) == 1:
        return ""
    return (
        f"{chip.config.name} is {area:,.0f} mm2 as one chip, beyond a reticle of {RETICLE_MM2:.0f} mm2: it would be "
        f"{dies(area)} dies at least, whose links are not modelled; {watts:,.0f} W at its peak"
    )
