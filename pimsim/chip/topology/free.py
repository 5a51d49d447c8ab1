"""A graph of the user's own, routed on shortest ways that cannot deadlock."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pimsim.chip.topology.base import Topology, attached, describe, router, tile, with_ends
from pimsim.errors import ConfigError

if TYPE_CHECKING:
    from networkx import Graph

Index = Annotated[int, Field(ge=0, le=100_000)]
Edge = Annotated[list[Index], Field(min_length=2, max_length=3)]


class FreeGraph(Topology):
    """Routers joined as a list of links says.

    Parameters
    ----------
    edges : list of [int, int] or [int, int, int]
        The routers at a link's ends, numbered from 0, and the link's delay in cycles if it is not the network's.
        A link leads both ways.
    at : list of int, optional
        The router of each tile; one tile at every router if not given.
    routing : str
        ``updown``: the shortest of the ways that first climb and then descend a breadth-first tree from router 0
        (Schroeder et al., Autonet, 1991), free of deadlock on any graph. ``shortest``: the shortest of all ways,
        refused if a circle of links can wait for one another.
    """

    deadlock_free: ClassVar[str] = "no route goes up again after it has gone down; or checked link by link"

    kind: Literal["graph"]
    edges: Annotated[list[Edge], Field(max_length=1_000_000)]
    at: list[Index] | None = None
    routing: Literal["updown", "shortest"] = "updown"

    @classmethod
    def of(cls, graph: Graph[Any], routing: Literal["updown", "shortest"] = "updown") -> FreeGraph:
        """Return the topology of any undirected graph: a router with a tile at each node, in the nodes' order.

        Raises
        ------
        ConfigError
            If it is empty, directed, not connected, has a delay that is no whole number, or its routes can deadlock.
        """
        if graph.is_directed():
            raise ConfigError("found a directed graph, expected links that lead both ways", where="graph")
        number = {node: index for index, node in enumerate(graph.nodes)}
        if not number:
            raise ConfigError("found a graph without nodes, expected at least one", where="graph")
        edges = []
        for a, b, data in graph.edges(data=True):
            cycles: Any = data.get("cycles")
            try:
                edges.append([number[a], number[b], *([] if cycles is None else [operator.index(cycles)])])
            except TypeError:
                raise ConfigError(
                    f"found {cycles!r:.40}, expected a whole number of cycles", where=f"graph: link {a}-{b}"
                ) from None
        try:
            return cls(kind="graph", edges=edges, at=list(range(len(number))), routing=routing)
        except ValidationError as error:
            raise ConfigError(describe(error), where="graph") from None

    @field_validator("edges")
    @classmethod
    def _are_connected(cls, edges: list[list[int]]) -> list[list[int]]:
        """Refuse links that join nothing, or contradict one another, or leave a router out."""
        import networkx

        graph: Graph[int] = networkx.Graph()
        graph.add_nodes_from(range(_routers(edges)))
        for edge in edges:
            a, b, *delay = edge
            if a == b:
                _refuse(repr(edge), "two routers; a link joins a router to another")
            if graph.has_edge(a, b) and graph.edges[a, b]["delay"] != delay:
                _refuse(repr(edge), f"one delay for the link from {a} to {b}")
            graph.add_edge(a, b, delay=delay)
        parts = [sorted(part) for part in networkx.connected_components(graph)]
        if len(parts) > 1:
            lone = min((len(part), part[0]) for part in parts[1:])[1]
            expected = f"a connected graph: no link leads from r{lone} to r{parts[0][0]}"
            _refuse(f"{len(parts)} parts", expected)
        return edges

    @field_validator("at")
    @classmethod
    def _are_at_routers(cls, at: list[int] | None, info: ValidationInfo) -> list[int] | None:
        routers = _routers(info.data.get("edges", []))
        for index in at or []:
            if index >= routers and "edges" in info.data:
                _refuse(repr(index), f"a router that an edge names, 0 to {routers - 1}")
        return at

    @model_validator(mode="after")
    def _cannot_deadlock(self) -> FreeGraph:
        if self.routing == "shortest":
            from pimsim.chip.topology.deadlock import circle, waits_of

            graph = self.graph(0)
            for index in range(self.routers):  # tiles may be anywhere, and so may the gateway
                self.attach(graph, tile(index), index, at=index)
            found = circle(graph)
            if found is not None:
                expected = f"routes without a circle of waits ({waits_of(found)}); 'updown' never has one"
                _refuse(repr(self.routing), expected)
        return self

    @property
    def places(self) -> int:
        """Tiles that can be attached."""
        return self.routers if self.at is None else len(self.at)

    @property
    def routers(self) -> int:
        """Routers."""
        return _routers(self.edges)

    @property
    def ports(self) -> int:
        """Ports of a router, all built like the one that needs most."""
        graph = self.graph(self.places)
        return max(graph.degree[router(index)] for index in range(self.routers))

    def graph(self, tiles: int) -> Graph[str]:
        """Return the graph with the first `tiles` places taken."""
        graph = self.new_graph()
        for index in range(self.routers):
            graph.add_node(router(index), kind="router", index=index)
        for a, b, *delay in self.edges:
            graph.add_edge(router(a), router(b), kind="link", **({"cycles": delay[0]} if delay else {}))
        for index in range(tiles):
            self.attach(graph, tile(index), index, at=index if self.at is None else self.at[index])
        return graph

    def route(self, graph: Graph[str], source: str, target: str, choice: int = 0) -> list[str]:
        """Return the nodes from `source` to `target`: of equally short ways the one whose routers come first."""
        start, end = attached(graph, source), attached(graph, target)
        ways = graph.graph.setdefault("ways", {})
        if start not in ways:
            ways[start] = self._ways(graph, start)
        return with_ends(ways[start][end], source, target)

    def _ways(self, graph: Graph[str], start: str) -> dict[str, list[str]]:
        """Return the way from a router to every other, breadth first."""
        height = graph.graph.setdefault("height", {}) or self._heights(graph)
        found: dict[str, list[str]] = {}
        descending: set[tuple[str, bool]] = {(start, False)}
        front: list[tuple[str, bool, list[str]]] = [(start, False, [start])]
        for node, down, path in front:  # grows while it is read
            found.setdefault(node, path)
            for other in self.neighbours(graph, node):
                if other not in height:
                    continue
                goes_down = height[other] > height[node]
                if self.routing == "updown" and down and not goes_down:
                    continue
                state = (other, goes_down and self.routing == "updown")
                if state not in descending:
                    descending.add(state)
                    front.append((*state, [*path, other]))
        return found

    def _heights(self, graph: Graph[str]) -> dict[str, tuple[int, int]]:
        """Number the routers from the root on: how far away, then by index."""
        height = graph.graph["height"]
        front = [(router(0), 0)]
        for node, distance in front:
            if node in height:
                continue
            height[node] = (distance, graph.nodes[node]["index"])
            links = [other for other in graph.adj[node] if graph.nodes[other]["kind"] == "router"]
            front += [(other, distance + 1) for other in links]
        return dict(height)


def _routers(edges: list[list[int]]) -> int:
    """Return how many routers links join: one more than the last one's number."""
    return 1 + max((index for edge in edges for index in edge[:2]), default=0)


def _refuse(found: str, expected: str) -> None:
    raise PydanticCustomError(
        "chip", "found {found}, expected {expected}", {"found": found, "expected": expected}
    )
