"""What a chip file asks of the controller of a site or a part: a SimPy process that runs it beside serving visitors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from pimsim.chip.base import Sourced


class Control(Sourced, ABC):
    """A piece of a chip file under the site or part whose controller it sets up; without it, there is none.

    A kind or a part of a user's own brings a controller by a field of such a type.
    """

    @classmethod
    @abstractmethod
    def process(cls) -> type[Any]:
        """Return the class, a `pimsim.machine.controllers.base.Controller`, that the machine starts."""


def controls_of(piece: BaseModel, path: str = "") -> Iterator[tuple[str, Control]]:
    """Yield what a site, or any piece of a chip file, asks of controllers, with the path to the part that it is for."""
    for name in type(piece).model_fields:
        value = getattr(piece, name)
        if isinstance(value, Control):
            yield path, value
        elif isinstance(value, BaseModel):
            yield from controls_of(value, f"{path}.{name}".lstrip("."))
        elif isinstance(value, dict):
            for key, each in value.items():
                if isinstance(each, BaseModel):
                    yield from controls_of(each, f"{path}.{name}.{key}".lstrip("."))
