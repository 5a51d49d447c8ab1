"""Sums over rows of a result."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

Key = tuple[Any, ...]


def sum_by(rows: Iterable[Mapping[str, Any]], keys: tuple[str, ...], value: str = "fs") -> dict[Key, int]:
    """Return the sum of `value` over rows that agree in `keys`, the largest first."""
    sums: dict[Key, int] = defaultdict(int)
    for row in rows:
        sums[tuple(row[key] for key in keys)] += row[value]
    return dict(sorted(sums.items(), key=lambda item: (-abs(item[1]), tuple(map(str, item[0])))))


def differences(
    a: Iterable[Mapping[str, Any]], b: Iterable[Mapping[str, Any]], keys: tuple[str, ...], value: str = "fs"
) -> list[dict[str, Any]]:
    """Return what `b` has more than `a`, by keys, as rows, the largest movers first; equal ones are left out."""
    before, after = sum_by(a, keys, value), sum_by(b, keys, value)
    rows = [
        {**dict(zip(keys, key, strict=True)), value: after.get(key, 0) - before.get(key, 0)}
        for key in {**before, **after}
    ]
    moved = [row for row in rows if row[value]]
    return sorted(moved, key=lambda row: (-abs(row[value]), tuple(str(row[key]) for key in keys)))
