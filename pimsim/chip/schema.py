"""The schema of a chip file, ``pimsim-chip/2``: what stands where, and what fits with what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pimsim.chip.base import Positive, Text, no_effect, refuse
from pimsim.chip.faults import Fault, check_faults
from pimsim.chip.graph import graph_of
from pimsim.chip.parts import Clock, ExternalLinks, Model, Network, Other, Sourced
from pimsim.chip.precision import Precision
from pimsim.chip.site import Name, Place, Site
from pimsim.chip.slot import Slot

if TYPE_CHECKING:
    from networkx import Graph

SCHEMA = "pimsim-chip/2"


class Published(Sourced):
    """Figures that a publication gives for the whole chip, to stand beside the computed ones.

    Parameters
    ----------
    tops : float, optional
        Peak throughput in 1e12 operations a second; 1 MAC = 2 operations.
    watts : float, optional
        Power at that throughput.
    area_mm2 : float, optional
        Area of the chip.
    tops_per_watt, tops_per_mm2 : float, optional
        Peak efficiencies.
    weights_mb : float, optional
        Weight capacity in MB (1e6 bytes).
    mvm_ns, mvm_nj : float, optional
        Time and energy of one matrix-vector multiplication of a core.
    """

    no_effect: ClassVar[str] = "a published figure, which stands beside the computed one and enters no run"

    tops: Positive | None = None
    watts: Positive | None = None
    area_mm2: Positive | None = None
    tops_per_watt: Positive | None = None
    tops_per_mm2: Positive | None = None
    weights_mb: Positive | None = None
    mvm_ns: Positive | None = None
    mvm_nj: Positive | None = None


class ChipConfig(Model):
    """A whole chip.

    Parameters
    ----------
    schema_ : str
        ``pimsim-chip/2`` (the key is ``schema``).
    name, description : str
        What it is called, and what it is, in one line.
    source : str
        The publication it follows.
    technology_nm : float
        Technology node in nanometres.
    precision : Precision
        Native precision.
    clocks : dict of str to Clock
        The clock domains by name.
    sites : dict of str to Site
        Where work is done or data kept, by name; ``kind`` says what sort of site it is.
    network, external
        What joins the sites, and the chip to others and its host.
    other : dict of str to Other
        Parts with area and power that take no part in the simulation.
    faults : list of Fault, optional
        Parts that fail in the course of a run.
    published : Published
        Published totals.
    notes : list of str
        What is not modelled, and what does not follow from the parts.
    """

    schema_: Literal["pimsim-chip/2"] = Field(alias="schema")
    name: Annotated[str, Field(min_length=1, max_length=100)]
    description: Text
    source: Text = ""
    technology_nm: Annotated[
        float,
        Field(
            ge=0.1,
            le=10_000,
            allow_inf_nan=False,
            json_schema_extra=no_effect(
                "only a converter's model follows it; every other figure stays as its source gives it"
            ),
        ),
    ]
    precision: Precision
    clocks: dict[Annotated[str, Field(min_length=1, max_length=100)], Clock] = Field(min_length=1)
    sites: dict[Name, Annotated[Site, Slot("kinds")]]
    network: Network
    external: ExternalLinks
    other: dict[Name, Other] = Field(default_factory=dict)
    faults: list[Fault] | None = None
    published: Published = Field(default_factory=Published)
    notes: list[Text] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits_together(self) -> ChipConfig:
        with_cores = [site for site in self.sites.values() if site.part_at("core") is not None]
        for name, site in self.sites.items():
            inside = len(with_cores) == 1 and "core" not in self.sites
            # A site belongs to one chip: a copy of a chip binds copies.
            self.sites[name] = site = site.model_copy()
            site._place = Place(name, self.clocks, self.precision, self.technology_nm, inside)
        for path, clock in self._clocked():
            if clock not in self.clocks:
                raise refuse(f"{path}.clock", clock, "one of the clocks: " + ", ".join(self.clocks))
        for name, site in self.sites.items():
            try:
                site.check()
            except PydanticCustomError as error:
                context = dict(error.context or {})
                context["path"] = f"sites.{name}.{context['path']}"
                raise PydanticCustomError("chip", "found {found}, expected {expected}", context) from None
        for name, other in self.other.items():
            if other.per not in {"chip", "core", *self.sites}:
                raise refuse(
                    f"other.{name}.per", other.per, f"chip, core, or a site: {', '.join(self.sites)}"
                )
        self._check_places()
        if self.faults:
            check_faults(self.faults, self.working, self.graph())
        return self

    def _clocked(self) -> Iterator[tuple[str, str]]:
        for name, site in self.sites.items():
            for path, clock in site.clocked():
                yield f"sites.{name}.{path}", clock
        yield "network", self.network.clock

    def _check_places(self) -> None:
        """Refuse more sites than the network has places for, and a place that it does not have."""
        topology = self.network.topology
        if not self.working:
            found = ", ".join(self.sites) or "none"
            raise refuse("sites", found, "a site that ops can be done at: nothing is left to compute")
        for name, site in self.sites.items():
            if site.at is None:
                continue
            if len(site.at) != site.count:
                raise refuse(f"sites.{name}.at", site.at, f"a router for each of the {site.count}")
            for node in site.at:
                if int(node[1:]) >= topology.routers:
                    expected = f"one of the network's routers, r0 to r{topology.routers - 1}"
                    raise refuse(f"sites.{name}.at", node, expected)
        taken = 0
        for name, site in self.working.items():
            taken += site.count if site.at is None else 0
            if taken > topology.places:
                expected = f"at most the {topology.places} places that network.topology has, for all sites without 'at'"
                raise refuse(f"sites.{name}.count", site.count, expected)
        if self.network.gateway >= topology.routers:
            expected = f"the index of one of the {topology.routers} routers, 0 to {topology.routers - 1}"
            raise refuse("network.gateway", self.network.gateway, expected)

    # -- what follows from it ----------------------------------------------------------------------------------

    @property
    def working(self) -> dict[str, Any]:
        """The sites that ops can be done at, by name; they are numbered in this order."""
        return {name: site for name, site in self.sites.items() if site.takes_ops}

    @property
    def tiles(self) -> int:
        """How many sites there are that ops can be done at."""
        return sum(site.count for site in self.working.values())

    def tiles_of(self, name: str) -> range:
        """Return the numbers of the sites of a name that ops can be done at."""
        first = 0
        for each, site in self.working.items():
            if each == name:
                return range(first, first + site.count)
            first += site.count
        raise KeyError(name)

    def site_at(self, tile: int) -> Any:
        """Return the site that a number, from 0 on, belongs to."""
        for name, site in self.working.items():
            if tile in self.tiles_of(name):
                return site
        raise IndexError(tile)

    @property
    def memory(self) -> Any:
        """The off-chip memory: the first site that keeps data and does no ops; None if there is none."""
        return next((site for site in self.sites.values() if not site.takes_ops), None)

    def owners(self, per: str) -> int:
        """Return how many there are of what another part may belong to: the chip, a site by its name, ``core``."""
        if per == "chip":
            return 1
        if per in self.sites:
            return int(self.sites[per].count)
        return sum(
            site.count * site.cores for site in self.working.values() if site.part_at("core") is not None
        )

    def path_of(self, part: str) -> str:
        """Return where a part stands in the chip file, by what results call it.

        Parameters
        ----------
        part : str
            ``core.array``, ``tile.buffer``, ``network``, …
        """
        for name, site in self.sites.items():
            if part == name:
                return f"sites.{name}"
            if part.startswith(f"{name}."):
                return f"sites.{part}"
            if part.startswith("core.") and site.place.inside and site.part_at("core") is not None:
                return f"sites.{name}.{part}"
        return part

    def graph(self) -> Graph[str]:
        """Return the network of one chip: see `pimsim.chip.graph.graph_of`."""
        return graph_of(self.network, self.sites, self.external.count)
