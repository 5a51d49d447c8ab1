"""Chips: the schema, the parts, the presets, and what follows from them."""

from pimsim.chip.chip import Chip
from pimsim.chip.peak import Peak, PeakRow
from pimsim.chip.schema import ChipConfig

__all__ = ["Chip", "ChipConfig", "Peak", "PeakRow"]
