"""Where partial sums on their way to one tile meet in the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pimsim.network.fabric import Fabric


@dataclass
class Meeting:
    """A router through which partial sums pass.

    Parameters
    ----------
    router : str
        Its node.
    tiles : list of int
        Tiles whose sums enter the network here.
    before : list of Meeting
        Routers that send sums here.
    """

    router: str
    tiles: list[int] = field(default_factory=list)
    before: list[Meeting] = field(default_factory=list)

    @property
    def ways(self) -> int:
        """How many ways meet here."""
        return len(self.tiles) + len(self.before)


def meetings(fabric: Fabric, tiles_per_chip: int, sources: Sequence[int], target: int) -> Meeting:
    """Return the tree of routers from tiles to another of the same chip, by its root at the target's router.

    A way that comes to a router of an earlier one follows that one from there on, so the ways make a tree.

    Parameters
    ----------
    fabric : Fabric
        The network.
    tiles_per_chip : int
        To turn a tile's number into its node.
    sources, target : tiles
        Where the sums come from, in order, and where they go to.
    """
    topology, graph = fabric.topology, fabric.graph
    found: dict[str, Meeting] = {}
    root = ""
    for tile in sources:
        path = topology.route(graph, f"t{tile % tiles_per_chip}", f"t{target % tiles_per_chip}")[1:-1]
        root = path[-1]
        known = False
        for position, router in enumerate(path):
            was_there = router in found
            here = found.setdefault(router, Meeting(router))
            if position == 0:
                here.tiles.append(tile)
            elif not known:
                here.before.append(found[path[position - 1]])
            known = was_there
            if known:
                break
    return found[root]
