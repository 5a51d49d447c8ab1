"""H-tree: routers in a tree with the tiles at its leaves, routed up to the common ancestor and down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from pimsim.chip.topology.base import Topology, attached, router, tile, with_ends

if TYPE_CHECKING:
    from networkx import Graph


class HTree(Topology):
    """A tree of routers; the children of the last level's are tiles.

    Routers are numbered from the root, 0, level by level.

    Parameters
    ----------
    levels : int
        Levels of routers.
    arity : int
        Children of each.
    """

    deadlock_free: ClassVar[str] = "no route goes up again after it has gone down"

    spec: ClassVar[str] = "htree:4,2"
    numbers: ClassVar[tuple[str, ...]] = ("arity", "levels")

    kind: Literal["htree"]
    levels: Annotated[int, Field(ge=1, le=8)]
    arity: Annotated[int, Field(ge=2, le=16)] = 4

    @property
    def places(self) -> int:
        """Tiles that can be attached."""
        places: int = self.arity**self.levels
        return places

    @property
    def routers(self) -> int:
        """Routers: all nodes of the tree above the tiles."""
        return sum(self.arity**level for level in range(self.levels))

    @property
    def ports(self) -> int:
        """Ports of a router: its children and, below the root, its parent."""
        return self.arity + (1 if self.levels > 1 else 0)

    def graph(self, tiles: int) -> Graph[str]:
        """Return the graph with the first `tiles` places taken."""
        graph = self.new_graph()
        for index in range(self.routers):
            graph.add_node(router(index), kind="router", index=index)
        for index in range(1, self.routers):
            graph.add_edge(router(self._parent(index)), router(index), kind="link")
        first_leaf = self.routers - self.arity ** (self.levels - 1)
        for index in range(tiles):
            self.attach(graph, tile(index), index, at=first_leaf + index // self.arity)
        return graph

    def route(self, graph: Graph[str], source: str, target: str, choice: int = 0) -> list[str]:
        """Return the nodes from `source` to `target`: up to the common ancestor, then down."""
        up = [graph.nodes[attached(graph, source)]["index"]]
        down = [graph.nodes[attached(graph, target)]["index"]]
        while up[-1] != down[-1]:  # a child's number is always above its parent's
            side = up if up[-1] > down[-1] else down
            side.append(self._parent(side[-1]))
        return with_ends([router(i) for i in up + down[-2::-1]], source, target)

    def _parent(self, index: int) -> int:
        return (index - 1) // self.arity
