"""Expressions of symbols that have given values at given points.

What a size can be is little: a multiple of what it depends on, one seen before, a sum or a product of two, a quotient
rounded down. What fits all points is taken, the simplest first; where several quotients do, that is kept as a doubt, to
be settled by another point.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pimsim.errors import TraceError
from pimsim.trace.symbols import Size, product, quotient, total

Vector = tuple[int, ...]
"""Values of one size, one at each point."""
_DIVISORS = (
    *range(2, 65),
    80,
    96,
    100,
    120,
    128,
    147,
    160,
    192,
    200,
    240,
    256,
    320,
    400,
    441,
    480,
    512,
    640,
    1024,
)
_DIVISOR = re.compile(r"//(\d+)")
_MOST = 60  # sizes that are tried in pairs


@dataclass(frozen=True, slots=True)
class Doubt:
    """A quotient ``(number * size + r) // divisor`` where several r fit all points.

    Parameters
    ----------
    size : Size
        What is divided.
    number, divisor : int
        Of the quotient.
    low, high : int
        The least and the largest r.
    """

    size: Size
    number: int
    divisor: int
    low: int
    high: int

    def split(self, values: Mapping[str, int]) -> float:
        """Return the share of the r that give more than the least does where symbols have these values."""
        inner = self.size.put(values).plain()
        assert isinstance(inner, int)
        wanted = (
            self.divisor - (self.number * inner + self.low) % self.divisor
        )  # so much more, and it is one more
        count = self.high - self.low + 1
        return max(0, count - wanted) / count


class Fits:
    """Finds expressions.

    Parameters
    ----------
    points : sequence of mapping
        Values of all symbols, at each point others.

    Attributes
    ----------
    known : dict
        What was found, by its values.
    doubts : list of Doubt
        Where more points would tell more.
    odd : bool
        Whether there is a quotient of a multiple: it may be a near miss that only shows far away.
    """

    def __init__(self, points: Sequence[Mapping[str, int]]) -> None:
        self.points = points
        self.doubts: list[Doubt] = []
        self.odd = False
        self.known: dict[Vector, Size] = {}
        for name in points[0]:
            self._keep(total([((name,), 1)]))

    def values(self, size: Size) -> Vector:
        """Return the values of a size."""
        return tuple(int(size.put(point).plain()) for point in self.points)

    def find(self, values: Vector, near: Sequence[Size] = (), guesses: Iterable[Size] = ()) -> Size | None:
        """Return the size that has these values; None if there is none.

        Parameters
        ----------
        values : tuple of int
            One at each point.
        near : sequence of Size
            What it depends on, as far as that is known.
        guesses : iterable of Size
            What it may be by a rule.
        """
        if len(set(values)) == 1:
            return total([((), values[0])])
        size = next((each for each in guesses if self.values(each) == values), None)
        size = size or next(
            (each for one in near if (each := _multiple(values, self.values(one), one))), None
        )
        size = size or self.known.get(values) or self._made(values, near)
        if size is None or self.values(size) != values:
            return None
        self.known.setdefault(values, size)
        return size

    def _keep(self, size: Size) -> Size:
        return self.known.setdefault(self.values(size), size)

    def _made(self, values: Vector, near: Sequence[Size]) -> Size | None:
        """Try what it may be made of, the simplest first."""
        basis = {self.values(size): size for size in near}
        basis |= {vector: size for vector, size in self.known.items() if vector not in basis}
        few = dict(list(basis.items())[:_MOST])
        found = next(
            (each for vector, size in basis.items() if (each := _multiple(values, vector, size))), None
        )
        found = found or self._of_run(values, near)
        found = found or next(iter(_of_two(values, few)), None)
        return found or self._quotient(values, few)

    def _of_run(self, values: Vector, near: Sequence[Size]) -> Size | None:
        """Return a multiple of the product of sizes that stand side by side."""
        for first in range(len(near)):
            run = near[first]
            for size in near[first + 1 :]:
                try:
                    run = product(run, size)
                except TraceError:  # of too many terms
                    break
                found = _multiple(values, self.values(run), run)
                if found is not None:
                    return found
        return None

    def _quotient(self, values: Vector, basis: Mapping[Vector, Size]) -> Size | None:
        """Return a quotient, a multiple of one, or one with a multiple of what is divided beside it."""
        for more in (0, 1, -1):
            for vector, size in basis.items():
                rest = tuple(value - more * each for value, each in zip(values, vector, strict=True))
                found = self._divided(rest, vector, size)
                if found is not None:
                    beside = [(names, more * number) for names, number in size.terms]
                    return total([*found.terms, *beside])
        return None

    def _divided(self, values: Vector, vector: Vector, size: Size) -> Size | None:
        spread = max(vector) - min(vector)
        low, high = vector.index(min(vector)), vector.index(max(vector))
        if not spread:
            return None
        rate = (values[high] - values[low]) / spread
        before = {int(each) for one in self.known.values() for each in _DIVISOR.findall(str(one.plain()))}
        for divisor in (*sorted(before), *_DIVISORS):
            number = round(rate * divisor)
            if number and math.gcd(number, divisor) == 1:
                doubt = _rest(values, vector, Doubt(size, number, divisor, 0, 0))
                if doubt is not None:
                    self.odd |= abs(number) > 1
                    return self._settled(doubt)
            found = self._rounded(values, vector, size, divisor)
            if found is not None:
                return found
        return None

    def _rounded(self, values: Vector, vector: Vector, size: Size, divisor: int) -> Size | None:
        """Return a size rounded to whole multiples of a divisor, up or down, times a number, and a constant."""
        for more in (divisor - 1, 0):
            steps = tuple((each + more) // divisor for each in vector)
            rounded = quotient(total([*size.terms, ((), more)]), divisor)
            found = _multiple(values, steps, rounded)
            if found is not None:
                return found
        return None

    def _settled(self, doubt: Doubt) -> Size:
        if doubt.low < doubt.high:
            self.doubts.append(doubt)
        usual = (0, doubt.divisor - 1)  # rounded down, or up
        rest = next((each for each in usual if doubt.low <= each <= doubt.high), doubt.low)
        terms = [(names, doubt.number * number) for names, number in doubt.size.terms]
        return quotient(total([*terms, ((), rest)]), doubt.divisor)


def _multiple(values: Vector, vector: Vector, size: Size) -> Size | None:
    """Return ``c * size + d`` if it has the values."""
    other = next((n for n, each in enumerate(vector) if each != vector[0]), None)
    if other is None:
        return None
    factor = Fraction(values[other] - values[0], vector[other] - vector[0])
    shift = values[0] - factor * vector[0]
    fits = all(factor * each + shift == value for value, each in zip(values, vector, strict=True))
    if not fits or factor.denominator != 1 or shift.denominator != 1 or not factor:
        return None
    return total([*((names, int(factor) * n) for names, n in size.terms), ((), int(shift))])


def _of_two(values: Vector, basis: Mapping[Vector, Size]) -> Iterator[Size]:
    """Yield multiples of products of two, sums of two, and what is missing to a product."""
    rows = list(basis.items())
    for at, (vector, size) in enumerate(rows):
        left = tuple(value - each for value, each in zip(values, vector, strict=True))
        for other, second in rows[at:]:
            both = tuple(one * two for one, two in zip(vector, other, strict=True))
            found = _multiple(values, both, product(size, second)) if len(size.terms) < 9 else None
            if found is not None:
                yield found
            rest = _multiple(left, other, second)
            if rest is not None:
                yield total([*size.terms, *rest.terms])


def _rest(values: Vector, vector: Vector, doubt: Doubt) -> Doubt | None:
    """Return a quotient with the numbers that may stand in it so that it has the values; None if none may."""
    number, divisor = doubt.number, doubt.divisor
    least = [divisor * value - number * each for value, each in zip(values, vector, strict=True)]
    low, high = max(least), min(least) + divisor - 1
    return Doubt(doubt.size, number, divisor, low, high) if low <= high else None
