"""The places that streams need at least: the data flow is played without time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import eager
from pimsim.mapping.flow.layout import Table
from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.ports import own_token
from pimsim.mapping.planning.stripes import are_striped


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


def works_apart(node: Node, site: str | None, kinds: Mapping[str, Kind]) -> bool:
    """Whether copies of an op work side by side: they take stripes, and their sites' slots do not take turns."""
    return are_striped(node) and (site is None or not kinds[site].in_turn)


def wanted_of(
    nodes: list[Node],
    least: Sequence[Sequence[int]],
    ahead: Table,
    apart: Sequence[bool],
    kinds: Mapping[str, Kind],
) -> list[list[int]]:
    """Return the places that keep a pipeline going: for every copy's next firing, and every result under way.

    Who may run ahead can hold less of one input than who waits for another one, so never less than the least. Copies
    with streams of their own do not wait for one another, so there the least and what is under way, before them or in
    all of them, are enough.

    Parameters
    ----------
    nodes : list of Node
        A data flow.
    least : sequence of sequence of int
        `places_of` it, with nothing ahead.
    ahead : int64, shape (nodes,)
        Tokens of each that may be under way.
    apart : sequence of bool
        Whether each has several copies that work side by side.
    kinds : mapping of str to Kind
        What the chip's sites do.
    """
    return [
        [
            (few if len(node.edges) == 1 else max(few, places)) + int(max(ahead[edge.source], ahead[n]))
            if stripes and own_token(edge)
            else max(few, places + int(ahead[edge.source]))
            for few, places, edge in zip(fewest, row, node.edges, strict=True)
        ]
        for n, (fewest, row, node, stripes) in enumerate(
            zip(least, places_of(nodes, ahead, kinds), nodes, apart, strict=True)
        )
    ]
