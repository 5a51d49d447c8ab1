"""The chips of a package, their networks joined by the external links, and the way from one tile to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pimsim.chip import ChipConfig
from pimsim.chip.site import WorkSite
from pimsim.mapping.planning.curve import curve
from pimsim.mapping.planning.kind import Kind, kinds_of

if TYPE_CHECKING:
    from networkx import Graph

HOST_TILE = -1  # where the model's inputs come from and its outputs go to

Leg = tuple[int, str, str]  # chip, from node, to node; or chip, side, EXTERNAL
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
    kinds: Mapping[str, Kind] = field(init=False, repr=False)
    _own: list[Kind] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Build the network of one chip; all are alike."""
        self.graph = self.config.graph()
        self.kinds = kinds_of(self.config)
        self._own = [kind for kind in self.kinds.values() for _ in range(kind.site.count)]

    def kind(self, tile: int) -> Kind:
        """Return what is done at a tile, and how."""
        return self._own[tile % len(self._own)]

    def site(self, tile: int) -> WorkSite:
        """Return what the chip file says of a tile."""
        return self.kind(tile).site

    def tiles_of(self, name: str) -> list[int]:
        """Return the tiles of all chips that are sites of a name."""
        one, tiles = self.config.tiles_of(name), self.config.tiles
        return [chip * tiles + tile for chip in range(self.chips) for tile in one]

    def seats_of(self, name: str) -> list[int]:
        """Return those of them that ops may be put on: all but the spare ones, which are the last of each chip."""
        one, tiles = self.config.tiles_of(name), self.config.tiles
        used = one[: self.kinds[name].site.seats]
        return [chip * tiles + tile for chip in range(self.chips) for tile in used]

    @property
    def tiles(self) -> int:
        """Sites of all chips that ops can be done at; they are called tiles here, whatever their kind."""
        return self.chips * self.config.tiles

    @property
    def bundle(self) -> int:
        """External links between two neighbours: a chip in the middle splits its links between both sides."""
        return max(1, self.config.external.count // 2)

    def order(self) -> list[int]:
        """Return all tiles so that one and the next are close, and those near them too: along a curve that fills space.

        Where routers have no places, tiles come as they are numbered.
        """
        nodes = self.graph.nodes
        routers = [nodes[next(iter(self.graph.adj[f"t{tile}"]))] for tile in range(self.config.tiles)]
        if all("y" in router for router in routers):
            wide, high = (1 + max(router[axis] for router in routers) for axis in "xy")
            rank = {place: n for n, place in enumerate(curve(wide, high))}
            one = sorted(range(self.config.tiles), key=lambda n: (rank[routers[n]["x"], routers[n]["y"]], n))
        else:
            one = list(range(self.config.tiles))
        return [chip * self.config.tiles + tile for chip in range(self.chips) for tile in one]

    def legs(self, source: int, target: int, port: int = 0) -> list[Leg]:
        """Return the stretches of the way from one tile to another; `HOST_TILE` is the host.

        A stretch inside a chip goes from node to node of its network; one over an external link names the chip whose
        link it is, the side (``right``, ``left``; the host is to the left of chip 0), and `EXTERNAL`.

        Parameters
        ----------
        source, target : int
            Tiles.
        port : int
            Which of the external links between two neighbours, any number from 0.
        """
        first, last = max(0, source) // self.config.tiles, max(0, target) // self.config.tiles
        step = 1 if last >= first else -1
        legs: list[Leg] = []
        for chip in range(first, last + step, step):
            here = self._tile(source) if chip == first and source != HOST_TILE else self._port(step < 0, port)
            there = self._tile(target) if chip == last and target != HOST_TILE else self._port(step > 0, port)
            if chip == first and source == HOST_TILE:
                here = self._port(False, port)
            if chip == last and target == HOST_TILE:
                there = self._port(False, port)
            legs.append((chip, here, there))
            if chip != last:
                legs.append((min(chip, chip + step), "right" if step > 0 else "left", EXTERNAL))
        return legs

    def _tile(self, tile: int) -> str:
        return f"t{tile % self.config.tiles}"

    def _port(self, right: bool, port: int) -> str:
        """Return the gateway's port of a link to the right neighbour, or to the left one or the host."""
        count = self.config.external.count
        if count == 1:
            return "g0"
        return f"g{self.bundle + port % (count - self.bundle) if right else port % self.bundle}"
