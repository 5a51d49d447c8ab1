"""Register: the small memories at the ends of the arrays."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from pimsim.chip.parts.base import EnergyPj, Part


class Register(Part):
    """An input or output register.

    Parameters
    ----------
    capacity_bytes : int
        Size in bytes.
    energy_per_byte_pj : float, optional
        Energy of one byte passing through (written once and read once), in picojoules.
    """

    action: ClassVar[str] = "energy_per_byte_pj"

    capacity_bytes: Annotated[int, Field(ge=1, le=1_000_000_000)]
    energy_per_byte_pj: EnergyPj | None = None
