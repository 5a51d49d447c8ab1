"""Numbers with their units for a page, and the scales of axes."""

from __future__ import annotations

import re
from typing import NamedTuple

from pimsim.units import FS_PER_S, format_si, format_time

J_PER_PJ = 1e-12
J_PER_AJ = 1e-18

_PREFIXES = (
    (1e12, "T", "tera"),
    (1e9, "G", "giga"),
    (1e6, "M", "mega"),
    (1e3, "k", "kilo"),
    (1.0, "", ""),
    (1e-3, "m", "milli"),
    (1e-6, "µ", "micro"),
    (1e-9, "n", "nano"),
    (1e-12, "p", "pico"),
    (1e-15, "f", "femto"),
)


class Scale(NamedTuple):
    """The unit of an axis: how large it is in the plain unit, and its name in full."""

    size: float
    word: str


def scale(largest: float, word: str) -> Scale:
    """Return the unit that leaves few digits before the point.

    Parameters
    ----------
    largest : float
        The largest value of the axis, in the plain unit.
    word : str
        The plain unit in full: ``seconds``.
    """
    for size, _, prefix in _PREFIXES:
        if abs(largest) >= size:
            return Scale(size, prefix + word)
    return Scale(1.0, word)


def time_scale(largest_fs: float) -> Scale:
    """Return the unit of a time axis; its size is in fs."""
    found = scale(largest_fs / FS_PER_S, "seconds")
    return Scale(found.size * FS_PER_S, found.word)


def nice(text: str) -> str:
    """Write the units of a text for a terminal as they stand in print."""
    return re.sub(r"\bu(?=[sJWFm]\b)", "µ", re.sub(r"\b([mu]?m)2\b", r"\1²", text))


def time(fs: float) -> str:
    """Write a time."""
    return nice(format_time(fs))


def signed_time(fs: float) -> str:
    """Write a difference of times."""
    return f"{'+' if fs > 0 else ''}{time(fs)}"


def energy(joules: float) -> str:
    """Write an energy."""
    return nice(format_si(joules, "J"))


def power(watts: float) -> str:
    """Write a power."""
    return nice(format_si(watts, "W"))


def area(um2: float) -> str:
    """Write an area."""
    return f"{um2 * 1e-6:.4g} mm²"


def count(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def rounded(value: float) -> float:
    """Return a value with the digits that a picture can show."""
    return float(f"{value:.5g}")
