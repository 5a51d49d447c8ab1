"""Changing what a file holds at random: its bytes, its text, or the values in it."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

ODD_NUMBERS = (
    *(0, -1, 1, 2, 3, 7, 255, 256, 65536, 10**6, 10**9, 2**31, 2**53, 2**63 - 1, 2**63, 10**20, 10**400),
    *(0.0, -0.0, 0.5, 1.5, -2.5, 1e-320, 1e-30, 1e-9, 1e9, 1e18, 1e30, 1e300, float("nan"), float("inf")),
)
ODD_TEXTS = ("", " ", "\ud800", "\x00", "\x1b[31m", "é", "x" * 200, "[bold]", "1e5", "null", "-", "a.b", "\n")
FRAGMENTS = (
    *(b"9" * 5000, b"1e999", b"NaN", b"-Infinity", b"null", b"{}", b"[]", b"[" * 2000, b"\\ud800", b"\x00"),
    *(
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b'"' + b"a" * 140_000 + b'"',
        b",,,,",
        b"\t",
        b"\r",
        b": ",
        b"- ",
        b"&a ",
        b"*a",
    ),
)


def any_value(rng: Random, depth: int = 2) -> Any:
    """Return a value of any type that JSON has."""
    kind = rng.randrange(8 if depth else 6)
    if kind == 6:
        return [any_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 7:
        return {rng.choice(ODD_TEXTS): any_value(rng, depth - 1) for _ in range(rng.randrange(4))}
    if kind < 2:
        return rng.choice(ODD_NUMBERS)
    if kind == 2:
        return rng.choice((None, True, False))
    return rng.choice(ODD_TEXTS) if kind == 3 else rng.randint(-3, 9) if kind == 4 else rng.uniform(-2, 10)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return all paths into nested lists and dictionaries, the empty one first."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(deeper for key, child in children for deeper in places(child, (*path, key)))]


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """Return what stands at a path."""
    for key in path:
        value = value[key]
    return value


def changed_value(rng: Random, value: Any) -> Any:
    """Return a value like another one: a number of another size, a text cut short, or of another type."""
    if isinstance(value, bool) or rng.random() < 0.4:
        return any_value(rng)
    if isinstance(value, int):
        return rng.choice(
            (
                value + 1,
                value - 1,
                -value,
                value * 1000,
                value // 2,
                float(max(min(value, 10**300), -(10**300))),
                0,
            )
        )
    if isinstance(value, float):
        return rng.choice(
            (-value, value * 1e6, value * 1e-6, value * rng.uniform(0, 4), round(value, 0), 0.0)
        )
    if isinstance(value, str):
        return rng.choice((value[: len(value) // 2], value + rng.choice(ODD_TEXTS), value.upper()))
    return any_value(rng)


def changed_tree(rng: Random, tree: Any, most: int = 3) -> Any:
    """Return nested lists and dictionaries with values changed, removed, added, doubled or exchanged."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, most)):
        found = places(tree)[1:]
        if not found:
            return any_value(rng)
        path = rng.choice(found)
        parent, key = at(tree, path[:-1]), path[-1]
        action = rng.randrange(8)
        if action < 4:
            parent[key] = changed_value(rng, parent[key])
        elif action == 4:
            del parent[key]
        elif action == 5:
            parent[key] = copy.deepcopy(at(tree, rng.choice(found)))
        elif isinstance(parent, list):
            parent.insert(key, copy.deepcopy(rng.choice(parent)))
        else:
            parent[rng.choice((*parent, *ODD_TEXTS))] = any_value(rng)
    return tree


def changed_bytes(rng: Random, raw: bytes, most: int = 4) -> bytes:
    """Return bytes with some exchanged, cut out, doubled, or with odd ones put between."""
    data = bytearray(raw)
    for _ in range(rng.randint(1, most)):
        place = rng.randrange(len(data) + 1)
        length = rng.choice((0, 1, 1, 2, 8, 64, len(data)))
        action = rng.randrange(5)
        if action == 0:
            data[place : place + length] = rng.randbytes(rng.randrange(5))
        elif action == 1:
            data[place:place] = rng.choice(FRAGMENTS)
        elif action == 2:
            data[place : place + length] = rng.choice(FRAGMENTS)
        elif action == 3:
            data[place:place] = data[place : place + length]
        elif data:
            data[place % len(data)] ^= 1 << rng.randrange(8)
    return bytes(data)
