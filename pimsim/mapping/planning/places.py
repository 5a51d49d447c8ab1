"""The places that streams need at least: the data flow is played without time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import eager
from pimsim.mapping.flow.layout import Table
from pimsim.mapping.planning.kind import Kind


def places_of(nodes: list[Node], ahead: Table, kinds: Mapping[str, Kind]) -> list[list[int]]:
    """Return the places that each edge of each node needs, by the token game.

    Where a right matrix may be written into arrays, all of it comes before its first row.

    Parameters
    ----------
    nodes : list of Node
        A data flow.
    ahead : int64, shape (nodes,)
        Tokens that each may be ahead of what is demanded.
    kinds : mapping of str to Kind
        What the chip's sites do.
    """
    from pimsim_core.token_game import play

    may_write = any(kind.product_policy != "digital" for kind in kinds.values())
    edges = [edge for node in nodes for edge in node.edges]
    sizes = [len(edge.need) for edge in edges]
    emitted = [np.cumsum(node.token >= 0) for node in nodes]
    most = play(
        np.array([node.positions for node in nodes], dtype=np.int64),
        np.cumsum([0, *(len(node.edges) for node in nodes)]).astype(np.int32),
        np.array([edge.source for edge in edges], dtype=np.int32),
        np.array([nodes[edge.source].tokens for edge in edges], dtype=np.int64),
        np.concatenate([edge.at_once if may_write else edge.need for edge in edges]),
        np.concatenate([edge.low for edge in edges]),
        np.cumsum([0, *sizes[:-1]]).astype(np.int64),
        np.concatenate(emitted),
        np.cumsum([0, *(len(each) for each in emitted[:-1])]).astype(np.int64),
        ahead,
        eager(nodes),
        2,
    )
    found = iter(most.tolist())
    return [[max(1, next(found)) for _ in node.edges] for node in nodes]
