"""A spidergon: a ring whose every router has one more link, to the router across."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from pimsim.chip.base import refuse
from pimsim.chip.topology import Topology, router, tile
from pimsim.chip.topology.base import ANY, LOWER, UPPER, attached, with_ends

if TYPE_CHECKING:
    from networkx import Graph


class Spidergon(Topology):
    """A ring of an even number of routers, one tile each, with links across (Coppola et al., 2004).

    A packet to the far half of the ring goes across first, then the shorter way around. Why no packets wait for one
    another in a circle: a link across is the first of its route or not in it, so nothing on the ring waits for one.
    Around the ring a route covers a quarter of it at most. A stretch that ends at a lower router than it began at takes
    the upper virtual channels, any other the lower ones. So of the stretches in one direction and class, either none
    crosses between the last router and the first, or each does and all lie within a quarter of the ring on either side
    of it: they close no circle.

    Parameters
    ----------
    nodes : int
        Routers, an even number.
    """

    deadlock_free: ClassVar[str] = "across before around, and around in two classes of virtual channels"
    spec: ClassVar[str] = "spidergon:16"
    numbers: ClassVar[tuple[str, ...]] = ("nodes",)

    kind: Literal["spidergon"]
    nodes: Annotated[int, Field(ge=4, le=10_000)]

    @model_validator(mode="after")
    def _even(self) -> Spidergon:
        if self.nodes % 2:
            raise refuse("nodes", self.nodes, "an even number, so that each has one across")
        return self

    @property
    def vcs_needed(self) -> int:
        """Virtual channels: one for each class."""
        return 2

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
        """Two around, one across, and the tile."""
        return 4

    def graph(self, tiles: int) -> Graph[str]:
        """Return the graph with the first `tiles` places taken."""
        graph = self.new_graph()
        for index in range(self.nodes):
            graph.add_node(router(index), kind="router", index=index)
        for index in range(self.nodes):
            graph.add_edge(router(index), router((index + 1) % self.nodes), kind="link")
        for index in range(self.nodes // 2):
            graph.add_edge(router(index), router(index + self.nodes // 2), kind="link")
        for index in range(tiles):
            self.attach(graph, tile(index), index, at=index)
        return graph

    def route(self, graph: Graph[str], source: str, target: str, choice: int = 0) -> list[str]:
        """Return the nodes from `source` to `target`: across if that is far, then around."""
        here, there = (int(attached(graph, node)[1:]) for node in (source, target))
        path = [here]
        if 4 * min((there - here) % self.nodes, (here - there) % self.nodes) > self.nodes:
            path.append((here + self.nodes // 2) % self.nodes)
        up, down = (there - path[-1]) % self.nodes, (path[-1] - there) % self.nodes
        step = 1 if up <= down else -1
        start = path[-1]
        path += [(start + step * i) % self.nodes for i in range(1, min(up, down) + 1)]
        return with_ends([router(each) for each in path], source, target)

    def classes(self, path: list[str]) -> list[int]:
        """Return which virtual channels each link of a route may use; across and on a tile's port it may use all."""
        places = [int(node[1:]) if node[0] == "r" else None for node in path]
        inside = [place for place in places if place is not None]
        if len(inside) > 1 and abs(inside[0] - inside[1]) == self.nodes // 2:
            inside = inside[1:]
        kind = UPPER if inside and inside[0] > inside[-1] else LOWER
        return [
            ANY if a is None or b is None or abs(a - b) == self.nodes // 2 else kind
            for a, b in pairwise(places)
        ]
