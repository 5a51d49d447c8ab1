"""Crossbar and bus: every tile one step from every other, apart or one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from pimsim.chip.topology.base import Topology, router, tile

if TYPE_CHECKING:
    from networkx import Graph


class Crossbar(Topology):
    """One switch that joins all tiles; transfers between different pairs go side by side.

    Parameters
    ----------
    nodes : int
        Tiles at most.
    """

    deadlock_free: ClassVar[str] = "every route is one step into the switch and one out of it"

    spec: ClassVar[str] = "crossbar:16"
    numbers: ClassVar[tuple[str, ...]] = ("nodes",)

    kind: Literal["crossbar"]
    nodes: Annotated[int, Field(ge=1, le=100_000)]

    @property
    def places(self) -> int:
        """Tiles that can be attached."""
        return self.nodes

    @property
    def routers(self) -> int:
        """Routers: the switch."""
        return 1

    @property
    def ports(self) -> int:
        """Ports of the switch."""
        return self.nodes

    def graph(self, tiles: int) -> Graph[str]:
        """Return the graph with the first `tiles` places taken."""
        graph = self.new_graph()
        graph.add_node(router(0), kind="router", index=0)
        for index in range(tiles):
            self.attach(graph, tile(index), index, at=0)
        return graph

    def route(self, graph: Graph[str], source: str, target: str, choice: int = 0) -> list[str]:
        """Return the nodes from `source` to `target`, through the switch."""
        if source == target:
            return [source]
        return list(dict.fromkeys([source, router(0), target]))


class Bus(Topology):
    """One shared medium: all transfers cross the link ``r0`` to ``r1``, one at a time.

    Parameters
    ----------
    nodes : int
        Tiles at most.
    """

    turns_off: ClassVar[bool] = False
    deadlock_free: ClassVar[str] = "every route enters at r0 and leaves at r1"

    spec: ClassVar[str] = "bus:8"
    numbers: ClassVar[tuple[str, ...]] = ("nodes",)

    kind: Literal["bus"]
    nodes: Annotated[int, Field(ge=1, le=100_000)]

    @property
    def places(self) -> int:
        """Tiles that can be attached."""
        return self.nodes

    @property
    def routers(self) -> int:
        """Routers: the two ends of the medium."""
        return 2

    @property
    def ports(self) -> int:
        """Ports of an end: every tile and the medium."""
        return self.nodes + 1

    def graph(self, tiles: int) -> Graph[str]:
        """Return the graph with the first `tiles` places taken."""
        graph = self.new_graph()
        graph.add_node(router(0), kind="router", index=0)
        graph.add_node(router(1), kind="router", index=1)
        graph.add_edge(router(0), router(1), kind="link")
        for index in range(tiles):
            self.attach(graph, tile(index), index, at=0)
        return graph

    def attach(self, graph: Graph[str], node: str, index: int, at: int, kind: str = "tile") -> None:
        """Attach a tile or gateway to both ends of the medium."""
        super().attach(graph, node, index, 0, kind)
        graph.add_edge(router(1), node, kind="port")

    def route(self, graph: Graph[str], source: str, target: str, choice: int = 0) -> list[str]:
        """Return the nodes from `source` to `target`, over the medium."""
        if source == target:
            return [source]
        if target == router(0) or source == router(1):  # at an end of the medium: nothing to cross
            return [source, target]
        return list(dict.fromkeys([source, router(0), router(1), target]))
