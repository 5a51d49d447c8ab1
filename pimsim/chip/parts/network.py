"""Network: the routers and links that join the tiles of a chip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pimsim.chip.parts.base import Bits, ClockName, EnergyPj, Part, Positive
from pimsim.chip.parts.memory import Memory
from pimsim.chip.parts.router_adder import RouterAdder
from pimsim.chip.router import Router
from pimsim.chip.topology import AnyTopology

if TYPE_CHECKING:
    from networkx import Graph

AtLeastOne = Annotated[int, Field(ge=1, le=100_000)]


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
    fidelity : str
        ``flit``: exact, every flit through every router. ``packet``: approximate and faster; packets hold each link
        for their flits and wait before it without bound.
    vcs : int
        Virtual channels of a link.
    buffer_flits : int
        Flits that each of them holds at a router's input.
    route_cycles, vc_allocation_cycles, switch_allocation_cycles, traversal_cycles : int
        Cycles of a router's stages.
    link_cycles, credit_cycles : int
        Cycles of a link between routers, and cycles more that a router takes to count a credit.
    speculative : bool
        Whether a head asks for the switch together with its virtual channel.
    multicast : bool
        Whether routers copy packets, so that what several tiles need crosses the links that they share once.
    reduction : RouterAdder, optional
        What adds partial sums of several tiles up where they meet; without it, they are added where they arrive.
    energy_per_flit_pj : float, optional
        Energy of one flit over one hop, router and link, in picojoules.
    buffer_energy_per_flit_pj, crossbar_energy_per_flit_pj : float, optional
        Instead, of its write and read in a router's input buffer, and of its way through the switch.
    link_energy_per_flit_mm_pj : float, optional
        Instead, of one flit over one millimetre of link.
    link_mm : float, optional
        Length of a link between routers.
    gateway : int
        Index of the router that carries the external links.
    """

    topology: Annotated[AnyTopology, Field(discriminator="kind")]
    link_width_bits: Bits
    clock: ClockName
    fidelity: Literal["flit", "packet"] = "flit"
    vcs: Annotated[int, Field(ge=1, le=64)]
    buffer_flits: AtLeastOne
    route_cycles: Annotated[int, Field(ge=0, le=1000)]
    vc_allocation_cycles: Annotated[int, Field(ge=1, le=1000)]
    switch_allocation_cycles: Annotated[int, Field(ge=1, le=1000)]
    traversal_cycles: Annotated[int, Field(ge=0, le=1000)]
    link_cycles: Annotated[int, Field(ge=0, le=100_000)]
    credit_cycles: Annotated[int, Field(ge=0, le=1000)] = 0
    speculative: bool = False
    multicast: bool = False
    reduction: RouterAdder | None = None
    energy_per_flit_pj: EnergyPj | None = None
    buffer_energy_per_flit_pj: EnergyPj | None = None
    crossbar_energy_per_flit_pj: EnergyPj | None = None
    link_energy_per_flit_mm_pj: EnergyPj | None = None
    link_mm: Positive | None = None
    gateway: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    @model_validator(mode="after")
    def _energies_are_one_way(self) -> Network:
        split = {
            "buffer_energy_per_flit_pj": self.buffer_energy_per_flit_pj,
            "crossbar_energy_per_flit_pj": self.crossbar_energy_per_flit_pj,
            "link_energy_per_flit_mm_pj": self.link_energy_per_flit_mm_pj,
        }
        given = [name for name, value in split.items() if value is not None]
        if given and self.energy_per_flit_pj is not None:
            self._refuse(given[0], split[given[0]], "either energy_per_flit_pj or its pieces, not both")
        if self.link_energy_per_flit_mm_pj is not None and self.link_mm is None:
            self._refuse("link_mm", None, "the length that link_energy_per_flit_mm_pj is for, in millimetres")
        if self.link_mm is not None and self.link_energy_per_flit_mm_pj is None:
            self._refuse(
                "link_mm", self.link_mm, "no length without link_energy_per_flit_mm_pj, which it is for"
            )
        if self.reduction is not None and self.topology.kind in ("fly", "bus"):
            expected = "none: packets of a butterfly or bus cannot turn off at a router on their way"
            self._refuse("reduction", self.reduction.lanes, expected)
        if self.vcs < self.topology.vcs_needed:
            expected = f"at least {self.topology.vcs_needed} ({self.topology.deadlock_free})"
            self._refuse("vcs", self.vcs, expected)
        return self

    @staticmethod
    def _refuse(path: str, found: object, expected: str) -> None:
        raise PydanticCustomError(
            "chip",
            "found {found}, expected {expected}",
            {"path": f"network.{path}", "found": repr(found), "expected": expected},
        )

    @property
    def router(self) -> Router:
        """How its routers are built."""
        return Router(
            vcs=self.vcs,
            buffer=self.buffer_flits,
            rd=self.route_cycles,
            va=self.vc_allocation_cycles,
            sa=self.switch_allocation_cycles,
            st=self.traversal_cycles,
            link=self.link_cycles,
            credit=self.credit_cycles,
            speculative=self.speculative,
        )

    @property
    def flit_energies_pj(self) -> dict[str, float | None]:
        """Energy of one flit in each piece of a hop, in picojoules, by the name it is charged to."""
        pieces = {
            "network.buffer": self.buffer_energy_per_flit_pj,
            "network.crossbar": self.crossbar_energy_per_flit_pj,
            "network.link": None
            if self.link_energy_per_flit_mm_pj is None or self.link_mm is None
            else self.link_energy_per_flit_mm_pj * self.link_mm,
        }
        if all(value is None for value in pieces.values()):
            return {"network": self.energy_per_flit_pj}
        return pieces

    def graph(self, tiles: int, gateways: int = 0, memory: Memory | None = None) -> Graph[str]:
        """Return the network of a chip with so many tiles, and ports of external links ``g0``, ``g1``, ….

        The ports of an off-chip memory are ``m0``, ``m1``, ….

        Where routers add, each has a port ``a0``, ``a1``, … to its adder.
        """
        graph = self.topology.graph(tiles)
        if self.reduction is not None:
            for index in range(self.topology.routers):
                self.topology.attach(graph, f"a{index}", index, at=index, kind="adder")
        for index in range(gateways):
            self.topology.attach(graph, f"g{index}", index, at=self.gateway, kind="gateway")
        for port in range(memory.ports if memory is not None else 0):
            assert memory is not None
            at = memory.router(port, self.topology.routers)
            self.topology.attach(graph, f"m{port}", port, at=at, kind="memory")
        return graph
