"""Network: the routers and links that join the tiles of a chip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from pimsim.chip.parts.base import Bits, ClockName, Cycles, EnergyPj, Part
from pimsim.chip.topology import AnyTopology

if TYPE_CHECKING:
    from networkx import Graph


class Network(Part):
    """The network on chip; one instance, for area and static power, is one router with its links.

    Parameters
    ----------
    topology : Topology
        Its shape: ``kind`` and that kind's own parameters.
    link_width_bits : int
        Bits of one flit, which a link carries in one cycle.
    clock : str
        Name of its clock.
    router_cycles, link_cycles : int
        Cycles to pass a router, and to pass a link.
    buffer_packets : int
        Whole packets that the buffer at a router's input holds.
    energy_per_flit_pj : float, optional
        Energy of one flit over one hop, router and link, in picojoules.
    gateway : int
        Index of the router that carries the external links.
    """

    topology: Annotated[AnyTopology, Field(discriminator="kind")]
    link_width_bits: Bits
    clock: ClockName
    router_cycles: Annotated[int, Field(ge=1, le=1_000_000)]
    link_cycles: Cycles
    buffer_packets: Annotated[int, Field(ge=1, le=1_000_000)]
    energy_per_flit_pj: EnergyPj | None = None
    gateway: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    def graph(self, tiles: int) -> Graph[str]:
        """Return the network of a chip with so many tiles; every edge has ``width_bits`` and ``cycles``."""
        graph = self.topology.graph(tiles)
        for _, _, edge in graph.edges(data=True):
            edge["width_bits"] = self.link_width_bits
            edge["cycles"] = self.link_cycles
        return graph
