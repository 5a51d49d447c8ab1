"""Mesh and concentrated mesh: a grid of routers, routed in dimension order (x, then y)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from pimsim.chip.topology.base import Side, Topology, attached, router, tile, with_ends

if TYPE_CHECKING:
    from networkx import Graph


class Grid(Topology):
    """Routers in columns and rows, numbered row by row."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Columns and rows."""

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
        return self.shape[0] * self.shape[1]

    @property
    def ports(self) -> int:
        """Ports of a router, all built like the one that needs most."""
        return sum(min(2, size - 1) for size in self.shape) + self.tiles_per_router

    def graph(self, tiles: int) -> Graph[str]:
        """Return the graph with the first `tiles` places taken."""
        graph = self.new_graph()
        width, height = self.shape
        for index in range(self.routers):
            graph.add_node(router(index), kind="router", index=index, x=index % width, y=index // width)
        for index in range(self.routers):
            x, y = index % width, index // width
            right, below = self.beside(x, 1, width), self.beside(y, 1, height)
            if right is not None:
                graph.add_edge(router(index), router(self.at(right, y)), kind="link")
            if below is not None:
                graph.add_edge(router(index), router(self.at(x, below)), kind="link")
        for index in range(tiles):
            self.attach(graph, tile(index), index, at=index // self.tiles_per_router)
        return graph

    def at(self, x: int, y: int) -> int:
        """Return the router at a place of the grid."""
        return y * self.shape[0] + x

    def beside(self, place: int, step: int, size: int) -> int | None:
        """Return the place a step up or down in a dimension of so many places, if there is one."""
        other = place + step
        return other if 0 <= other < size else None

    def neighbours(self, graph: Graph[str], node: str) -> list[str]:
        """Return what a router is joined to: right, left, the next row, the row before, then its tiles."""
        x, y = graph.nodes[node]["x"], graph.nodes[node]["y"]
        along_x = [self.beside(x, step, self.shape[0]) for step in (1, -1)]
        along_y = [self.beside(y, step, self.shape[1]) for step in (1, -1)]
        links = [router(self.at(other, y)) for other in along_x if other is not None]
        links += [router(self.at(x, other)) for other in along_y if other is not None]
        return list(dict.fromkeys([*links, *graph.adj[node]]))

    def route(self, graph: Graph[str], source: str, target: str, choice: int = 0) -> list[str]:
        """Return the nodes from `source` to `target`: along x first, then along y."""
        (x, y), (to_x, to_y) = self._ends(graph, source, target)
        ways = self.ways(x, to_x, self.shape[0])
        xs = ways[choice % len(ways)]
        choice //= len(ways)
        ways = self.ways(y, to_y, self.shape[1])
        ys = ways[choice % len(ways)]
        places = [self.at(other, y) for other in xs] + [self.at(to_x, other) for other in ys[1:]]
        return with_ends([router(place) for place in places], source, target)

    def choices(self, graph: Graph[str], source: str, target: str) -> int:
        """Return how many routes `choice` picks from."""
        (x, y), (to_x, to_y) = self._ends(graph, source, target)
        return len(self.ways(x, to_x, self.shape[0])) * len(self.ways(y, to_y, self.shape[1]))

    def _ends(self, graph: Graph[str], source: str, target: str) -> list[tuple[int, int]]:
        """Return the places of the routers at the ends of a route."""
        indices = (int(attached(graph, node)[1:]) for node in (source, target))
        return [(index % self.shape[0], index // self.shape[0]) for index in indices]

    def ways(self, start: int, end: int, size: int) -> list[list[int]]:
        """Return the shortest ways from one position of a dimension to another, both included."""
        step = 1 if end >= start else -1
        return [list(range(start, end + step, step))]


class Sided(Grid):
    """A grid whose two sides are given.

    Parameters
    ----------
    width, height : int
        Its columns and rows of routers.
    """

    width: Side
    height: Side

    @property
    def shape(self) -> tuple[int, int]:
        """Columns and rows."""
        return self.width, self.height


class Mesh(Sided):
    """A grid of `width` by `height` routers with one tile each, numbered row by row."""

    deadlock_free: ClassVar[str] = "no route turns from y back to x, and none reverses"

    spec: ClassVar[str] = "mesh:8x8"
    numbers: ClassVar[tuple[str, ...]] = ("width", "height")

    kind: Literal["mesh"]


class CMesh(Sided):
    """A mesh whose routers serve several tiles each; tiles 0, 1, … fill router 0 first.

    Parameters
    ----------
    concentration : int
        Tiles of a router.
    """

    deadlock_free: ClassVar[str] = Mesh.deadlock_free

    spec: ClassVar[str] = "cmesh:4x4x4"
    numbers: ClassVar[tuple[str, ...]] = ("width", "height", "concentration")

    kind: Literal["cmesh"]
    concentration: Annotated[int, Field(ge=1, le=1000)]

    @property
    def tiles_per_router(self) -> int:
        """Tiles at each router."""
        return self.concentration
