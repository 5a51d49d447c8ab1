"""The chips of a package, their networks joined by the external links, and the way from one tile to another."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from pimsim.chip import ChipConfig

if TYPE_CHECKING:
    from networkx import Graph

HOST_TILE = -1  # where the model's inputs come from and its outputs go to

Hop = tuple[int, str, str]  # chip, from node, to node
EXTERNAL = "external"


@dataclass
class Package:
    """A row of equal chips; the host sits at the first chip's gateway.

    Parameters
    ----------
    config : ChipConfig
        Of each chip.
    chips : int
        How many there are.
    """

    config: ChipConfig
    chips: int
    graph: Graph[str] = field(init=False, repr=False)
    _within: dict[tuple[str, str], list[str]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Build the network of one chip; all are alike."""
        self.graph = self.config.network.graph(self.config.tiles)

    @property
    def tiles(self) -> int:
        """Tiles of all chips."""
        return self.chips * self.config.tiles

    @property
    def bundle(self) -> int:
        """External links between two neighbours: a chip in the middle splits its links between both sides."""
        return max(1, self.config.external.count // 2)

    def order(self) -> list[int]:
        """Return all tiles so that one and the next are close: router after router along a snake."""
        nodes = self.graph.nodes

        def place(tile: int) -> tuple[int, int, int]:
            router = nodes[next(iter(self.graph.adj[f"t{tile}"]))]
            if "y" not in router:
                return 0, 0, tile
            return router["y"], router["x"] if router["y"] % 2 == 0 else -router["x"], tile

        one = sorted(range(self.config.tiles), key=place)
        return [chip * self.config.tiles + tile for chip in range(self.chips) for tile in one]

    def way(self, source: int, target: int) -> list[Hop]:
        """Return the hops from one tile to another; `HOST_TILE` is the host.

        Hops over external links have the node `EXTERNAL` at one end, and the chip that they leave to the right or
        reach from the right (the host is to the left of chip 0).
        """
        gateway = f"r{self.config.network.gateway}"
        first, start = (0, gateway) if source == HOST_TILE else self._place(source)
        last, end = (0, gateway) if target == HOST_TILE else self._place(target)
        hops: list[Hop] = []
        if source == HOST_TILE:
            hops.append((-1, "host", EXTERNAL))
        step = 1 if last >= first else -1
        for chip in range(first, last + step, step):
            here = start if chip == first else gateway
            there = end if chip == last else gateway
            nodes = self._route(here, there)
            hops += [(chip, a, b) for a, b in pairwise(nodes)]
            if chip != last:
                hops.append((min(chip, chip + step), "right" if step > 0 else "left", EXTERNAL))
        if target == HOST_TILE:
            hops.append((-1, EXTERNAL, "host"))
        return hops

    def _place(self, tile: int) -> tuple[int, str]:
        chip, index = divmod(tile, self.config.tiles)
        return chip, f"t{index}"

    def _route(self, source: str, target: str) -> list[str]:
        key = (source, target)
        if key not in self._within:
            self._within[key] = self.config.network.topology.route(self.graph, source, target)
        return self._within[key]
