"""Symbolic sizes: whole numbers and names added, multiplied, and divided by whole numbers, rounded down.

Such a size stands in a trace as text, ``kv+1``, ``32*batch*seq`` or ``(height+1)//2``, which means what it means in
Python. Its canonical text has the longest products first, then by their names, the number last, and nothing twice: two
sums of products that are equal for all values have the same text. A quotient counts as a name in that, with all that
can be taken out of it taken out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pimsim.errors import TraceError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*(?:\[[0-9]+\])?")
LONGEST = 1000
LARGEST = 2**31 - 1
DEEPEST = 20
"""Brackets in brackets; a size of more is a mistake."""
MOST_TERMS = 1000
_ROWS = re.compile(r"layer([0-9]{1,6})\.expert([0-9]{1,6})")
_TOKEN = re.compile(rf" *(?:(?P<number>[0-9]+)|(?P<name>{NAME.pattern})|(?P<sign>//|[-+*()]))")


@dataclass(frozen=True, slots=True)
class Size:
    """A sum of products; make one with `parse`, `total` or `quotient`.

    Parameters
    ----------
    terms : tuple of (tuple of str, int)
        A product each: the names and quotients, sorted, and the number before them, never 0. The terms are in canonical
        order.
    """

    terms: tuple[tuple[tuple[str, ...], int], ...]

    @property
    def names(self) -> frozenset[str]:
        """The names in it."""
        factors = {factor for factors, _ in self.terms for factor in factors}
        inner = (_parts(factor)[0].names for factor in factors if not NAME.fullmatch(factor))
        return frozenset(factor for factor in factors if NAME.fullmatch(factor)).union(*inner)

    def put(self, values: Mapping[str, int]) -> Size:
        """Return what it becomes when some names have values."""
        made: list[tuple[tuple[str, ...], int]] = []
        for factors, number in self.terms:
            term = Size((((), number),))
            for factor in factors:
                term = product(term, _valued(factor, values))
            made += term.terms
        return total(made)

    def plain(self) -> int | str:
        """Return it as a trace holds it: the whole number that it is, or else its canonical text."""
        if all(not factors for factors, _ in self.terms):
            return sum(number for _, number in self.terms)
        text = "".join(_write(factors, number) for factors, number in self.terms)
        return text.removeprefix("+")


def _write(factors: tuple[str, ...], number: int) -> str:
    sign = "-" if number < 0 else "+"
    if not factors:
        return sign + str(abs(number))
    if len(factors) == 1 and number == 1:  # only a factor among others needs brackets
        return sign + factors[0]
    whole = [factor if NAME.fullmatch(factor) else f"({factor})" for factor in factors]
    return sign + "*".join([str(abs(number)), *whole] if abs(number) != 1 else whole)


def _valued(factor: str, values: Mapping[str, int]) -> Size:
    if NAME.fullmatch(factor):
        return total([((), values[factor])] if factor in values else [((factor,), 1)])
    inner, divisor = _parts(factor)
    return quotient(inner.put(values), divisor)


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[Size, int]:
    """Return what a quotient divides, and by what."""
    inner, _, divisor = text.rpartition("//")
    return parse(inner), int(divisor)


def total(terms: Iterable[tuple[tuple[str, ...], int]]) -> Size:
    """Add up products of names and a number each."""
    sums: dict[tuple[str, ...], int] = {}
    for names, number in terms:
        key = tuple(sorted(names))
        sums[key] = sums.get(key, 0) + number
    kept = [(names, number) for names, number in sums.items() if number]
    return Size(tuple(sorted(kept, key=lambda term: (-len(term[0]), term[0]))))


def product(left: Size, right: Size) -> Size:
    """Multiply two sizes.

    Raises
    ------
    TraceError
        If there is no end of what comes out.
    """
    if len(left.terms) * len(right.terms) > MOST_TERMS:
        raise TraceError(f"found a size of more than {MOST_TERMS} terms")
    return total(((*a, *b), m * n) for a, m in left.terms for b, n in right.terms)


def quotient(size: Size, divisor: int) -> Size:
    """Divide a size by a positive whole number, rounded down.

    What can be taken out is: of ``(2*h+w+5)//2`` remains ``h+(w+1)//2+2``; a quotient of a quotient is one.
    """
    out = [
        (factors, number // divisor) for factors, number in size.terms if factors and number % divisor == 0
    ]
    rest = [(factors, number) for factors, number in size.terms if factors and number % divisor]
    constant = sum(number for factors, number in size.terms if not factors)
    out.append(((), constant // divisor))
    constant %= divisor
    shared = math.gcd(divisor, *(number for _, number in rest))
    if not rest or shared == divisor:
        return total(out)
    rest, constant, divisor = [(f, n // shared) for f, n in rest], constant // shared, divisor // shared
    factors, number = rest[0]
    if len(rest) == len(factors) == number == 1 and not NAME.fullmatch(factors[0]):
        inner, by = _parts(factors[0])
        nested = quotient(total([*inner.terms, ((), constant * by)]), divisor * by)
        return total([*out, *nested.terms])
    text = str(total([*rest, ((), constant)]).plain())
    divided = text if NAME.fullmatch(text) else f"({text})"
    return total([*out, ((f"{divided}//{divisor}",), 1)])


@lru_cache(maxsize=4096)
def parse(text: str) -> Size:
    """Read a size.

    Raises
    ------
    TraceError
        If the text is no size.
    """
    if len(text) > LONGEST:
        raise TraceError(f"found a size of {len(text)} characters, expected at most {LONGEST}")
    return _Reading(text).whole()


class _Reading:
    """Reads the text of a size from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.depth = 0
        self.tokens: list[str] = []
        at = 0
        while at < len(text.rstrip(" ")):
            found = _TOKEN.match(text, at)
            if found is None:
                raise self.wrong()
            self.tokens.append(found[0].strip(" "))
            at = found.end()
        self.tokens.reverse()

    def wrong(self) -> TraceError:
        """Make the error of a text that is no size."""
        mend = (
            "whole numbers and names added, multiplied, or divided by a number, "
            "such as 'kv+seq', '32*seq' or '(height+1)//2'"
        )
        return TraceError(f"found '{self.text}', expected a size", mend=mend)

    def whole(self) -> Size:
        """Read all of it."""
        size = self.sum()
        if self.tokens:
            raise self.wrong()
        return size

    def taken(self, *signs: str) -> str:
        """Take the next token if it is one of these."""
        return self.tokens.pop() if self.tokens and self.tokens[-1] in signs else ""

    def sum(self) -> Size:
        """Read products, added or taken off; a sign that the first begins with is its first factor's."""
        terms = list(self.product(-1 if self.taken("+", "-") == "-" else 1).terms)
        while sign := self.taken("+", "-"):
            factor = -1 if sign == "-" else 1
            terms += [(names, factor * number) for names, number in self.product().terms]
        return total(terms)

    def product(self, sign: int = 1) -> Size:
        """Read factors and divisors; what divides stands behind all that it divides."""
        made = product(total([((), sign)]), self.factor())
        while operator := self.taken("*", "//"):
            if operator == "*":
                made = product(made, self.factor())
                continue
            divisor = self.tokens.pop() if self.tokens else ""
            if not divisor.isdigit() or int(divisor[:11]) == 0:
                raise self.wrong()
            made = quotient(made, self.number(divisor))
        if any(abs(number) > LARGEST for _, number in made.terms):
            raise TraceError(f"found '{self.text}', expected numbers up to {LARGEST}")
        return made

    def factor(self) -> Size:
        """Read a number, a name, or a size in brackets."""
        token = self.tokens.pop() if self.tokens else ""
        if token.isdigit():
            return total([((), self.number(token))])
        if NAME.fullmatch(token):
            return total([((token,), 1)])
        self.depth += 1
        if token != "(" or self.depth > DEEPEST:
            raise self.wrong()
        made = self.sum()
        if not self.taken(")"):
            raise self.wrong()
        self.depth -= 1
        return made

    def number(self, digits: str) -> int:
        """Return what digits say.

        Raises
        ------
        TraceError
            If that is too large.
        """
        number = int(digits) if len(digits) <= 10 else LARGEST + 1
        if number > LARGEST:
            raise TraceError(f"found '{self.text}', expected numbers up to {LARGEST}")
        return number


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
