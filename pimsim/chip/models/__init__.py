"""Models of converters, a file each: how energy, area and time follow bits, rate and technology node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny
from pydantic_core import PydanticCustomError

from pimsim.chip.models.base import Anchor, ConverterModel, Limits, Point
from pimsim.chip.models.cco import Cco
from pimsim.chip.models.flash import Flash
from pimsim.chip.models.murmann import Murmann
from pimsim.chip.models.point import PublishedPoint
from pimsim.chip.models.ramp import Ramp
from pimsim.chip.models.sar import Sar

MODELS: dict[str, type[ConverterModel]] = {
    "murmann": Murmann,
    "sar": Sar,
    "point": PublishedPoint,
    "cco": Cco,
    "flash": Flash,
    "ramp": Ramp,
}


def by_kind(value: Any) -> Any:
    """Check what stands under ``model`` with the class that its ``kind`` names in `MODELS`, at the time of asking."""
    if not isinstance(value, Mapping):
        return value
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in MODELS:
        raise PydanticCustomError(
            "chip",
            "found kind {found}, expected one of: {expected}",
            {
                "found": "missing" if kind is None else f"{kind!r:.60}",
                "expected": ", ".join(map(repr, MODELS)),
            },
        )
    return MODELS[kind].model_validate(value)


AnyConverterModel = Annotated[SerializeAsAny[ConverterModel], BeforeValidator(by_kind)]

__all__ = [
    "MODELS",
    "Anchor",
    "AnyConverterModel",
    "Cco",
    "ConverterModel",
    "Flash",
    "Limits",
    "Murmann",
    "Point",
    "PublishedPoint",
    "Ramp",
    "Sar",
]
