"""Turning what the schema refuses into errors that say where, what was found and what was expected."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pimsim.chip.models import MODELS, ConverterModel
from pimsim.chip.schema import ChipConfig
from pimsim.chip.slot import Slot
from pimsim.errors import ConfigError, nearest
from pimsim.registry import name_of

_PLAIN_WORDS = (
    ("Input should be ", ""),
    ("String should ", "text that should "),
    ("greater than or equal to", "at least"),
    ("less than or equal to", "at most"),
    ("greater than", "more than"),
)


class Layer(NamedTuple):
    """One of the sources that a chip was merged from."""

    label: str
    data: Mapping[str, Any]


def config_error(error: ValidationError, data: Mapping[str, Any], layers: Sequence[Layer]) -> ConfigError:
    """Describe the first problem of a refused chip, and say how many more there are.

    Parameters
    ----------
    error : ValidationError
        What pydantic says.
    data : mapping
        The merged chip.
    layers : sequence of Layer
        What it was merged from, first to last; the last one that has the key is at fault.
    """
    details = error.errors(include_url=False, include_input=True)
    first = details[0]
    context = first.get("ctx", {})
    path = _without_tags(first["loc"], data)
    if "path" in context:
        path += tuple(context["path"].split("."))
    if first["type"].startswith("union_tag"):
        path = (*path, "kind")
    message, mend = _describe(first, path, data)
    if len(details) > 1:
        mend += f"{' ' if mend else ''}({len(details) - 1} more after this)"
    refused = ConfigError(message, where=_where(path, layers, missing=first["type"] == "missing"), mend=mend)
    refused.__cause__ = context.get("cause")  # a plug-in's own error
    return refused


def _describe(detail: Any, path: tuple[str, ...], data: Mapping[str, Any]) -> tuple[str, str]:
    """Return what was found and expected, and how to mend it."""
    kind, message = detail["type"], detail["msg"]
    if kind == "chip":
        return message, detail["ctx"].get("mend", "")
    if kind == "missing":
        return f"found no key '{path[-1]}', expected one", ""
    if kind == "extra_forbidden":
        known = keys_at(path[:-1], data)
        return f"found the unknown key '{path[-1]}', expected a known one", nearest(path[-1], known)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        context = detail["ctx"]
        expected = context.get("expected_tags", "a 'kind'")
        return f"found kind {context.get('tag', 'missing')!r:.60}, expected one of: {expected}", ""
    return said(detail), ""


def said(detail: Any) -> str:
    """Return what was found and what was expected, of one of a validation's errors."""
    expected = detail["msg"]
    for phrase, plain in _PLAIN_WORDS:
        expected = expected.replace(phrase, plain)
    if detail["type"] in ("model_type", "model_attributes_type", "dict_type"):
        expected = "keys and values"
    return f"found {_show(detail['input'])}, expected {expected}"


def _show(value: Any) -> str:
    """Write a value as it would stand in the file, shortened, with its kind."""
    if isinstance(value, Mapping):
        return "keys and values"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**20:
        return "an integer of more than 20 digits"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)[:60]


def _without_tags(location: Sequence[int | str], data: Any) -> tuple[str, ...]:
    """Drop what pydantic adds to a place: the tag of a union, the mark of a dictionary's key."""
    path: list[str] = []
    for position, step in enumerate(location):
        is_last = position == len(location) - 1
        if step == "[key]":
            continue
        if isinstance(data, Mapping):
            if step in data:
                data = data[step]
            elif not is_last:
                continue
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        path.append(str(step))
    return tuple(path)


def _where(path: Sequence[str], layers: Sequence[Layer], *, missing: bool) -> str:
    """Name the last layer that has most of a path (of what is around a missing key), and the path."""
    best, depth = layers[0].label, -1
    for layer in layers:
        reached = _reach(layer.data, path[:-1] if missing else path)
        if reached >= depth:
            best, depth = layer.label, reached
    key = ".".join(path)[:200]
    return f"{best}: {key}" if key else best


def _reach(data: Any, path: Sequence[str]) -> int:
    for steps, key in enumerate(path):
        if not isinstance(data, Mapping) or key not in data:
            return steps
        data = data[key]
    return len(path)


def keys_at(path: Sequence[str], data: Mapping[str, Any]) -> list[str]:
    """Return the keys that the schema knows at a place in a chip.

    Parameters
    ----------
    path : sequence of str
        The keys that lead there.
    data : mapping
        The chip; it tells which of several shapes is meant, by ``kind``.
    """
    kinds: list[Any] = [ChipConfig]
    value: Any = data
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
        kinds = [inner for kind in kinds for inner in _inside(kind, key)]
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    if len(models) > 1 and isinstance(value, Mapping):
        models = [model for model in models if _is_meant(model, value.get("kind"))] or models
    names = [field.alias or name for model in models for name, field in model.model_fields.items()]
    if not path:
        names.append("extends")
    return list(dict.fromkeys(names)) or sorted(value if isinstance(value, Mapping) else [])


def _is_meant(model: type[BaseModel], kind: object) -> bool:
    """Whether a ``kind``, or none, names a class of those that may stand in a place."""
    has_kind = "kind" in model.model_fields
    return has_kind and kind == name_of(model) if kind is not None else not has_kind


def _inside(kind: Any, key: str) -> list[Any]:
    """Return the types that stand under a key of a type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(key)
        if field is None:
            return []
        return [
            each for mark in field.metadata for each in _plugged(mark, field.annotation)
        ] or _alternatives(field.annotation)
    if get_origin(kind) is dict:
        return _alternatives(get_args(kind)[1])
    return []


def _plugged(mark: Any, base: Any) -> list[Any]:
    """Return the classes that may stand in a slot."""
    if not isinstance(mark, Slot):
        return []
    return list(mark.known(base).values())


def _alternatives(annotation: Any) -> list[Any]:
    """Take a union apart and unwrap annotations."""
    if get_origin(annotation) is Annotated:
        base, *marks = get_args(annotation)
        return [each for mark in marks for each in _plugged(mark, base)] or _alternatives(base)
    if annotation is ConverterModel:
        return list(MODELS.values())
    if get_origin(annotation) in (Union, types.UnionType):
        return [inner for choice in get_args(annotation) for inner in _alternatives(choice)]
    return [annotation]
