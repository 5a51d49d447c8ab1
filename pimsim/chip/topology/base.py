"""What every topology has in common: a networkx graph of routers and tiles, and routes between two nodes.

Nodes are strings, ``r0``, ``r1``, … for routers and ``t0``, ``t1``, … for tiles. A node has ``kind``
(``"router"`` or ``"tile"``) and ``index``; routers of a topology with dimensions have ``x`` and ``y``.
An edge has ``kind``: ``"link"`` between routers, ``"port"`` between a router and a tile, and may have ``cycles``, its
own delay. Nodes and edges are added in a fixed order, so every walk over the graph is deterministic.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pimsim.chip.base import Model

if TYPE_CHECKING:
    from networkx import Graph
    from pydantic import ValidationError

Side = Annotated[int, Field(ge=1, le=1000)]
MAX_ROUTERS = 1_000_000

ANY, LOWER, UPPER = 0, 1, 2
"""Which virtual channels of a link a route may use: all, the lower half (the larger one), or the upper half."""


def router(index: int) -> str:
    """Return the node of a router."""
    return f"r{index}"


def tile(index: int) -> str:
    """Return the node of a tile."""
    return f"t{index}"


class Topology(Model):
    """The shape of a network; a subclass has the parameters, counts, graph and routes of one kind."""

    plugs: ClassVar[str] = "topologies"
    deadlock_free: ClassVar[str]
    """Why routes of this kind cannot wait for one another in a circle."""
    turns_off: ClassVar[bool] = True
    """Whether a packet can leave the network at any router on its way."""
    spec: ClassVar[str] = ""
    """An example of how it is typed, such as ``mesh:8x8``; empty if it is not."""
    numbers: ClassVar[tuple[str, ...]] = ()
    """The fields that the numbers of `spec` are, in their order."""

    kind: str

    @property
    def vcs_needed(self) -> int:
        """Virtual channels without which that does not hold."""
        return 1

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
    def route(self, graph: Graph[str], source: str, target: str, choice: int = 0) -> list[str]:
        """Return the nodes from `source` to `target`, both included; either may be a tile or a router.

        Where several routes are as good, `choice` (any whole number from 0) picks one: modulo `choices`.
        """

    def choices(self, graph: Graph[str], source: str, target: str) -> int:
        """Return how many routes `choice` picks from."""
        return 1

    def classes(self, path: list[str]) -> list[int]:
        """Return which virtual channels each link of a route may use: `ANY`, `LOWER` or `UPPER`."""
        return [ANY] * (len(path) - 1)

    def neighbours(self, graph: Graph[str], node: str) -> list[str]:
        """Return what a router is joined to, in the order of its ports."""
        import networkx

        return list(dict.fromkeys(networkx.all_neighbors(graph, node)))

    def attach(self, graph: Graph[str], node: str, index: int, at: int, kind: str = "tile") -> None:
        """Attach a tile, or a gateway to the links that leave the chip, to a router."""
        graph.add_node(node, kind=kind, index=index)
        graph.add_edge(router(at), node, kind="port")
        graph.graph["attached"][node] = router(at)

    def new_graph(self, *, directed: bool = False) -> Graph[str]:
        """Return an empty graph that remembers its topology, for `route`."""
        import networkx

        made = networkx.DiGraph if directed else networkx.Graph
        return made(topology=self, attached={})


def attached(graph: Graph[str], node: str) -> str:
    """Return the router of a tile (the one that it sends to), or the router itself."""
    at: str = graph.graph["attached"].get(node, node)
    return at


def with_ends(path: list[str], source: str, target: str) -> list[str]:
    """Complete a path of routers with the tiles at its ends."""
    if source == target:
        return [source]
    start = [] if path[0] == source else [source]
    end = [] if path[-1] == target else [target]
    return [*start, *path, *end]


def describe(error: ValidationError) -> str:
    """Say in a line what is first wrong with a topology that was refused."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "chip":
        return first["msg"]
    if first["type"] == "union_tag_invalid":
        return f"found kind '{first['ctx']['tag']:.40}', expected one of: {first['ctx']['expected_tags']}"
    words = first["msg"].replace("Input should be ", "").replace("greater than or equal to", "at least")
    return f"found {first['input']!r:.40}, expected {words.replace('less than or equal to', 'at most')}"
