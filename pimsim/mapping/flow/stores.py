"""Maps that lie elsewhere than at the op that reads them: in several buffers, which send what each firing needs.

What a layer on arrays reads waits beside its arrays, as long as there is room. Where there is not, a store stands
before the layer: a node that holds the map in buffers of other tiles and puts out, for each firing, what that reads.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from pimsim.mapping.flow.dataflow import Edge, Node
from pimsim.mapping.flow.layout import Layout

STORE = "Store"
"""The type of such a node: it does no work but reading its buffer."""


def with_stores(nodes: Sequence[Node], before: Collection[int]) -> list[Node]:
    """Return a data flow with a store before each of some ops, which have one input each.

    Parameters
    ----------
    nodes : sequence of Node
        A data flow.
    before : collection of int
        Numbers of the ops.
    """
    found: list[Node] = []
    number: list[int] = []  # of each node, in what is returned
    for n, node in enumerate(nodes):
        edges = [replace(edge, source=number[edge.source]) for edge in node.edges]
        if n in before:
            (edge,) = edges
            found.append(_store(node, edge))
            edges = [_from_store(len(found) - 1, edge)]
        number.append(len(found))
        found.append(replace(node, edges=edges))
    return found


def _store(node: Node, edge: Edge) -> Node:
    count = node.positions
    each, layout = np.arange(count, dtype=np.int64), Layout((count, edge.reads), (0,))
    return Node(
        f"{node.name} (input)", STORE, None, count, edge.reads, count, each, 0.0, layout, [edge], node.expert,
        bits=edge.bits,
    )  # fmt: skip


def _from_store(store: int, edge: Edge) -> Edge:
    """A token for each firing: all that it reads."""
    each = np.arange(len(edge.need), dtype=np.int64)
    return Edge(store, each + 1, each, edge.reads, edge.reads, unrolled=True, bits=edge.bits)
