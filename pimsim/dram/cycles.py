"""Cycles of a constraint: sums and differences of the standard's timings, such as ``nCWL + nBL + nWTR_S``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from math import ceil

_TERM = re.compile(r"\s*([+-]?)\s*(?:(\d+)|([A-Za-z_]\w*))\s*")


def terms(text: str) -> list[tuple[int, str]]:
    """Take an expression apart.

    Parameters
    ----------
    text : str
        Whole numbers and names, added and subtracted.

    Returns
    -------
    list of (int, str)
        A sign, +1 or -1, and a number or a name.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    found: list[tuple[int, str]] = []
    at = 0
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None or (found and not term[1]):
            raise ValueError("expected names of timings and whole numbers with + or - between them")
        found.append((-1 if term[1] == "-" else 1, term[2] or term[3]))
        at = term.end()
    if not found:
        raise ValueError("expected names of timings and whole numbers with + or - between them")
    return found


def evaluate(text: str, timings: Mapping[str, int]) -> int:
    """Return the cycles of an expression.

    Raises
    ------
    ValueError
        If it is no expression.
    KeyError
        If it names a timing that there is none of.
    """
    return sum(sign * (int(term) if term.isdigit() else timings[term]) for sign, term in terms(text))


def cycles_of(nanoseconds: float, clock_mhz: float) -> int:
    """Return the whole cycles that cover a time; exact in decimal fractions, so 350 ns at 1200 MHz are 420."""
    return ceil(Fraction(str(nanoseconds)) * Fraction(str(clock_mhz)) / 1000)
