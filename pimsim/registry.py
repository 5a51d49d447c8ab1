"""What can be plugged in, and where it comes from: kinds of sites, parts, devices, topologies, importers, mappers.

The built-in ones are found as a user's own are: through an entry point of their group, or `register`. Nothing else in
pimsim names them, so that they need no other door is the proof that the door is open. A module that is not installed is
named by ``--plugin`` or by the variable `VARIABLE`, which processes started from this one inherit.
"""

from __future__ import annotations

import importlib
import inspect
import os
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
    "mappers": "mapper",
}
GROUPS = tuple(_ONE)
VARIABLE = "PIMSIM_PLUGINS"
"""Names modules to import before anything is looked up, with commas between them."""
Thing = TypeVar("Thing")

_registered: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
_found: dict[str, dict[str, Any]] = {}
_broken: dict[str, dict[str, Exception]] = {}
_loaded: list[str] = []  # modules that were named, in the order of their import
_BASES = {
    "kinds": "pimsim.chip.site:Site",
    "parts": "pimsim.chip.base:Part",
    "devices": "pimsim.chip.devices.base:Device",
    "topologies": "pimsim.chip.topology.base:Topology",
}
"""What a class of each group must be; importers and mappers are functions."""


def register(thing: Thing, name: str | None = None, *, group: str | None = None) -> Thing:
    """Plug something in for this process: a class of a kind, part, device or topology, or the function of an
    importer or a mapper.

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
        If two packages offer the same name, one breaks the contract of its group, or a module that `VARIABLE` names
        cannot be imported.
    """
    for module in os.environ.get(VARIABLE, "").split(","):
        load_module(module.strip(), where=VARIABLE)
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
        if group in ("kinds", "mappers") and not things:
            raise ConfigError(
                f"found no {'kinds of sites' if group == 'kinds' else group}, not even pimsim's own",
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


def load_module(name: str, where: str = "--plugin") -> None:
    """Import a module, once, and plug in what it registers and every class that it defines with a ``kind`` of its own.

    Parameters
    ----------
    name : str
        As Python finds it from the current folder; nothing is done for an empty one.
    where : str
        What named it.

    Raises
    ------
    ConfigError
        If it cannot be imported (the module's own error is the cause), or what it defines breaks a contract.
    """
    if not name or name in _loaded:
        return
    if "" not in sys.path:
        sys.path.insert(0, "")  # a file beside the user, as with python -m
    _loaded.append(name)  # before it is imported: what it registers looks up what is there
    try:
        _plug_in(importlib.import_module(name))
    except (Exception, SystemExit) as error:
        _loaded.remove(name)
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"the plug-in '{name:.100}' cannot be imported ({type(error).__name__}: {error!s:.200})",
            where=where,
            mend=f"{_mend_of(name, error)}; --verbose shows its own error",
        ) from error


def _mend_of(name: str, error: BaseException) -> str:
    """Say what to do about a module that cannot be imported."""
    if name.endswith(".py"):
        stem = name.removesuffix(".py").replace(os.sep, ".").strip(".")
        return f"give the module, '{stem}', not its file"
    if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
        return "give a module that Python finds from here"
    return "mend it"


def _plug_in(module: Any) -> None:
    """Register what a module or package defines that has a group and says what it is called there."""
    for thing in list(vars(module).values()):
        own = isinstance(thing, type) and _within(thing, module.__name__)
        if own and getattr(thing, "plugs", None) in GROUPS and "kind" in inspect.get_annotations(thing):
            register(thing)


def _within(thing: Any, module: str) -> bool:
    """Whether a thing is defined in a module, or in one of its package."""
    return f"{thing.__module__}.".startswith(f"{module}.")


def named_modules() -> list[str]:
    """Return the modules that another process has to import to have what this one has, beside what is installed.

    Raises
    ------
    ConfigError
        If something was registered by a script itself, which no other process can import.
    """
    modules = [*_loaded, *(thing.__module__ for things in _registered.values() for thing in things.values())]
    if "__main__" in modules:
        raise ConfigError(
            "what a script registers itself is not known in processes started by it",
            where="pimsim.register",
            mend="define it in a module that the script imports, or run with jobs=1",
        )
    return list(dict.fromkeys(modules))


def named(path: str) -> Any:
    """Return what ``package.module:Name`` names; an earlier layer so refers to what a later one does with it."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


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
    base = named(_BASES[group])
    module, base_name = base.__module__, base.__name__
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
