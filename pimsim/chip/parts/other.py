"""Other: hardware that has area and power but takes no part in the simulation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pimsim.chip.base import Count, Part


class Other(Part):
    """A part that does no action of its own, such as an instruction memory or a clock tree.

    Parameters
    ----------
    per : str
        What it belongs to: ``chip``, a site by its name, or ``core``, each core of all sites.
    count : int
        Instances in each of those.
    """

    per: Annotated[str, Field(min_length=1, max_length=100)] = "chip"
    count: Count = 1
