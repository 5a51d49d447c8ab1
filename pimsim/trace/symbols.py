"""Symbolic sizes: sums of products of whole numbers and names, such as ``kv+1`` or ``32*batch*seq``.

Such a size stands in a trace as text. Its canonical text has the longest products first, then by their names, the
number last, and nothing twice: two sizes that are equal for all values have the same text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pimsim.errors import TraceError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*")
LONGEST = 200
LARGEST = 2**31 - 1
_ROWS = re.compile(r"layer([0-9]{1,6})\.expert([0-9]{1,6})")
_FACTOR = re.compile(rf"(?P<number>[0-9]+)|(?P<name>{NAME.pattern})")


@dataclass(frozen=True, slots=True)
class Size:
    """A sum of products; make one with `parse` or `total`.

    Parameters
    ----------
    terms : tuple of (tuple of str, int)
        A product each: the names, sorted, and the number before them, never 0. The terms are in canonical order.
    """

    terms: tuple[tuple[tuple[str, ...], int], ...]

    @property
    def names(self) -> frozenset[str]:
        """The names in it."""
        return frozenset(name for names, _ in self.terms for name in names)

    def put(self, values: Mapping[str, int]) -> Size:
        """Return what it becomes when some names have values."""
        return total(
            (
                tuple(name for name in names if name not in values),
                number * math.prod(values[name] for name in names if name in values),
            )
            for names, number in self.terms
        )

    def plain(self) -> int | str:
        """Return it as a trace holds it: the whole number that it is, or else its canonical text."""
        if not self.names:
            return sum(number for _, number in self.terms)
        text = "".join(_write(names, number) for names, number in self.terms)
        return text.removeprefix("+")


def _write(names: tuple[str, ...], number: int) -> str:
    sign = "-" if number < 0 else "+"
    factors = names if abs(number) == 1 and names else (str(abs(number)), *names)
    return sign + "*".join(factors)


def total(terms: Iterable[tuple[tuple[str, ...], int]]) -> Size:
    """Add up products of names and a number each."""
    sums: dict[tuple[str, ...], int] = {}
    for names, number in terms:
        key = tuple(sorted(names))
        sums[key] = sums.get(key, 0) + number
    kept = [(names, number) for names, number in sums.items() if number]
    return Size(tuple(sorted(kept, key=lambda term: (-len(term[0]), term[0]))))


@lru_cache(maxsize=4096)
def parse(text: str) -> Size:
    """Read a size.

    Raises
    ------
    TraceError
        If the text is not a sum of products of whole numbers and names.
    """
    if len(text) > LONGEST:
        raise TraceError(f"found a size of {len(text)} characters, expected at most {LONGEST}")
    compact = re.sub(r" *([+*-]) *", r"\1", text.strip(" "))
    terms = []
    for term in re.split(r"(?<=[^+\-*])(?=[+-])", compact):
        sign = -1 if term.startswith("-") else 1
        names, number = [], sign
        for factor in term.lstrip("+-" if term[:1] in "+-" else "").split("*"):
            found = _FACTOR.fullmatch(factor)
            if found is None or term[1:2] in ("+", "-"):
                mend = "a sum of products of whole numbers and names, such as 'kv+seq' or '32*seq'"
                raise TraceError(f"found '{text}', expected a size", mend=mend)
            if found["name"]:
                names.append(factor)
            else:
                number *= int(factor) if len(factor) <= 10 else LARGEST + 1
        if abs(number) > LARGEST:
            raise TraceError(f"found '{text}', expected numbers up to {LARGEST}")
        terms.append((tuple(names), number))
    return total(terms)


def put(size: int | str, values: Mapping[str, int]) -> int | str:
    """Return what a size of a trace becomes when some names have values.

    Raises
    ------
    TraceError
        If it is text and not a size.
    """
    return parse(size).put(values).plain() if isinstance(size, str) else size


def names_in(sizes: Iterable[object]) -> set[str]:
    """Return the names in some sizes.

    Raises
    ------
    TraceError
        If one is text and not a size.
    """
    return {name for size in sizes if isinstance(size, str) for name in parse(size).names}


def rows_symbol(layer: int, expert: int) -> str:
    """Return the name of the symbol for the rows of an expert."""
    return f"layer{layer}.expert{expert}"


def expert_of(size: object) -> int | None:
    """Return the expert whose rows a size is; None if it is none."""
    found = _ROWS.fullmatch(size) if isinstance(size, str) else None
    return int(found[2]) if found else None


def unbound(names: Iterable[str], what: str) -> TraceError:
    """Make the error of asking what depends on symbols that have no value."""
    names = tuple(names)
    free = [name for name in names if expert_of(name) is None]
    mend = f"say {' '.join(f'--bind {name}=N' for name in free)}, or bind them in Python: trace.bind(...)"
    mend = mend if free else "trace.bind() draws the tokens of experts"
    return TraceError(f"{what} depend on symbols without a value: {', '.join(names)}", mend=mend)
