"""Loading a memory standard: presets and files, ``extends:`` and overrides."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pimsim import presets
from pimsim.chip import yaml_text
from pimsim.chip.load import merge
from pimsim.chip.problems import said
from pimsim.dram.schema import Standard
from pimsim.errors import ConfigError, nearest

FOLDER = "configs/memory"
STANDARD = "standard"  # the order that a file states itself
Overrides = Sequence[str] | Mapping[str, Any]


def load_standard(name_or_path: str | Path, overrides: Overrides = (), order: str = STANDARD) -> Standard:
    """Load and check a preset or a file.

    Parameters
    ----------
    name_or_path : str or path
        A standard of pimsim's (``ddr4_2400``), or a YAML file; it may extend another one.
    overrides : sequence of str, or mapping
        ``timings.nRP=14`` and the like.
    order : str
        One of the file's ``orders``, whose keys come before the overrides; by default the standard's own.

    Raises
    ------
    ConfigError
        If the file, or an override, is at fault.
    """
    data, label = _merged(_find(str(name_or_path)), [])
    if order != STANDARD:
        data = _in_order(data, order, label)
    for text, path, value in _parse(overrides):
        where = f"--set {text}"
        if not isinstance(value, Mapping):
            _check_path(path, data, where)
        data = _replaced(data, path, value)
        label = where
    return _validate(data, label)


@cache
def _kept(name_or_path: str, order: str, stamp: str) -> Standard:
    return load_standard(name_or_path, (), order)


def kept_standard(name_or_path: str, order: str = STANDARD) -> Standard:
    """Return a standard that is loaded once, unless its file changes."""
    return _kept(name_or_path, order, stamp_of(name_or_path))


def stamp_of(name_or_path: str) -> str:
    """Return what tells a file of the user's from what it was before; nothing for a standard of pimsim's."""
    if name_or_path.replace("-", "_") in names():
        return ""
    path = Path(name_or_path)
    try:
        return f"{path.resolve()} {path.stat().st_mtime_ns}"
    except (OSError, ValueError):
        return ""  # loading it says what is wrong


def _in_order(data: dict[str, Any], order: str, label: str) -> dict[str, Any]:
    """Put the keys of one of a file's orders on top of the others."""
    orders = data.get("orders")
    known = [STANDARD, *orders] if isinstance(orders, Mapping) else [STANDARD]
    if order not in known:
        raise ConfigError(
            f"found the order '{order:.40}', expected one of: {', '.join(map(str, known))}", where=label
        )
    assert isinstance(orders, Mapping)
    return merge(data, orders[order]) if isinstance(orders[order], Mapping) else data


def names() -> list[str]:
    """List the standards that come with pimsim."""
    return presets.names(FOLDER, ".yaml")


def _find(name: str, beside: Path | None = None) -> Path:
    is_path = "/" in name or name.endswith((".yaml", ".yml"))
    if (spelled := name.replace("-", "_")) in names():  # hbm2-pim is hbm2_pim
        name = spelled
    try:
        return presets.resolve(beside / name if beside and is_path else name, FOLDER, ".yaml", ConfigError)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be opened ({error})", where=name[:200]) from None


def _merged(path: Path, above: list[Path]) -> tuple[dict[str, Any], str]:
    """Read a file on top of what it extends."""
    label = str(path)
    if path.resolve() in above:
        raise ConfigError("found a circle, expected an end", where=f"{label}: extends")
    data = _read(path)
    base = data.pop("extends", None)
    if base is None:
        return data, label
    if not isinstance(base, str):
        raise ConfigError("expected the name of a standard or the path of a file", where=f"{label}: extends")
    below, _ = _merged(_find(base, beside=path.parent), [*above, path.resolve()])
    return merge(below, data), label


def _read(path: Path) -> dict[str, Any]:
    label = str(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=label) from None
    if len(raw) > yaml_text.MAX_BYTES:
        raise ConfigError(f"found {len(raw)} bytes, expected at most {yaml_text.MAX_BYTES}", where=label)
    try:
        data = yaml_text.parse(raw.decode("utf-8-sig"), label)
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 text (byte {error.start})", where=label) from None
    if not isinstance(data, dict):
        raise ConfigError("expected the keys and values of a memory standard", where=label)
    return data


