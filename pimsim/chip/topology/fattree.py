"""Fat tree: an arity-ary tree of routers with as many links up as down, routed over the nearest common ancestor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from pimsim.chip.topology.base import Topology, attached, router, tile, with_ends

if TYPE_CHECKING:
    from networkx import Graph


class FatTree(Topology):
    """An `arity`-ary tree of `levels` levels (Petrini and Vanneschi, 1997), each of ``arity ** (levels - 1)`` routers.

    Level 0 is the top. At every level but the top a router has `arity` links up. Router ``level * width + place``;
    between levels ``l`` and ``l + 1`` only the digit of weight ``arity ** (levels - 2 - l)`` of the place changes. A
    route climbs to the nearest common ancestor over links that `choice` picks, and comes down the only way there is.

    Parameters
    ----------
    arity : int
        Links down of a router, and links up of all but the top.
    levels : int
        Levels of routers.
    """

    deadlock_free: ClassVar[str] = "no route goes up again after it has gone down"

    spec: ClassVar[str] = "fattree:4,2"
    numbers: ClassVar[tuple[str, ...]] = ("arity", "levels")

    kind: Literal["fattree"]
    arity: Annotated[int, Field(ge=2, le=64)]
    levels: Annotated[int, Field(ge=1, le=8)]

    @property
    def width(self) -> int:
        """Routers of a level."""
        width: int = self.arity ** (self.levels - 1)
        return width

    @property
    def places(self) -> int:
        """Tiles that can be attached."""
        return self.width * self.arity

    @property
    def routers(self) -> int:
        """Routers."""
        return self.levels * self.width

    @property
    def ports(self) -> int:
        """Ports of a router: down and, below the top, up."""
        return self.arity * (2 if self.levels > 1 else 1)

    def graph(self, tiles: int) -> Graph[str]:
        """Return the graph with the first `tiles` places taken."""
        graph = self.new_graph()
        for index in range(self.routers):
            graph.add_node(router(index), kind="router", index=index)
        leaves = self.routers - self.width
        for index in range(tiles):
            self.attach(graph, tile(index), index, at=leaves + index // self.arity)
        for level in range(self.levels - 1, 0, -1):
            for place in range(self.width):
                for up in range(self.arity):
                    graph.add_edge(
                        router(level * self.width + place),
                        router((level - 1) * self.width + self._moved(level - 1, place, up)),
                        kind="link",
                    )
        return graph

    def neighbours(self, graph: Graph[str], node: str) -> list[str]:
        """Return what a router is joined to: downwards first, then upwards."""
        index: int = graph.nodes[node]["index"]
        level, place = divmod(index, self.width)
        if level == self.levels - 1:
            down = [other for other in graph.adj[node] if other[0] == "t"]
        else:
            down = [
                router((level + 1) * self.width + self._moved(level, place, i)) for i in range(self.arity)
            ]
        ups = range(self.arity) if level else ()
        up = [router((level - 1) * self.width + self._moved(level - 1, place, i)) for i in ups]
        return list(dict.fromkeys([*down, *up, *graph.adj[node]]))

    def route(self, graph: Graph[str], source: str, target: str, choice: int = 0) -> list[str]:
        """Return the nodes from `source` to `target`: up to a common ancestor, then down.

        Raises
        ------
        ValueError
            If two routers have none, such as two of the top.
        """
        start: int = graph.nodes[attached(graph, source)]["index"]
        end: int = graph.nodes[attached(graph, target)]["index"]
        level, place = divmod(start, self.width)
        end_level, end_place = divmod(end, self.width)
        path = [start]
        while not self._above(level, place, end_level, end_place):
            level = self._up(level, source, target)
            if level >= end_level:  # below the target's level only the way up can set this digit
                digit = end_place // self.arity ** (self.levels - 2 - level) % self.arity
            else:
                choice, digit = divmod(choice, self.arity)
            place = self._moved(level, place, digit)
            path.append(level * self.width + place)
        while level < end_level:
            weight = self.arity ** (self.levels - 2 - level)
            place = self._moved(level, place, end_place // weight % self.arity)
            level += 1
            path.append(level * self.width + place)
        return with_ends([router(index) for index in path], source, target)

    def choices(self, graph: Graph[str], source: str, target: str) -> int:
        """Return how many routes `choice` picks from: one for every way up."""
        level, place = divmod(graph.nodes[attached(graph, source)]["index"], self.width)
        end = divmod(graph.nodes[attached(graph, target)]["index"], self.width)
        ways = 1
        while not self._above(level, place, *end):
            level = self._up(level, source, target)
            ways *= self.arity if level < end[0] else 1
            place = self._moved(level, place, end[1] // self.arity ** (self.levels - 2 - level) % self.arity)
        return ways

    @staticmethod
    def _up(level: int, source: str, target: str) -> int:
        """Return the next level upwards."""
        if level == 0:
            raise ValueError(f"no route leads from {source} to {target}: they have no common ancestor")
        return level - 1

    def _moved(self, upper: int, place: int, digit: int) -> int:
        """Return the place at the other end of a link between levels `upper` and `upper + 1`."""
        weight: int = self.arity ** (self.levels - 2 - upper)
        return place + (digit - place // weight % self.arity) * weight

    def _above(self, level: int, place: int, end_level: int, end_place: int) -> bool:
        """Whether the way from a router to another goes down only."""
        if level > end_level:
            return False
        if level == end_level:
            return place == end_place
        # Links from this level down to the other's change these digits; the others must agree already.
        high: int = self.arity ** (self.levels - 1 - level)
        low: int = self.arity ** (self.levels - 1 - end_level)
        return place // high == end_place // high and place % low == end_place % low
