"""Butterfly: stages of routers that a packet crosses one after another, in one direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from pimsim.chip.topology.base import Topology, router, tile

if TYPE_CHECKING:
    from networkx import Graph


class Butterfly(Topology):
    """`stages` stages of routers with `arity` inputs and outputs each (Dally and Towles, 2004, chapter 4).

    Tile ``t`` sends to router ``t // arity`` of the first stage and receives from router ``t // arity`` of the last, so
    every packet crosses every stage. From stage ``s`` on only the digit of weight ``arity ** (stages - 2 - s)`` of the
    place changes, to that of the target.

    Parameters
    ----------
    arity : int
        Inputs, and outputs, of a router.
    stages : int
        Stages of routers.
    """

    turns_off: ClassVar[bool] = False
    deadlock_free: ClassVar[str] = "every link leads from one stage to the next"

    spec: ClassVar[str] = "fly:4,2"
    numbers: ClassVar[tuple[str, ...]] = ("arity", "stages")

    kind: Literal["fly"]
    arity: Annotated[int, Field(ge=2, le=64)]
    stages: Annotated[int, Field(ge=1, le=8)]

    @property
    def width(self) -> int:
        """Routers of a stage."""
        width: int = self.arity ** (self.stages - 1)
        return width

    @property
    def places(self) -> int:
        """Tiles that can be attached."""
        return self.width * self.arity

    @property
    def routers(self) -> int:
        """Routers."""
        return self.stages * self.width

    @property
    def ports(self) -> int:
        """Ports of a router: inputs, and as many outputs."""
        return 2 * self.arity

    def graph(self, tiles: int) -> Graph[str]:
        """Return the directed graph with the first `tiles` places taken."""
        graph = self.new_graph(directed=True)
        for index in range(self.routers):
            graph.add_node(router(index), kind="router", index=index)
        for index in range(tiles):
            self.attach(graph, tile(index), index, at=index // self.arity)
        for stage in range(self.stages - 1):
            for place in range(self.width):
                for digit in range(self.arity):
                    after = (stage + 1) * self.width + self._moved(stage, place, digit)
                    graph.add_edge(router(stage * self.width + place), router(after), kind="link")
        return graph

    def attach(self, graph: Graph[str], node: str, index: int, at: int, kind: str = "tile") -> None:
        """Attach a tile or gateway to the router in this place of the first stage, and of the last."""
        graph.add_node(node, kind=kind, index=index)
        graph.add_edge(node, router(at % self.width), kind="port")
        graph.add_edge(router((self.stages - 1) * self.width + at % self.width), node, kind="port")

    def route(self, graph: Graph[str], source: str, target: str, choice: int = 0) -> list[str]:
        """Return the nodes from `source` to `target`, through every stage between them.

        Raises
        ------
        ValueError
            If a router lies in a later stage than the target: nothing leads back.
        """
        to_router = graph.nodes[target]["kind"] == "router"
        first = source if graph.nodes[source]["kind"] == "router" else next(iter(graph.adj[source]))
        last = target if to_router else next(edge[0] for edge in graph.in_edges(target))  # type: ignore[attr-defined]
        stage, place = divmod(graph.nodes[first]["index"], self.width)
        end_stage, end = divmod(graph.nodes[last]["index"], self.width)
        path = [first]
        while stage < end_stage:
            weight = self.arity ** (self.stages - 2 - stage)
            place = self._moved(stage, place, end // weight % self.arity)
            stage += 1
            path.append(router(stage * self.width + place))
        if path[-1] != last:
            raise ValueError(f"no route leads from {source} to {target}: stages are passed in one direction")
        return [*([source] if source != first else []), *path, *([target] if target != last else [])]

    def _moved(self, stage: int, place: int, digit: int) -> int:
        """Return the place in the next stage that an output leads to."""
        weight: int = self.arity ** (self.stages - 2 - stage)
        return place + (digit - place // weight % self.arity) * weight
