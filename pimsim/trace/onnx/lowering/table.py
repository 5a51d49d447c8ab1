"""The table of nodes that are replaced, by type: a new one is a function with its type's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pimsim.trace.onnx.piece import OnnxMaker

Expansion = Callable[[OnnxMaker], "list[Any] | None"]
"""Makes the pieces of a node, or returns nodes to go through; None if the node may stay as it is."""

EXPANSIONS: dict[str, Expansion] = {}


def expands(*types: str) -> Callable[[Expansion], Expansion]:
    """Return the decorator that puts a function into the table; types of other domains begin with theirs."""

    def register(expansion: Expansion) -> Expansion:
        EXPANSIONS.update(dict.fromkeys(types, expansion))
        return expansion

    return register
