"""What can be plugged in, and where it comes from: kinds of sites, parts, devices, topologies, importers.

The built-in ones are found as a user's own are: through an entry point of their group, or `register`. Nothing else in
pimsim names them, so that they need no other door is the proof that the door is open.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar, get_args

from pimsim.errors import ConfigError, nearest

_ONE = {
    "kinds": "kind",
    "parts": "part",
    "devices": "device",
    "topologies": "topology",
    "importers": "importer",
}
GROUPS = tuple(_ONE)
Thing = TypeVar("Thing")

_registered: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
_found: dict[str, dict[str, Any]] = {}
_broken: dict[str, dict[str, Exception]] = {}
_BASES = {
    "kinds": "pimsim.chip.site:Site",
    "parts": "pimsim.chip.base:Part",
    "devices": "pimsim.chip.devices.base:Device",
    "topologies": "pimsim.chip.topology.base:Topology",
}
"""What a class of each group must be; importers are functions."""


def register(thing: Thing, name: str | None = None, *, group: str | None = None) -> Thing:
    """Plug something in for this process: a class of a kind, part, device or topology, or an importer's function.

    Parameters
    ----------
    thing : class or callable
        What. A class says itself what group it belongs to (``plugs``) and what it is called (``kind``).
    name : str, optional
        What a chip file or the command line calls it; by default what the class says.
    group : str, optional
        One of `GROUPS`; by default what the class says.

    Returns
    -------
    class or callable
        The same, so that this can stand over a class as a decorator.

    Raises
    ------
    ConfigError
        If the group is none, the name is taken, or it does not keep its group's contract.
    """
    group = group or getattr(thing, "plugs", None)
    if group not in GROUPS:
        raise ConfigError(
            f"found the group {group!r}, expected one of: {', '.join(GROUPS)}", where=repr(thing)[:100]
        )
    name = name or name_of(thing)
    taken = plugged(group).get(name)
    if taken is not None and taken is not thing:
        raise ConfigError(f"'{name}' is both {_where(taken)} and {_where(thing)}", where=f"pimsim.{group}")
    _check(group, name, thing)
    _registered[group][name] = thing
    _found.pop(group, None)
    return thing


def plugged(group: str) -> dict[str, Any]:
    """Return everything of a group by name: what packages offer as entry points, then what was registered.

    What fails to import is left out until somebody asks for it by name: see `find`.

    Raises
    ------
    ConfigError
        If two packages offer the same name, or one breaks the contract of its group.
    """
    if group not in _found:
        offered: dict[str, EntryPoint] = {}
        for point in sorted(entry_points(group=f"pimsim.{group}"), key=lambda each: (each.name, each.value)):
            if point.name in offered and offered[point.name].value != point.value:
                raise ConfigError(
                    f"'{point.name}' is both {offered[point.name].value} and {point.value}",
                    where=f"pimsim.{group}",
                )
            offered[point.name] = point
        things: dict[str, Any] = {}
        _broken[group] = {}
        for name, point in offered.items():
            try:
                things[name] = point.load()
            except Exception as error:
                _broken[group][name] = error
                continue
            _check(group, name, things[name])
        for name, thing in _registered[group].items():
            if name in things and things[name] is not thing:
                raise ConfigError(
                    f"'{name}' is both {_where(things[name])} and {_where(thing)}", where=f"pimsim.{group}"
                )
            things[name] = thing
        if group == "kinds" and not things:
            raise ConfigError(
                "found no kinds of sites, not even pimsim's own",
                where="the installed package",
                mend="install pimsim again (in a checkout: pip install -e .)",
            )
        _found[group] = things
    return _found[group]


def find(group: str, name: str, where: str = "") -> Any:
    """Return one of a group.

    Raises
    ------
    ConfigError
        If there is none of that name (the nearest is named), or its package cannot be imported.
    """
    things = plugged(group)
    if name in things:
        return things[name]
    if name in _broken[group]:
        raise ConfigError(
            f"the plug-in '{name}' cannot be imported ({_broken[group][name]!s:.200})",
            where=where or f"pimsim.{group}",
            mend="mend or uninstall its package",
        ) from _broken[group][name]
    raise ConfigError(
        f"no {_ONE[group]} is called '{name:.60}'",
        where=where or f"pimsim.{group}",
        mend=nearest(name, list(things)),
    )


def load_module(name: str) -> None:
    """Import a module that registers something: ``--plugin MODULE``.

    Raises
    ------
    ConfigError
        If it cannot be imported; the module's own error is the cause.
    """
    if "" not in sys.path:
        sys.path.insert(0, "")  # a file beside the user, as with python -m
    try:
        importlib.import_module(name)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"'{name}' cannot be imported ({type(error).__name__}: {error!s:.200})",
            where="--plugin",
            mend="give a module that Python finds from here; --verbose shows its own error",
        ) from error


def name_of(thing: Any) -> str:
    """Return what a thing calls itself: the default of its ``kind``, or its own name."""
    field = getattr(thing, "model_fields", {}).get("kind")
    if field is not None:
        for own in (field.default, *get_args(field.annotation)):  # a default, or the one thing that it may be
            if isinstance(own, str):
                return own
    return str(thing.__name__)


def _check(group: str, name: str, thing: Any) -> None:
    """Refuse what does not keep the contract of its group: what it must be, and what it must be able to answer."""
    where = f"pimsim.{group}: '{name}'"
    if group not in _BASES:
        if not callable(thing):
            raise ConfigError(f"found {thing!r:.60}, expected a function", where=where)
        return
    module, _, base_name = _BASES[group].partition(":")
    base = getattr(importlib.import_module(module), base_name)
    if not (isinstance(thing, type) and issubclass(thing, base)):
        raise ConfigError(
            f"found {thing!r:.60}, expected a class that extends {module}.{base_name}", where=where
        )
    lacking = sorted(getattr(thing, "__abstractmethods__", ()))
    if lacking:
        expected = ", ".join(f"{each} ({_first_line(base, each)})" for each in lacking)
        raise ConfigError(f"{_where(thing)} lacks what every one of them must have: {expected}", where=where)


def _first_line(base: type, name: str) -> str:
    text = getattr(base, name).__doc__ or ""
    return str(text).strip().split("\n")[0].rstrip(".")


def _where(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"
