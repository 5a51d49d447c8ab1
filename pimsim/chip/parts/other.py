"""Other: hardware that has area and power but takes no part in the simulation."""

from __future__ import annotations

from typing import Literal

from pimsim.chip.parts.base import Count, Part


class Other(Part):
    """A part that does no action of its own, such as an instruction memory or a clock tree.

    Parameters
    ----------
    per : {"chip", "tile", "core"}
        What it belongs to.
    count : int
        Instances in each of those.
    """

    per: Literal["chip", "tile", "core"] = "chip"
    count: Count = 1
