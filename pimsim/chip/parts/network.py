"""Network: the routers and links that join the tiles of a chip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pimsim.chip.base import Bits, ClockName, Energy, EnergyPj, Part, Positive
from pimsim.chip.parts.clock import Clocks, hertz
from pimsim.chip.parts.router_adder import RouterAdder
from pimsim.chip.router import Router
from pimsim.chip.slot import Slot
from pimsim.chip.topology import Topology

if TYPE_CHECKING:
    from networkx import Graph

    from pimsim.chip.schema import ChipConfig

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
        Instead, of its write and read in a router's input buffer, and of its way through the switch, in picojoules.
    link_energy_per_flit_mm_pj : float, optional
        Instead, of one flit over one millimetre of link, in picojoules.
    link_mm : float, optional
        Length of a link between routers, in millimetres.
    gateway : int
        Index of the router that carries the external links.
    """

    topology: Annotated[Topology, Slot("topologies")]
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
    reduction: Annotated[RouterAdder, Slot("parts", RouterAdder)] | None = None
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
        if self.reduction is not None and not self.topology.turns_off:
            expected = "none: packets of this topology cannot turn off at a router on their way"
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
            {"path": path, "found": repr(found), "expected": expected},
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

    def flits(self, bits: int) -> int:
        """Return the flits of a packet of so many bits."""
        return -(-bits // self.link_width_bits)

    def flit_energy(self, hops: int, links: int, flits: int) -> Energy:
        """Return the energy of a packet by what it is charged to: a router a hop, and the links between them."""
        return tuple(
            (part, None if energy is None else flits * (links if part == "network.link" else hops) * energy)
            for part, energy in self.flit_energies_pj.items()
            if flits * (links if part == "network.link" else hops)
        )

    @property
    def action_pj(self) -> float | None:
        """Energy of a flit over a hop, in picojoules; None where a piece of it is not modelled."""
        pieces = list(self.flit_energies_pj.values())
        return None if None in pieces else math.fsum(piece for piece in pieces if piece is not None)

    def per_second(self, clocks: Clocks) -> float:
        """Return the flits of a second in which every port of every router takes one in each cycle."""
        return self.topology.routers * self.topology.ports * hertz(clocks, self.clock)

    def adds_per_second(self, clocks: Clocks) -> float:
        """Return the sums of a second in which every lane of every router's adder adds in each cycle."""
        assert self.reduction is not None
        return hertz(clocks, self.clock) * self.reduction.lanes * self.topology.routers

    def gb_per_s(self, clocks: Clocks) -> float:
        """Return what a link carries at most, in GB/s (1e9 bytes a second)."""
        return self.link_width_bits / 8 * hertz(clocks, self.clock) / 1e9

    def doubled(self) -> dict[str, Any]:
        """Twice the wires."""
        return {"link_width_bits": 2 * self.link_width_bits}

    def enlarged(self) -> dict[str, Any]:
        """Twice the flits of a buffer."""
        return {"buffer_flits": 2 * self.buffer_flits}

    def graph(self, chip: ChipConfig) -> Graph[str]:
        """Return the network of a chip: its sites are ``t0``, ``t1``, …, the ports of external links ``g0``, ``g1``, ….

        The ports of off-chip memories are ``m0``, ``m1``, …. Where routers add, each has a port ``a0``, ``a1``, … to
        its adder.
        """
        in_places = sum(site.count for site in chip.working.values() if site.at is None)
        graph = self.topology.graph(in_places)
        if any(site.at is not None for site in chip.working.values()):
            graph = self._numbered(graph, chip)
        routers = self.topology.routers
        if self.reduction is not None:
            for index in range(routers):
                self.topology.attach(graph, f"a{index}", index, at=index, kind="adder")
        for index in range(chip.external.count):
            self.topology.attach(graph, f"g{index}", index, at=self.gateway, kind="gateway")
        port = 0
        for site in chip.sites.values():
            for index in range(0 if site.takes_ops else site.count):
                at = index * routers // site.count % routers if site.at is None else int(site.at[index][1:])
                self.topology.attach(graph, f"m{port}", port, at=at, kind="memory")
                port += 1
        return graph

    def _numbered(self, graph: Graph[str], chip: ChipConfig) -> Graph[str]:
        """Give the sites in the topology's places their numbers on the chip, and add those that say where they are."""
        import networkx

        own = [n for name, site in chip.working.items() if site.at is None for n in chip.tiles_of(name)]
        names = {f"t{place}": f"t{number}" for place, number in enumerate(own)}
        attached = {names.get(node, node): at for node, at in graph.graph["attached"].items()}
        if names != {node: node for node in names}:
            graph = networkx.relabel_nodes(graph, names)
            graph.graph["attached"] = attached
            for number in own:
                graph.nodes[f"t{number}"]["index"] = number
        for name, site in chip.working.items():
            for number, node in zip(chip.tiles_of(name), site.at or (), strict=False):
                self.topology.attach(graph, f"t{number}", number, at=int(node[1:]))
        return graph