def _parse(overrides: Overrides) -> list[tuple[str, list[str], Any]]:
    """Return each override's text, path and value."""
    if isinstance(overrides, Mapping):
        return [(f"{path}={value}", str(path).split("."), value) for path, value in overrides.items()]
    parsed = []
    for text in [overrides] if isinstance(overrides, str) else overrides:
        path, sign, value = text.partition("=")
        if not sign or not path.strip():
            raise ConfigError("expected path.to.key=value", where=f"--set {text}")
        parsed.append((text, path.strip().split("."), yaml_text.parse(value, f"--set {text}")))
    return parsed


def _check_path(path: Sequence[str], data: Any, where: str) -> None:
    """Refuse a key that is neither in the file nor one of the schema's."""
    shape: Any = Standard
    for step, key in enumerate(path):
        known = list(dict.fromkeys([*_keys(shape), *(data if isinstance(data, Mapping) else ())]))
        if key not in known:
            place = ".".join(path[:step]) or "the standard"
            raise ConfigError(f"no key '{key}' in {place}", where=where, mend=nearest(key, known))
        shape = _below(shape, key)
        data = data.get(key) if isinstance(data, Mapping) else None


def _below(shape: Any, key: str) -> Any:
    """Return what stands under a key of a model or a mapping; None if that is a plain value."""
    if get_origin(shape) is Annotated:
        return _below(get_args(shape)[0], key)
    if get_origin(shape) is dict:
        return get_args(shape)[1]
    if get_origin(shape) in (Union, types.UnionType):
        found = [_below(each, key) for each in get_args(shape)]
        return next((each for each in found if each is not None), None)
    if isinstance(shape, type) and issubclass(shape, BaseModel) and key in shape.model_fields:
        return shape.model_fields[key].annotation
    return None


def _keys(shape: Any) -> list[str]:
    """Return the keys that the schema knows of a model, or of one of a union."""
    if get_origin(shape) in (Union, types.UnionType):
        return [key for each in get_args(shape) for key in _keys(each)]
    if get_origin(shape) is Annotated:
        return _keys(get_args(shape)[0])
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        return [field.alias or name for name, field in shape.model_fields.items()]
    return []


def _replaced(data: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    inner = data.get(path[0])
    below = inner if isinstance(inner, Mapping) else {}
    return {**data, path[0]: value if len(path) == 1 else _replaced(below, path[1:], value)}


def _validate(data: Mapping[str, Any], label: str) -> Standard:
    try:
        return Standard.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=True)
        first = details[0]
        context = first.get("ctx", {})
        path = _without_tags(first["loc"], data)
        if "path" in context:
            path += context["path"].split(".")
        message, mend = said(first), ""
        if first["type"] == "chip":
            message = first["msg"]
        elif first["type"].startswith("union_tag"):
            message = (
                f"found kind {context.get('tag', 'missing')!r:.60}, expected one of: 'currents', 'parts'"
            )
        elif first["type"] == "missing":
            message = f"found no key '{path[-1]}', expected one"
        elif first["type"] == "extra_forbidden":
            message, mend = f"found the unknown key '{path[-1]}', expected a known one", _nearest(path)
        if len(details) > 1:
            mend += f"{' ' if mend else ''}({len(details) - 1} more after this)"
        where = f"{label}: {'.'.join(path)[:200]}" if path else label
        raise ConfigError(message, where=where, mend=mend) from None
    except (OverflowError, RecursionError) as error:
        raise ConfigError(f"found a value that cannot be a standard's ({error})", where=label) from None


def _without_tags(location: Sequence[int | str], data: Any) -> list[str]:
    """Drop what pydantic adds to a place: the kind of energy, the mark of a dictionary's key."""
    path: list[str] = []
    for position, step in enumerate(location):
        if isinstance(data, Mapping) and step not in data and position < len(location) - 1:
            continue
        if step != "[key]":
            path.append(str(step))
        if isinstance(data, Mapping):
            data = data.get(str(step))
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
    return path


def _nearest(path: Sequence[str]) -> str:
    """Name what an unknown key may be meant for."""
    shape: Any = Standard
    for key in path[:-1]:
        shape = _below(shape, key)
    return nearest(path[-1], _keys(shape))
