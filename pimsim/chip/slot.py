"""A key of a chip file where things of several kinds may stand, some of them from other packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticCustomError, PydanticKnownError, core_schema

from pimsim.chip.base import Model
from pimsim.errors import ConfigError, nearest
from pimsim.registry import find, plugged

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler


class Slot:
    """Marks a field: its ``kind`` says which class of a group checks it.

    Parameters
    ----------
    group : str
        Of the registry; of that, only subclasses of the field's own type may stand here.
    default : type, optional
        What is meant where no ``kind`` is given.
    """

    def __init__(self, group: str, default: type[Model] | None = None) -> None:
        self.group, self.default = group, default

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Check by the class that is plugged in when a chip is loaded, and write by the class that is there."""

        def check(value: Any) -> Any:
            if isinstance(value, source):
                return value
            if isinstance(value, str):  # the name alone, where it says all
                value = {"kind": value}
            if not isinstance(value, Mapping):
                raise PydanticKnownError("dict_type")
            chosen = self.class_of(source, value)
            if "kind" in value and "kind" not in chosen.model_fields:  # one that needs no kind to be meant
                value = {key: each for key, each in value.items() if key != "kind"}
            return chosen.model_validate(value)

        def write(value: BaseModel, info: core_schema.SerializationInfo) -> dict[str, Any]:
            return value.model_dump(by_alias=bool(info.by_alias), exclude_none=info.exclude_none)

        return core_schema.no_info_plain_validator_function(
            check, serialization=core_schema.plain_serializer_function_ser_schema(write, info_arg=True)
        )

    def class_of(self, base: type[Model], data: Mapping[str, Any]) -> type[Model]:
        """Return the class that a mapping's ``kind`` names."""
        kind = data.get("kind")
        if kind is None and self.default is not None:
            return self.default
        known = self.known(base)
        if isinstance(kind, str) and kind in known:
            return known[kind]
        expected = f"one of: {', '.join(sorted(known))}"
        if kind is None:
            raise PydanticCustomError("chip", "found no key 'kind', expected {expected}", _at(expected))
        mend, cause = "", None
        if isinstance(kind, str) and kind not in plugged(self.group):
            mend = nearest(kind, list(known))
            mend = mend if mend.startswith("did you mean") else ""  # else it says again what is expected
            try:
                find(self.group, kind)  # it may be offered, and broken
            except ConfigError as error:
                cause = error.__cause__
                if cause is not None:
                    expected, mend = f"one of: {', '.join(sorted(known))} ({error.message})", error.mend
        shown = {**_at(expected), "found": repr(kind)[:60], "mend": mend, "cause": cause}
        raise PydanticCustomError("chip", "found kind {found}, expected {expected}", shown)

    def known(self, base: type[Model]) -> dict[str, type[Model]]:
        """Return the classes that may stand here, by name."""
        return {name: thing for name, thing in plugged(self.group).items() if issubclass(thing, base)}


def _at(expected: str) -> dict[str, Any]:
    return {"path": "kind", "expected": expected}


def slot_of(annotation: Any) -> tuple[Slot, type[Model]] | None:
    """Return the slot of a field's annotation, and the type that it is for; None for an ordinary field."""
    for inner in get_args(annotation) if get_origin(annotation) is not None else ():
        if isinstance(inner, Slot):
            return inner, get_args(annotation)[0]
        found = slot_of(inner)
        if found is not None:
            return found
    return None
