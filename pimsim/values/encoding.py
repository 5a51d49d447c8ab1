"""The names of the ways in which weights become cells; `pimsim.values.coding` does it."""

from __future__ import annotations

from typing import Literal

Encoding = Literal["offset", "flipped", "differential"]
