"""The routes between all nodes of a chip's network as one array."""

from __future__ import annotations

from collections.abc import Collection

import networkx
import numpy as np

from pimsim.network.fabric import Fabric


class Routes:
    """Channels from each node to each other.

    Parameters
    ----------
    fabric : Fabric
        The network.
    tiles : int
        Tiles ``t0``, ``t1``, … of it, which come first.
    others : collection of str
        More nodes; those that are tiles count once.

    Attributes
    ----------
    nodes : list of str
        Their names.
    number : dict of str to int
        Where each is in `nodes`.
    first : int64, shape (nodes * nodes + 1,)
        Where the channels from a node to another begin in `channels`: source after source, each with all targets.
    channels : int32
        Of all routes; none where there is no way.
    """

    def __init__(self, fabric: Fabric, tiles: int, others: Collection[str]) -> None:
        own = [f"t{tile}" for tile in range(tiles)]
        self.nodes = [*own, *sorted(set(others) - set(own))]
        self.number = {node: number for number, node in enumerate(self.nodes)}
        ways = [self._way(fabric, source, target) for source in self.nodes for target in self.nodes]
        self.first = np.cumsum([0, *map(len, ways)]).astype(np.int64)
        self.channels = np.array([channel for way in ways for channel in way], dtype=np.int32)

    @staticmethod
    def _way(fabric: Fabric, source: str, target: str) -> list[int]:
        try:
            return [channel for channel, _ in fabric.hops(source, target)]
        except (networkx.NetworkXNoPath, KeyError):  # between nodes that nothing is sent between
            return []
