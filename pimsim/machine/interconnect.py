"""The interconnect as SimPy processes see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import simpy

from pimsim.machine.substrate import Substrate

if TYPE_CHECKING:
    from networkx import Graph


class Interconnect:
    """The networks of all chips and the links between them.

    Parameters
    ----------
    substrate : Substrate
        What they stand on.
    """

    def __init__(self, substrate: Substrate) -> None:
        self.substrate = substrate

    @property
    def graph(self) -> Graph[str]:
        """The network of one chip; all chips are alike."""
        return self.substrate.plan.package.graph

    def send(self, source: int, target: int, bits: int) -> simpy.Event:
        """Send a packet from one tile into the buffer of another; the event happens when it is there.

        It contends with the machine's own packets for every link.

        Raises
        ------
        ValueError
            If there is no such tile, or nothing to send.
        """
        tiles = self.substrate.plan.package.tiles
        for tile in (source, target):
            if not 0 <= tile < tiles:
                raise ValueError(f"no tile {tile}; there are {tiles}, from 0 on")
        if bits < 1:
            raise ValueError(f"found {bits} bits to send, expected at least 1")
        path = self.substrate.transport.path(source, target, bits, into_buffer=True)
        assert path is not None  # both ends are tiles
        return self.substrate.submit(self.substrate.net.paths[path])
