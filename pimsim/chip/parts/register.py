"""Register: the small memories at the ends of the arrays."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from pimsim.chip.base import EnergyPj, Part, no_effect


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

    capacity_bytes: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000_000,
            json_schema_extra=no_effect(
                "no time, and energy, area and power only as this part's own keys say; a chip is warned of where one "
                "multiplication's outputs exceed it, and an input register's peak power counts what it holds at most"
            ),
        ),
    ]
    energy_per_byte_pj: EnergyPj | None = None
