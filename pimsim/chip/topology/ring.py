"""Ring and torus: routers in circles, routed without ever closing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from pimsim.chip.topology.base import Side, Topology, add_tile, attached, router, with_ends

if TYPE_CHECKING:
    from networkx import Graph


class Ring(Topology):
    """A circle of `nodes` routers with one tile each."""

    deadlock_free: ClassVar[str] = "no route passes through position 0, so no circle of waits closes"

    kind: Literal["ring"]
    nodes: Annotated[int, Field(ge=1, le=100_000)]

    @property
    def places(self) -> int:
        """Tiles that can be attached."""
        return self.nodes

    @property
    def routers(self) -> int:
        """Routers."""
        return self.nodes

    @property
    def ports(self) -> int:
        """Ports of a router."""
        return min(2, self.nodes - 1) + 1

    def graph(self, tiles: int) -> Graph[str]:
        """Return the graph with the first `tiles` places taken."""
        graph = self.new_graph()
        for index in range(self.nodes):
            graph.add_node(router(index), kind="router", index=index, x=index, y=0)
        for index in range(self.nodes):
            if self.nodes > 1:
                graph.add_edge(router(index), router((index + 1) % self.nodes), kind="link")
        for index in range(tiles):
            add_tile(graph, index, at=index)
        return graph

    def route(self, graph: Graph[str], source: str, target: str) -> list[str]:
        """Return the nodes from `source` to `target` around the ring."""
        start, end = graph.nodes[attached(graph, source)], graph.nodes[attached(graph, target)]
        return with_ends([router(i) for i in around(start["x"], end["x"], self.nodes)], source, target)


class Torus(Topology):
    """A mesh whose rows and columns are rings, with one tile a router, numbered row by row."""

    deadlock_free: ClassVar[str] = "x before y, and within a ring no route passes through position 0"

    kind: Literal["torus"]
    width: Side
    height: Side

    @property
    def places(self) -> int:
        """Tiles that can be attached."""
        return self.routers

    @property
    def routers(self) -> int:
        """Routers."""
        return self.width * self.height

    @property
    def ports(self) -> int:
        """Ports of a router."""
        return min(2, self.width - 1) + min(2, self.height - 1) + 1

    def graph(self, tiles: int) -> Graph[str]:
        """Return the graph with the first `tiles` places taken."""
        graph = self.new_graph()
        for index in range(self.routers):
            graph.add_node(
                router(index), kind="router", index=index, x=index % self.width, y=index // self.width
            )
        for index in range(self.routers):
            x, y = index % self.width, index // self.width
            if self.width > 1:
                graph.add_edge(router(index), router(y * self.width + (x + 1) % self.width), kind="link")
            if self.height > 1:
                graph.add_edge(router(index), router((y + 1) % self.height * self.width + x), kind="link")
        for index in range(tiles):
            add_tile(graph, index, at=index)
        return graph

    def route(self, graph: Graph[str], source: str, target: str) -> list[str]:
        """Return the nodes from `source` to `target`: around x first, then around y."""
        start, end = graph.nodes[attached(graph, source)], graph.nodes[attached(graph, target)]
        xs = around(start["x"], end["x"], self.width)
        ys = around(start["y"], end["y"], self.height)
        places = [(x, start["y"]) for x in xs] + [(end["x"], y) for y in ys[1:]]
        return with_ends([router(y * self.width + x) for x, y in places], source, target)


def around(start: int, end: int, size: int) -> list[int]:
    """Return the positions from `start` to `end` around a ring, both included.

    The shorter way (upwards when both are equal), unless it would pass *through* position 0: then the
    other way. Without virtual channels this is what keeps the ring free of deadlock; such routes are
    longer than the shortest.
    """
    up = (end - start) % size
    down = (start - end) % size
    upwards = [(start + i) % size for i in range(up + 1)]
    downwards = [(start - i) % size for i in range(down + 1)]
    first, second = (upwards, downwards) if up <= down else (downwards, upwards)
    return second if 0 in first[1:-1] else first
