"""Names that are not taken yet."""

from __future__ import annotations

from collections.abc import Container


def free(name: str, *taken: Container[str]) -> str:
    """Return a name that none of some holds, with a number behind it if need be."""
    number, found = 1, name
    while any(found in names for names in taken):
        number += 1
        found = f"{name}#{number}"
    return found
