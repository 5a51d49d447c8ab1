"""What whoever reads a result must know before its figures: it stands at the head of every report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pimsim.chip import Chip
from pimsim.chip.reticle import beyond_reticle
from pimsim.trace.model import Model
from pimsim.trace.unknown import warning


def warnings_of(trace: Model, chip: Chip) -> list[str]:
    """Return what is left out of a run of a trace on a chip, or taken to be what it is not."""
    return [text for text in (warning(trace.unknown), beyond_reticle(chip)) if text]


def warned(data: Mapping[str, Any]) -> list[str]:
    """Return the warnings of a result's data; a result without any does not hold the key."""
    return list(data.get("warnings", ()))


def bound_text(header: Mapping[str, Any]) -> str:
    """Say which values the symbols of a trace were bound to, and which of them by default; empty if it has none."""
    defaults = header.get("defaults", ())
    return ", ".join(
        f"{name}={value}" + (" by default" if name in defaults else "")
        for name, value in header.get("symbols", {}).items()
        if value is not None
    )
