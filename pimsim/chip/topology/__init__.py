"""The shapes of a network on chip; a new one is one file and one line in `AnyTopology`."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from pimsim.chip.topology.base import Topology, router, tile
from pimsim.chip.topology.butterfly import Butterfly
from pimsim.chip.topology.fattree import FatTree
from pimsim.chip.topology.free import FreeGraph
from pimsim.chip.topology.htree import HTree
from pimsim.chip.topology.mesh import CMesh, Mesh
from pimsim.chip.topology.package import Package
from pimsim.chip.topology.ring import Ring, Torus
from pimsim.chip.topology.star import Bus, Crossbar

if TYPE_CHECKING:
    from networkx import Graph

AnyTopology = (
    Mesh
    | CMesh
    | Torus
    | Ring
    | Crossbar
    | Bus
    | HTree
    | FatTree
    | Butterfly
    | FreeGraph
    | Package
)  # fmt: skip

TOPOLOGIES: dict[str, type[Topology]] = {
    get_args(shape.model_fields["kind"].annotation)[0]: shape for shape in get_args(AnyTopology)
}


def route(graph: Graph[str], source: str, target: str, choice: int = 0) -> list[str]:
    """Return the nodes from one tile or router of a network to another, both included."""
    topology: Topology = graph.graph["topology"]
    return topology.route(graph, source, target, choice)


__all__ = ["TOPOLOGIES", "AnyTopology", "Topology", "route", "router", "tile"]
