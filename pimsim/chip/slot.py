"""A key of a chip file where things of several kinds may stand, some of them from other packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticKnownError, core_schema

from pimsim.chip.base import Model, refuse
from pimsim.errors import ConfigError
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
            return self.class_of(source, value).model_validate(value)

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
        known = {name: thing for name, thing in plugged(self.group).items() if issubclass(thing, base)}
        if not isinstance(kind, str):
            raise refuse_kind(kind, known)
        if kind in known:
            chosen: type[Model] = known[kind]
            return chosen
        try:
            find(self.group, kind)  # it may be there but broken
        except ConfigError as error:
            raise refuse(
                "kind", kind, f"one of: {', '.join(known)} ({error.message}; {error.mend})"
            ) from error
        raise refuse_kind(kind, known)


def refuse_kind(kind: object, known: Mapping[str, Any]) -> Exception:
    """Return the refusal of a kind that is none, or none that fits here."""
    return refuse("kind", kind if kind is not None else "missing", f"one of: {', '.join(sorted(known))}")


def slot_of(annotation: Any) -> tuple[Slot, type[Model]] | None:
    """Return the slot of a field's annotation, and the type that it is for; None for an ordinary field."""
    for inner in get_args(annotation) if get_origin(annotation) is not None else ():
        if isinstance(inner, Slot):
            return inner, get_args(annotation)[0]
        found = slot_of(inner)
        if found is not None:
            return found
    return None
