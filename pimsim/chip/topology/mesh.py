"""Mesh and concentrated mesh: a grid of routers, routed in dimension order (x, then y)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from pimsim.chip.topology.base import Side, Topology, add_tile, attached, router, with_ends

if TYPE_CHECKING:
    from networkx import Graph


class Mesh(Topology):
    """A grid of `width` by `height` routers with one tile each, numbered row by row."""

    deadlock_free: ClassVar[str] = "no route turns from y back to x, and none reverses"

    kind: Literal["mesh"]
    width: Side
    height: Side

    @property
    def tiles_per_router(self) -> int:
        """Tiles at each router."""
        return 1

    @property
    def places(self) -> int:
        """Tiles that can be attached."""
        return self.routers * self.tiles_per_router

    @property
    def routers(self) -> int:
        """Routers."""
        return self.width * self.height

    @property
    def ports(self) -> int:
        """Ports of a router, all built like the one that needs most."""
        return min(2, self.width - 1) + min(2, self.height - 1) + self.tiles_per_router

    def graph(self, tiles: int) -> Graph[str]:
        """Return the graph with the first `tiles` places taken."""
        graph = self.new_graph()
        for index in range(self.routers):
            graph.add_node(
                router(index), kind="router", index=index, x=index % self.width, y=index // self.width
            )
        for index in range(self.routers):
            x, y = index % self.width, index // self.width
            if x + 1 < self.width:
                graph.add_edge(router(index), router(index + 1), kind="link")
            if y + 1 < self.height:
                graph.add_edge(router(index), router(index + self.width), kind="link")
        for index in range(tiles):
            add_tile(graph, index, at=index // self.tiles_per_router)
        return graph

    def route(self, graph: Graph[str], source: str, target: str) -> list[str]:
        """Return the nodes from `source` to `target`: along x first, then along y."""
        start, end = graph.nodes[attached(graph, source)], graph.nodes[attached(graph, target)]
        xs = walk(start["x"], end["x"])
        ys = walk(start["y"], end["y"])
        places = [(x, start["y"]) for x in xs] + [(end["x"], y) for y in ys[1:]]
        return with_ends([router(y * self.width + x) for x, y in places], source, target)


class CMesh(Mesh):
    """A mesh whose routers serve `concentration` tiles each; tiles 0, 1, … fill router 0 first."""

    kind: Literal["cmesh"]  # type: ignore[assignment]
    concentration: Annotated[int, Field(ge=1, le=1000)]

    @property
    def tiles_per_router(self) -> int:
        """Tiles at each router."""
        return self.concentration


def walk(start: int, end: int) -> list[int]:
    """Return the positions from `start` to `end`, both included."""
    step = 1 if end >= start else -1
    return list(range(start, end + step, step))
