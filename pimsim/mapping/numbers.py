"""Whole numbers as short text, in their order: ``0-7,9,12-20/4`` is 0 to 7, 9, and each fourth one from 12 to 20."""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST = 10_000_000
"""Numbers that a text may stand for, and the largest of them."""

_RUN = re.compile(r"(\d{1,8})(?:-(\d{1,8})(?:/(\d{1,8}))?)?")


def to_text(numbers: Sequence[int]) -> str:
    """Write numbers as runs of equal steps; two numbers that are not neighbours stand alone."""
    parts: list[str] = []
    at = 0
    while at < len(numbers):
        end = at + 1
        step = numbers[end] - numbers[at] if end < len(numbers) else 0
        while step > 0 and end < len(numbers) and numbers[end] - numbers[end - 1] == step:
            end += 1
        if step == 1 or end - at > 2:
            parts.append(f"{numbers[at]}-{numbers[end - 1]}" + (f"/{step}" if step > 1 else ""))
        else:
            parts.append(str(numbers[at]))
            end = at + 1
        at = end
    return ",".join(parts)


def from_text(text: str) -> list[int]:
    """Return the numbers that a text stands for.

    Raises
    ------
    ValueError
        If it is none: says what was found and what was expected.
    """
    found: list[int] = []
    for part in text.split(",") if text else ():
        run = _RUN.fullmatch(part.strip())
        if run is None:
            raise ValueError(f"found {part.strip()!r:.40}, expected numbers such as 0-7,9,12-20/4")
        first, last, step = int(run[1]), int(run[2] or run[1]), int(run[3] or 1)
        if last < first or step < 1 or last > MOST:
            raise ValueError(f"found {part.strip()!r:.40}, expected a rising run of numbers up to {MOST}")
        found += range(first, last + 1, step)
        if len(found) > MOST:
            raise ValueError(f"found more than {MOST} numbers")
    return found
