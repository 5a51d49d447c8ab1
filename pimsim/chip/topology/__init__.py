"""The shapes of a network on chip; a new one is one file and one entry point of ``pimsim.topologies``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pimsim.chip.topology.base import Topology, router, tile

if TYPE_CHECKING:
    from networkx import Graph


def route(graph: Graph[str], source: str, target: str, choice: int = 0) -> list[str]:
    """Return the nodes from one tile or router of a network to another, both included."""
    topology: Topology = graph.graph["topology"]
    return topology.route(graph, source, target, choice)


__all__ = ["Topology", "route", "router", "tile"]
