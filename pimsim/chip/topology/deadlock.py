"""Can packets wait for one another in a circle? The channel dependency graph of Dally and Seitz (1987)."""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from networkx import Graph

Lane = tuple[str, str, int]


def circle(graph: Graph[str]) -> list[Lane] | None:
    """Return a circle of links, each held by a packet that may wait for the next, or None if there is none.

    Parameters
    ----------
    graph : networkx.Graph
        A network, as `Topology.graph` returns it; all routes between its tiles are followed.

    Returns
    -------
    list of (str, str, int), or None
        From node, to node, class of virtual channels.
    """
    import networkx

    topology = graph.graph["topology"]
    ends = [node for node, data in graph.nodes(data=True) if data["kind"] != "router"]
    waits: networkx.DiGraph[Lane] = networkx.DiGraph()
    for source, target in permutations(ends, 2):
        for choice in range(topology.choices(graph, source, target)):
            path = topology.route(graph, source, target, choice)
            links = [(a, b) for a, b in pairwise(path)]
            lanes = [(a, b, vcs) for (a, b), vcs in zip(links, topology.classes(path), strict=True)]
            waits.add_edges_from(pairwise(lanes))
    try:
        return [edge[0] for edge in networkx.find_cycle(waits)]
    except networkx.NetworkXNoCycle:
        return None


def waits_of(lanes: list[Lane]) -> str:
    """Write a circle as ``r0->r1 waits for r1->r2 waits for … r0->r1``."""
    names = [f"{a}->{b}" for a, b, _ in lanes]
    shown = names if len(names) <= 8 else [*names[:7], "…"]
    return " waits for ".join([*shown, names[0]])
