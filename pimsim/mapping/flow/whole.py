"""Ops that are done as a whole: all positions in one firing, once all of the inputs are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pimsim.mapping.flow.dataflow import Edge, Node
from pimsim.mapping.flow.fused import Chain, fused
from pimsim.mapping.flow.growth import Growth
from pimsim.mapping.flow.layout import Layout


def wholly(programs: Sequence[list[Node]], which: Sequence[bool]) -> list[list[Node]]:
    """Return data flows in which some ops fire once and put out all that they make in one token.

    An output of the model that such an op makes leaves in one piece, too.

    Parameters
    ----------
    programs : sequence of list of Node
        The data flows: the same ops in the same order.
    which : sequence of bool
        Of each op, whether it is one of them.
    """
    return [_wholly(nodes, which) for nodes in programs]


def grown_wholly(growth: Growth, which: Sequence[bool], chains: Sequence[Chain] = ()) -> Growth:
    """Return how the same data flow grows with the tokens in a cache, chains in one kernel each."""
    low, high = (fused(_wholly(nodes, which), nodes, chains) for nodes in (growth.low, growth.high))
    return replace(growth, low=low, high=high)


def _wholly(nodes: Sequence[Node], which: Sequence[bool]) -> list[Node]:
    found: list[Node] = []
    for node, own in zip(nodes, which, strict=True):
        made_so = [which[edge.source] for edge in node.edges]
        if own or (node.type == "Output" and all(made_so)):
            found.append(_once(node, [_at_once(edge, nodes[edge.source], which) for edge in node.edges]))
        elif any(made_so):
            edges = [_of_one(edge, nodes[edge.source]) if which[edge.source] else edge for edge in node.edges]
            found.append(replace(node, edges=edges))
        else:
            found.append(node)
    return found


def _once(node: Node, edges: list[Edge]) -> Node:
    """Return a node that does all of its positions in one firing, and puts out one token, if any."""
    features = node.features * (node.tokens or node.positions)
    return replace(
        node,
        positions=1,
        features=features,
        tokens=min(1, node.tokens),
        token=np.array([min(1, node.tokens) - 1], dtype=np.int64),
        work=node.work * node.positions,
        layout=Layout((features,), ()),
        edges=edges,
        scores=None,
    )


def _at_once(edge: Edge, source: Node, which: Sequence[bool]) -> Edge:
    """Return an edge that brings all tokens before the one firing; of a source that does the same there is one."""
    tokens, whole = source.tokens, which[edge.source]
    return Edge(
        edge.source,
        need=np.array([1 if whole else tokens], dtype=np.int64),
        low=np.zeros(1, dtype=np.int64),
        reads=edge.features * tokens,
        features=edge.features * (tokens if whole else 1),
        piece=edge.piece,
        cached=edge.cached,
        seen=edge.seen,
        bits=edge.bits,
    )


def _of_one(edge: Edge, source: Node) -> Edge:
    """Return an edge whose source puts out one token for all that there were."""
    return replace(
        edge,
        need=np.minimum(edge.need, 1),
        low=np.zeros_like(edge.low),
        features=edge.features * source.tokens,
        window=None,
        order=None,
        evenly=False,
        unrolled=False,
    )
