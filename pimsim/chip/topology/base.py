"""What every topology has in common: a networkx graph of routers and tiles, and a route between two nodes.

Nodes are strings, ``r0``, ``r1``, … for routers and ``t0``, ``t1``, … for tiles. A node has ``kind``
(``"router"`` or ``"tile"``) and ``index``; routers of a topology with dimensions have ``x`` and ``y``.
An edge has ``kind``: ``"link"`` between routers, ``"port"`` between a router and a tile. Nodes and edges
are added in a fixed order, so every walk over the graph is deterministic.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pimsim.chip.parts.base import Model

if TYPE_CHECKING:
    from networkx import Graph

Side = Annotated[int, Field(ge=1, le=1000)]
MAX_ROUTERS = 1_000_000


def router(index: int) -> str:
    """Return the node of a router."""
    return f"r{index}"


def tile(index: int) -> str:
    """Return the node of a tile."""
    return f"t{index}"


class Topology(Model):
    """The shape of a network; a subclass has the parameters, counts, graph and routes of one kind."""

    deadlock_free: ClassVar[str]
    """Why routes of this kind cannot wait for one another in a circle."""

    @property
    @abstractmethod
    def places(self) -> int:
        """Tiles that can be attached."""

    @property
    @abstractmethod
    def routers(self) -> int:
        """Routers."""

    @property
    @abstractmethod
    def ports(self) -> int:
        """Ports of a router, all built like the one that needs most."""

    @abstractmethod
    def graph(self, tiles: int) -> Graph[str]:
        """Return the graph with the first `tiles` places taken."""

    @abstractmethod
    def route(self, graph: Graph[str], source: str, target: str) -> list[str]:
        """Return the nodes from `source` to `target`, both included; either may be a tile or a router."""

    def new_graph(self) -> Graph[str]:
        """Return an empty graph that remembers its topology, for `route`."""
        import networkx

        return networkx.Graph(topology=self)


def attached(graph: Graph[str], node: str) -> str:
    """Return the router of a tile, or the router itself."""
    if graph.nodes[node]["kind"] == "router":
        return node
    return next(iter(graph.adj[node]))


def with_ends(path: list[str], source: str, target: str) -> list[str]:
    """Complete a path of routers with the tiles at its ends."""
    if source == target:
        return [source]
    start = [] if path[0] == source else [source]
    end = [] if path[-1] == target else [target]
    return [*start, *path, *end]


def add_tile(graph: Graph[str], index: int, at: int) -> None:
    """Attach a tile to a router."""
    graph.add_node(tile(index), kind="tile", index=index)
    graph.add_edge(router(at), tile(index), kind="port")
