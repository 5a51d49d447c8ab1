"""``torch:package.module:factory``: a model of the user's own, made by calling a function of theirs."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError
from pimsim.trace.found import closest, show
from pimsim.trace.schema import Trace

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "torch:"
_FORM = "torch:package.module:factory"
_OPTIONS = ("dynamic", "caches", "routing")


def from_factory(source: str, *, allow_unknown: bool = False, model: str, command: str = "") -> Trace:
    """Export the model that a factory makes.

    The factory takes no arguments and returns the model and its inputs, and if it likes a dict with ``dynamic``,
    ``caches`` and ``routing`` of `from_torch`. It runs with torch's default device set to ``meta``, so that no weights
    are allocated; if it cannot, it runs again without.

    Parameters
    ----------
    source : str
        ``package.module:factory``, with ``torch:`` before it or without; the current folder is importable.
    allow_unknown, model, command
        As of `from_torch`.

    Raises
    ------
    TraceError
        If there is no such factory, it raises (that error is the cause), or returns something else; or as `from_torch`.
    """
    source = PREFIX + source.removeprefix(PREFIX)
    if importlib.util.find_spec("torch") is None:
        message = "exporting PyTorch models needs the package 'torch'"
        raise TraceError(message, where=source, mend="pip install 'pimsim[torch]'")
    from pimsim.trace.torch.load import from_torch

    with contextlib.redirect_stdout(sys.stderr):  # what it prints is not the command's output
        module, inputs, options = checked(_made(find_factory(source), source), source)
    try:
        return from_torch(
            module,
            inputs,
            **options,
            allow_unknown=allow_unknown,
            model=model,
            source={"factory": source.removeprefix(PREFIX)},
            command=command,
        )
    except TraceError as error:
        where = error.where.removeprefix(model).removeprefix(": ")
        where = f"{source}: {where}" if where else source
        raise TraceError(error.message, where=where, mend=error.mend) from error.__cause__


def find_factory(source: str) -> Callable[[], object]:
    """Import the factory that ``torch:package.module:factory`` names."""
    name, _, attribute = source.removeprefix(PREFIX).partition(":")
    if not attribute.isidentifier() or not all(part.isidentifier() for part in name.split(".")):
        raise TraceError("expected a module and a function in it", where=source, mend=f"say {_FORM}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    module = _import(name, source)
    if not hasattr(module, attribute):
        known = [each for each in vars(module) if not each.startswith("_")]
        message = f"the module '{name}' has no '{attribute}'"
        raise TraceError(message, where=source, mend=closest(attribute, known))
    factory: Callable[[], object] = getattr(module, attribute)
    if not callable(factory):
        message = f"'{attribute}' is a {type(factory).__name__}, expected a function"
        raise TraceError(message, where=source)
    return factory


def _import(name: str, source: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = isinstance(error, ModuleNotFoundError) and str(error.name or "") in (
            ".".join(name.split(".")[: place + 1]) for place in range(name.count(".") + 1)
        )
        if missing:
            message = f"there is no module '{name}'"
            mend = "run it where the module is, or install it"
            raise TraceError(message, where=source, mend=mend) from error
        raise TraceError(
            f"importing '{name}' failed: {said(error)}", where=source, mend=verbose_hint()
        ) from error


def _made(factory: Callable[[], object], source: str) -> object:
    import torch

    try:
        try:
            with torch.device("meta"):
                return factory()
        except (NotImplementedError, RuntimeError) as error:
            if "meta" not in str(error).lower():
                raise
        return factory()
    except (Exception, SystemExit) as error:
        raise TraceError(f"the factory raised {said(error)}", where=source, mend=verbose_hint()) from error


def verbose_hint() -> str:
    """Say how to see where the user's own code failed."""
    return "--verbose shows its traceback"


def said(error: BaseException) -> str:
    """Return an exception's type, its first line, and the line of the user's that raised it."""
    first = next((text.strip() for text in str(error).splitlines() if text.strip()), "")[:200]
    skipped = (Path(__file__).parent, Path(importlib.__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(folder in Path(frame.filename).parents for folder in skipped)
        and not frame.filename.startswith("<")
        and "site-packages" not in frame.filename
    ]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}{f': {first}' if first else ''}{place}"


def checked(made: object, source: str) -> tuple[Any, Any, dict[str, Any]]:
    """Return the model, inputs and options that a factory made, or say what is wrong with them."""
    import torch

    expected = "expected a pair: the model and its inputs"
    if not isinstance(made, tuple) or len(made) not in (2, 3):
        found = f"a tuple of {len(made)}" if isinstance(made, tuple) else f"a {type(made).__name__}"
        raise TraceError(f"the factory returned {found}, {expected}", where=source)
    module, inputs, options = (*made, {})[:3]
    if not isinstance(module, torch.nn.Module):
        message = f"the factory returned a {type(module).__name__} for the model, {expected}"
        raise TraceError(message, where=source, mend="the model is a torch.nn.Module")
    if not isinstance(inputs, torch.Tensor | tuple | list | Mapping):
        message = f"the factory returned inputs of type {type(inputs).__name__}, expected a tensor, a tuple or a dict"
        raise TraceError(message, where=source)
    if not isinstance(options, Mapping):
        message = f"the factory returned {show(options)} for the options, expected a dict"
        raise TraceError(message, where=source)
    for name in options:
        if name not in _OPTIONS:
            raise TraceError(f"unknown option {show(name)}", where=source, mend=closest(name, _OPTIONS))
    return module, inputs, dict(options)
