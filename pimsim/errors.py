"""The errors a user can meet: each says where, what was found, what was expected and how to mend it."""

from __future__ import annotations

from functools import partial
from typing import Any


class PimsimError(Exception):
    """Base of all errors that pimsim raises on purpose.

    Parameters
    ----------
    message : str
        What was found and what was expected, in one sentence.
    where : str, optional
        The place: ``file``, ``file:line`` or ``file: key.path``.
    mend : str, optional
        What the user can do about it.
    """

    exit_code = 2

    def __init__(self, message: str, *, where: str = "", mend: str = "") -> None:
        self.message = _printable(message)
        self.where = _printable(where)
        self.mend = _printable(mend)
        super().__init__(self.message, self.where, self.mend)

    def __reduce__(self) -> tuple[partial[PimsimError], tuple[str]]:
        """Say how to make it again, in the process that gets it from one of a pool."""
        return partial(type(self), where=self.where, mend=self.mend), (self.message,)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}; {self.mend}" if self.mend else text


class ConfigError(PimsimError):
    """A chip file, an override or an option is wrong."""


class TraceError(PimsimError):
    """A trace, or a model to be exported as one, is wrong."""


class ModelError(TraceError):
    """A model cannot be exported, whatever sizes its inputs are given."""


class MappingError(PimsimError):
    """The model does not fit the chip, or a plan that is given is wrong."""


class ResultError(PimsimError):
    """A result file cannot be read or written."""


class SimulationError(PimsimError):
    """The machine cannot go on."""

    exit_code = 1


class InterruptedRunError(SimulationError):
    """A run ended early because a part failed that nothing could replace.

    Parameters
    ----------
    message, where, mend : str
        As of all errors.
    done : dict, optional
        What was done before, as plain data: when outputs came, and what was replaced.
    """

    def __init__(
        self, message: str, where: str = "", mend: str = "", done: dict[str, object] | None = None
    ) -> None:
        super().__init__(message, where=where, mend=mend)
        self.done = done or {}
        self.args = message, where, mend, self.done  # SimPy makes it again from these

    def __reduce__(self) -> tuple[partial[PimsimError], tuple[str]]:
        """Say how to make it again, with what was done."""
        again: Any = partial(type(self), where=self.where, mend=self.mend, done=self.done)
        return again, (self.message,)


def _printable(text: str) -> str:
    """Write what UTF-8 cannot, half a character that a file holds, as its number."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def nearest(name: str, known: list[str]) -> str:
    """Return ``'did you mean …?'`` for a mistyped name, or the list of known names."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    return "expected one of: " + ", ".join(sorted(known))
