"""A curve through all places of a rectangle that stays near where it has been, for any width and height.

A rectangle is cut into parts that the curve goes through one after another: two halves where it is much longer than
wide, else three, so that it leaves the last one at the other end of the side where it came in. For a square of a power
of two this is Hilbert's curve (Math. Ann. 38, 1891); for others, Cerveny's generalization of it (gilbert, 2018).
Parts of even lengths keep steps between them to the next place; some rectangles have one diagonal step.
"""

from __future__ import annotations

from collections.abc import Iterator

Place = tuple[int, int]


def curve(wide: int, high: int) -> list[Place]:
    """Return all (x, y) of a rectangle in the order of the curve."""
    along, across = ((wide, 0), (0, high)) if wide >= high else ((0, high), (wide, 0))
    return list(_walk((0, 0), along, across))


def _walk(start: Place, along: Place, across: Place) -> Iterator[Place]:
    """Go through a rectangle from a corner: along one side, and across the other."""
    (x, y), (ax, ay), (bx, by) = start, along, across
    long, short = abs(ax + ay), abs(bx + by)
    step, side = (_sign(ax), _sign(ay)), (_sign(bx), _sign(by))
    if short == 1 or long == 1:
        count, (dx, dy) = (long, step) if short == 1 else (short, side)
        yield from ((x + n * dx, y + n * dy) for n in range(count))
        return
    half, part = (_half(ax), _half(ay)), (_half(bx), _half(by))
    if 2 * long > 3 * short:
        if abs(half[0] + half[1]) % 2 and long > 2:
            half = half[0] + step[0], half[1] + step[1]
        yield from _walk(start, half, across)
        yield from _walk((x + half[0], y + half[1]), (ax - half[0], ay - half[1]), across)
        return
    if abs(part[0] + part[1]) % 2 and short > 2:
        part = part[0] + side[0], part[1] + side[1]
    yield from _walk(start, part, half)
    yield from _walk((x + part[0], y + part[1]), along, (bx - part[0], by - part[1]))
    corner = x + (ax - step[0]) + (part[0] - side[0]), y + (ay - step[1]) + (part[1] - side[1])
    yield from _walk(corner, (-part[0], -part[1]), (-(ax - half[0]), -(ay - half[1])))


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _half(number: int) -> int:
    """Half a signed length, rounded down."""
    return _sign(number) * (abs(number) // 2)
