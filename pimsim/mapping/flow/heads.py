"""Attention by heads: a head's queries, keys, values and scores meet in one tile and go nowhere else.

Ops whose tokens are rows of several heads, from the products back to what feeds them with no other op between, are
one group. It is cut into slices of its heads, as many as there are heads to share; a slice of each op works on its
heads of every token, all on the tile of the slice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pimsim.mapping.flow.dataflow import Node


@dataclass(frozen=True, slots=True)
class Group:
    """Ops that are cut by heads together.

    Parameters
    ----------
    members : tuple of int
        Numbers of the nodes, in order.
    slices : int
        How many slices of heads there can be: the greatest common divisor of the members' heads.
    """

    members: tuple[int, ...]
    slices: int


def eager(nodes: Sequence[Node]) -> npt.NDArray[np.int64]:
    """Return 1 for each op that should not wait until its output is needed, so that tokens wait where they are used.

    A product waits for all keys before it takes its first query. Queries that wait at the heads' tiles are spread over
    them; before the layer that makes them they would all be in one buffer. So with keys and values.
    """
    found = np.zeros(len(nodes), dtype=np.int64)
    readers: list[list[int]] = [[] for _ in nodes]
    for n, node in enumerate(nodes):
        for edge in node.edges:
            readers[edge.source].append(n)
    for n in reversed(range(len(nodes))):
        node = nodes[n]
        own = np.arange(node.positions)
        apart = bool(node.edges) and np.array_equal(node.token, own)
        apart = apart and all(np.array_equal(edge.need, own + 1) for edge in node.edges)
        wanted = bool(readers[n]) and all(found[r] or nodes[r].right is not None for r in readers[n])
        found[n] = apart and wanted and node.right is None
    return found


def groups_of(nodes: Sequence[Node]) -> list[Group]:
    """Return the groups that hold a product of two activations, in order."""
    leader = list(range(len(nodes)))

    def find(n: int) -> int:
        while leader[n] != n:
            leader[n] = leader[leader[n]]
            n = leader[n]
        return n

    by_heads = [not node.on_arrays and node.layout.heads > 0 and node.type != "Output" for node in nodes]
    for n, node in enumerate(nodes):
        for edge in node.edges if by_heads[n] else ():
            if by_heads[edge.source]:
                leader[find(n)] = find(edge.source)
    members: dict[int, list[int]] = {}
    for n in range(len(nodes)):
        if by_heads[n]:
            members.setdefault(find(n), []).append(n)
    groups = [
        Group(tuple(group), math.gcd(*(heads for n in group for heads in _heads(nodes[n]))))
        for group in members.values()
        if any(nodes[n].right is not None for n in group)
    ]
    return sorted(groups, key=lambda group: group.members)


def slices_of(group: Group, tiles: int) -> int:
    """Return in how many slices a group is cut: as many as there are, if there are tiles for them."""
    return next(d for d in range(min(group.slices, tiles), 0, -1) if group.slices % d == 0)


def _heads(node: Node) -> Iterator[int]:
    """Yield the heads of a node's rows and, where several of those share keys or values, of the right matrix."""
    yield node.layout.heads
    if node.right is not None:
        yield right_heads(node)


def right_heads(node: Node) -> int:
    """Return how many different right matrices an image of a product has: one a head, unless heads share them."""
    right, op = node.right, node.op
    assert right is not None
    assert op is not None
    if right.across is None:
        return node.layout.heads
    depth = op.inputs[1].tensor.shape[-2 if right.across else -1]
    return max(1, right.features // depth)
