"""Chips of one topology, joined at their gateways into a package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pimsim.chip.topology.base import ANY, Topology, router, tile
from pimsim.chip.topology.fattree import FatTree
from pimsim.chip.topology.free import FreeGraph
from pimsim.chip.topology.htree import HTree
from pimsim.chip.topology.mesh import CMesh, Mesh
from pimsim.chip.topology.ring import Ring, Torus
from pimsim.chip.topology.star import Crossbar
from pimsim.errors import ConfigError

if TYPE_CHECKING:
    from networkx import Graph

Joined = Mesh | CMesh | Torus | Ring | Crossbar | HTree | FatTree | FreeGraph


class Package(Topology):
    """A row of `chips` networks of one kind; neighbours are joined by a link between their gateway routers.

    Parameters
    ----------
    chips : int
        How many.
    of : Topology
        The network of each chip. Routers and tiles are numbered chip after chip.
    gateway : int
        The router of each chip that carries the links to its neighbours.
    link_cycles : int
        Delay of these links, in cycles.
    """

    deadlock_free: ClassVar[str] = (
        "each chip's routes are, and what leaves a gateway never waits for what enters it"
    )

    kind: Literal["package"]
    chips: Annotated[int, Field(ge=1, le=1000)]
    of: Annotated[Joined, Field(discriminator="kind")]
    gateway: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    link_cycles: Annotated[int, Field(ge=0, le=1_000_000)] = 1

    @field_validator("gateway")
    @classmethod
    def _is_a_router(cls, gateway: int, info: ValidationInfo) -> int:
        of: Topology | None = info.data.get("of")
        if of is not None and gateway >= of.routers:
            _refuse(gateway, f"one of the {of.routers} routers of a chip, 0 to {of.routers - 1}")
        return gateway

    @model_validator(mode="after")
    def _cannot_deadlock(self) -> Package:
        """Refuse a chip whose traffic from the gateway can wait for its traffic to the gateway.

        With that, a circle of waits can lead from a chip to its neighbour and back. In a tree or grid it cannot be;
        on a graph of the user's own it depends on the gateway, and never is at the root of 'updown', router 0.
        """
        of = self.of
        if isinstance(of, FreeGraph) and self.chips > 1 and (self.gateway or of.routing != "updown"):
            from pimsim.chip.topology.deadlock import circle, waits_of

            two = self.model_copy(update={"chips": 2})  # further chips make no further circles
            graph = two.graph(0)
            for index in range(two.routers):
                two.attach(graph, f"g{index}", index, at=index, kind="gateway")
            found = circle(graph)
            if found is not None:
                expected = f"a gateway without a circle of waits ({waits_of(found)}), such as router 0"
                _refuse(self.gateway, expected)
        return self

    @property
    def vcs_needed(self) -> int:
        """Virtual channels: as many as a chip's network needs."""
        return self.of.vcs_needed

    @property
    def places(self) -> int:
        """Tiles that can be attached."""
        return self.chips * self.of.places

    @property
    def routers(self) -> int:
        """Routers."""
        return self.chips * self.of.routers

    @property
    def ports(self) -> int:
        """Ports of a router: the gateway needs one for each neighbour more."""
        return self.of.ports + min(2, self.chips - 1)

    def graph(self, tiles: int) -> Graph[str]:
        """Return the graph with the first `tiles` places taken."""
        graph = self.new_graph()
        one = self.of.graph(self.of.places)
        graph.graph["one"] = one
        for chip in range(self.chips):
            for _, data in one.nodes(data=True):
                if data["kind"] == "router":
                    index = chip * self.of.routers + data["index"]
                    graph.add_node(router(index), **{**data, "index": index})
        for chip in range(self.chips):
            for a, b, data in one.edges(data=True):
                if data["kind"] == "link":
                    graph.add_edge(self._outer(chip, a), self._outer(chip, b), **data)
            if chip:
                ends = (self._outer(chip - 1, router(self.gateway)), self._outer(chip, router(self.gateway)))
                graph.add_edge(*ends, kind="link", cycles=self.link_cycles)
        for index in range(tiles):
            chip, inner = divmod(index, self.of.places)
            at = next(iter(one.adj[tile(inner)]))
            self.attach(graph, tile(index), index, at=chip * self.of.routers + one.nodes[at]["index"])
        return graph

    def attach(self, graph: Graph[str], node: str, index: int, at: int, kind: str = "tile") -> None:
        """Attach a tile, or a gateway to the links that leave the package, to a router.

        Raises
        ------
        ConfigError
            If no route leads from the other chips to that router, as between two at the top of a fat tree.
        """
        if kind == "gateway":
            door, inner = router(self.gateway), self._inner(router(at))
            try:
                for a, b in ((door, inner), (inner, door)):
                    self.of.route(graph.graph["one"], a, b)
            except ValueError as error:
                raise ConfigError(f"found {at}, but {error}", where="network.gateway") from None
        super().attach(graph, node, index, at, kind)

    def route(self, graph: Graph[str], source: str, target: str, choice: int = 0) -> list[str]:
        """Return the nodes from `source` to `target`: to the chip's gateway, from gateway to gateway, and on."""
        if source == target:
            return [source]
        path: list[str] = []
        for chip, a, b in self._legs(graph, source, target):
            inner = self.of.route(graph.graph["one"], a, b, choice)
            path += [self._outer(chip, node) if node[0] in "rt" else node for node in inner]
        start = (
            [] if path[0] == source else [source]
        )  # a port of a router, which the chip alone does not have
        end = [] if path[-1] == target else [target]
        return [*start, *path, *end]

    def choices(self, graph: Graph[str], source: str, target: str) -> int:
        """Return how many routes `choice` picks from: on the leg that has most."""
        legs = self._legs(graph, source, target)
        return max(self.of.choices(graph.graph["one"], a, b) for _, a, b in legs)

    def classes(self, path: list[str]) -> list[int]:
        """Return which virtual channels each link of a route may use: within a chip, as its topology says."""
        found: list[int] = []
        start = 0
        for i in range(1, len(path) + 1):
            if i == len(path) or self._chip(path[i]) != self._chip(path[start]):
                leg = [self._inner(node) for node in path[start:i]]
                found += self.of.classes(leg) if len(leg) > 1 else []
                found += [ANY] if i < len(path) else []
                start = i
        return found

    def _legs(self, graph: Graph[str], source: str, target: str) -> list[tuple[int, str, str]]:
        """Return the chips that a route passes, with its first and last node in each."""
        if graph.nodes[source]["kind"] not in ("tile", "router"):
            source = next(iter(graph.adj[source]))
        if graph.nodes[target]["kind"] not in ("tile", "router"):
            target = next(iter(graph.adj[target]))
        first, last, door = self._chip(source), self._chip(target), router(self.gateway)
        step = 1 if last >= first else -1
        return [
            (
                chip,
                self._inner(source) if chip == first else door,
                self._inner(target) if chip == last else door,
            )
            for chip in range(first, last + step, step)
        ]

    def _chip(self, node: str) -> int:
        return int(node[1:]) // (self.of.routers if node[0] == "r" else self.of.places)

    def _inner(self, node: str) -> str:
        return node[0] + str(int(node[1:]) % (self.of.routers if node[0] == "r" else self.of.places))

    def _outer(self, chip: int, node: str) -> str:
        count = self.of.routers if node[0] == "r" else self.of.places
        return node[0] + str(chip * count + int(node[1:]))


def _refuse(found: object, expected: str) -> None:
    raise PydanticCustomError(
        "chip", "found {found}, expected {expected}", {"found": repr(found), "expected": expected}
    )
