"""Network: the routers and links that join the tiles of a chip."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pimsim.chip.base import Bits, ClockName, Energy, EnergyPj, Part, Positive, no_effect
from pimsim.chip.parts.clock import Clocks, hertz
from pimsim.chip.parts.router_adder import RouterAdder
from pimsim.chip.router import Router
from pimsim.chip.slot import Slot
from pimsim.chip.topology import Topology

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
    vcs: Annotated[
        int, Field(ge=1, le=64, json_schema_extra=no_effect("only packets that wait for others on a link"))
    ]
    buffer_flits: AtLeastOne
    route_cycles: Annotated[int, Field(ge=0, le=1000)]
    vc_allocation_cycles: Annotated[int, Field(ge=1, le=1000)]
    switch_allocation_cycles: Annotated[int, Field(ge=1, le=1000)]
    traversal_cycles: Annotated[int, Field(ge=0, le=1000)]
    link_cycles: Annotated[
        int, Field(ge=0, le=100_000, json_schema_extra=no_effect("only packets that pass several routers"))
    ]
    credit_cycles: Annotated[
        int, Field(ge=0, le=1000, json_schema_extra=no_effect("only packets that pass several routers"))
    ] = 0
    speculative: bool = False
    multicast: Annotated[
        bool, Field(json_schema_extra=no_effect("only what several tiles of a chip need"))
    ] = False
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
