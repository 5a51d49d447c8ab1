"""A site in a chip file: where work is done or data kept, an endpoint of the network.

A kind of site is a class here that says what a chip file may say of it and what it is made of, and, behind
`Site.behaviour`, a class of `pimsim.mapping.planning.kind` that says what it does. Kinds plug in: see
`pimsim.registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field, PrivateAttr

from pimsim.chip.base import Count, Part, Positive, Use, no_effect, refuse
from pimsim.chip.parts import Buffer, Bus, Clock, DigitalUnit, Register, Sourced
from pimsim.chip.parts.clock import Clocks
from pimsim.chip.power import PowerStates
from pimsim.chip.precision import Precision
from pimsim.chip.slot import Slot

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,99}$")]
RouterName = Annotated[str, Field(pattern=r"^r(0|[1-9][0-9]{0,6})$")]


class Place(NamedTuple):
    """What a site knows of the chip that it is part of.

    Parameters
    ----------
    name : str
        What the chip file calls the site.
    clocks : mapping of str to Clock
        The chip's.
    precision : Precision
        The chip's.
    technology_nm : float
        The chip's, in nanometres.
    inside : bool
        Whether what is inside its cores is called by that alone, as ``core.array``: no other site has cores.
    """

    name: str
    clocks: Clocks
    precision: Precision
    technology_nm: float
    inside: bool


class Site(Sourced, ABC):
    """One name of a chip's ``sites``: so many alike.

    Parameters
    ----------
    kind : str
        Which kind it is.
    count : int
        How many there are.
    at : list of str, optional
        The router of each (``r0``, ``r1``, …); without it they take the topology's places, one after another.
    """

    plugs: ClassVar[str] = "kinds"
    takes_ops: ClassVar[bool] = True
    """Whether ops can be done here: such sites have numbers, over all names, in the order of the chip file."""

    kind: str
    count: Count = 1
    at: list[RouterName] | None = None
    _place: Place | None = PrivateAttr(None)

    def __eq__(self, other: object) -> bool:
        """Whether the chip file says the same of both."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    # -- what every kind answers -------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def behaviour(cls) -> type[Any]:
        """Return the class, a `pimsim.mapping.planning.kind.Kind`, that says what is done here and how."""

    @abstractmethod
    def uses(self) -> Iterator[Use]:
        """Yield what all sites of this name are made of, and what each part does at its peak."""

    @abstractmethod
    def clocked(self) -> Iterator[tuple[str, str]]:
        """Yield the parts that have a clock, by their path below the site, with its name."""

    # -- what some kinds answer otherwise ----------------------------------------------------------------------

    def check(self) -> None:
        """Refuse what does not fit together: raise `pimsim.chip.base.refuse` with a path below the site."""

    def read(self) -> dict[str, Any]:
        """Return what it has read from files beside the chip file, as plain data by their names: it affects results."""
        return {}

    def warnings(self) -> Iterator[str]:
        """Yield what is allowed but looks like a mistake, each with its path."""
        yield from ()

    def notes(self, overridden: Sequence[str]) -> Iterator[tuple[list[str], str]]:
        """Yield in words what models carry and what keys do not affect, each after the ends of keys that it is about.

        Parameters
        ----------
        overridden : sequence of str
            The paths of the keys that were overridden.
        """
        yield from ()

    def summary(self) -> str:
        """Return what there is of it, in a few words."""
        return self.kind

    def highlights(
        self, power_mw: Mapping[str, float | None]
    ) -> Iterator[tuple[str, str, float | None, str]]:
        """Yield figures that a chip of such sites is known by: name, unit, value, and the key of the published one.

        Parameters
        ----------
        power_mw : mapping of str to float
            Peak power of each part, by what results call it.
        """
        yield from ()

    def weights(self, bits: int) -> int:
        """Return how many weights of so many bits stay in all sites of this name; 0 where none do."""
        return 0

    def macs_per_second(self) -> float:
        """Return the multiply-accumulates of a second at native precision, all sites at their peak."""
        return 0.0

    def speedup(self, bits: int) -> float:
        """Return how many times as fast it multiplies elements of so many bits as those of the chip's precision."""
        return 1.0

    def ceilings(self, weight_bits: int, input_bits: int) -> dict[str, float]:
        """Return what bounds all sites of this name, in 1e9 operations a second; 1 MAC = 2 operations."""
        return {}

    def part_at(self, path: str) -> Any:
        """Return the part under a path below the site; None if there is none."""
        found: Any = self
        for key in path.split("."):
            found = found.get(key) if isinstance(found, dict) else getattr(found, key, None)
        return found

    def doubled_part(self, path: str) -> dict[str, Any]:
        """Return the keys below the site, and their values, of twice as many of a part."""
        part = self.part_at(path)
        return (
            {f"{path}.{key}": value for key, value in part.doubled().items()}
            if isinstance(part, Part)
            else {}
        )

    def faster_part(self, path: str, factor: int) -> dict[str, Any]:
        """Return the keys below the site, and their values, of a part so many times as fast; 0 is infinitely."""
        part = self.part_at(path)
        if not isinstance(part, Part):
            return {}
        return {f"{path}.{key}": value for key, value in part.faster(factor).items()}

    # -- what it knows -----------------------------------------------------------------------------------------

    @property
    def place(self) -> Place:
        """What it knows of its chip."""
        # As self._place, ten times as fast: planning and lowering ask a hundred thousand times.
        place: Place | None = (self.__pydantic_private__ or {}).get("_place")
        assert place is not None, "a site is part of a chip"
        return place

    @property
    def name(self) -> str:
        """What the chip file calls it."""
        return self.place.name

    @property
    def clocks(self) -> Clocks:
        """The chip's clocks."""
        return self.place.clocks

    def clock_of(self, name: str) -> Clock:
        """Return one of the chip's clocks."""
        return self.place.clocks[name]

    def label(self, path: str) -> str:
        """Return what results call a part of the site, by its path below it."""
        if path.startswith("core.") and self.place.inside:
            return path
        return f"{self.name}.{path}"


class WorkSite(Site):
    """A site with a buffer that the network ends in, a bus behind it, and digital units on that.

    Parameters
    ----------
    in_flight : int
        Firings of one op that may be under way at once in what works beside the digital units; with three, one loads
        while another computes and a third drains.
    buffer, bus, digital, output_register
        Its parts; `digital` by name, `output_register` may be absent.
    spares : int, optional
        Of the sites, so many of each chip are kept free for others that fail: the last ones.
    static_power_mw : float, optional
        Power of one site in milliwatts that runs with time, beside that of its parts.
    power : PowerStates, optional
        When it goes idle or is gated; without it, it is active for the whole run.
    """

    in_flight: Annotated[
        int,
        Field(
            ge=1,
            le=1024,
            json_schema_extra=no_effect(
                "only ops with weights, and results that go from one part to the next"
            ),
        ),
    ] = 3
    buffer: Annotated[Buffer, Slot("parts", Buffer)]
    bus: Annotated[Bus, Slot("parts", Bus)]
    digital: dict[Name, Annotated[DigitalUnit, Slot("parts", DigitalUnit)]]
    output_register: Annotated[Register, Slot("parts", Register)] | None = None
    spares: Count | None = None
    static_power_mw: Positive | None = None
    power: PowerStates | None = None

    in_memory: ClassVar[bool] = False
    """Whether ops leave their results where those after them at the site read them: nothing moves in between."""
    store_at: ClassVar[str] = "buffer"
    """Where, below the site, what ops take from one another waits."""

    @property
    def store(self) -> Buffer:
        """What tokens wait in: its buffer."""
        return self.buffer

    @property
    def seats(self) -> int:
        """The sites of a chip that ops may be put on: all but the spare ones."""
        return self.count - (self.spares or 0)

    def clocked(self) -> Iterator[tuple[str, str]]:
        """Buffer, bus and digital units."""
        yield "buffer", self.buffer.clock
        yield "bus", self.bus.clock
        for name, unit in self.digital.items():
            yield f"digital.{name}", unit.clock

    def check(self) -> None:
        """Each op type and each class is in one unit only; not every site is a spare one."""
        if self.spares is not None and self.spares >= self.count:
            raise refuse(
                "spares", self.spares, f"fewer than the {self.count} sites: nothing is left to compute"
            )
        seen: dict[str, str] = {}
        for unit_name, unit in self.digital.items():
            for field, what in (("operations", "an op"), ("classes", "a class")):
                for name in getattr(unit, field):
                    if name in seen:
                        expected = f"{what} in one unit only (it is in '{seen[name]}' too)"
                        raise refuse(f"digital.{unit_name}.{field}.{name}", name, expected)
                    seen[name] = unit_name

    def uses(self) -> Iterator[Use]:
        """Buffer, bus and digital units work in every cycle of their clocks."""
        clocks, count = self.clocks, self.count
        yield Use(self.label("buffer"), self.buffer, count, self.buffer.per_second(clocks, count))
        yield Use(self.label("bus"), self.bus, count, self.bus.per_second(clocks, count))
        for name, unit in self.digital.items():
            units = count * unit.count
            yield Use(self.label(f"digital.{name}"), unit, units, unit.per_second(clocks, units))
        if self.static_power_mw is not None:
            yield Use(self.name, Part(static_power_mw=self.static_power_mw), count)

    @property
    def sharers(self) -> int:
        """Sites of a chip that do each op together, each a share of it; 1 where each does ops of its own."""
        return 1

    def unit_of(self, operation: str) -> str | None:
        """Return the unit that does an op, as it lists it by name or has its class; None if there is none."""
        named = (name for name, unit in self.digital.items() if operation in unit.operations)
        classed = (name for name, unit in self.digital.items() if unit.cost_of(operation) is not None)
        return next(named, None) or next(classed, None)

    def unit_gops(self, name: str, bits: int) -> float:
        """Return the operations of a second of a tile's units of a name, in 1e9; of a matrix unit's MAC 2.

        With elements of so many bits.
        """
        unit = self.digital[name]
        return self.ops_of(name) * unit.per_second(self.clocks, unit.count) * unit.speed(bits) / 1e9

    def ops_of(self, name: str) -> int:
        """Return the operations of an element in a unit: a matrix unit's are multiply-accumulates."""
        unit = self.digital[name]
        return 2 if not unit.classes and set(unit.operations) <= {"MatMul", "Conv", "Gemm"} else 1

    def ceilings(self, weight_bits: int, input_bits: int) -> dict[str, float]:
        """Digital units, every lane at work."""
        bits = max(weight_bits, input_bits)
        return {"digital units": self.count * sum(self.unit_gops(name, bits) for name in self.digital)}

    def ways(self) -> dict[str, float]:
        """Return what moves data in a site, in GB/s (1e9 bytes a second)."""
        return {"buses": self.bus.gb_per_s(self.clocks), "buffers": self.buffer.gb_per_s(self.clocks)}

    def slot_ceilings(self, operations: float, input_bits: int, tiles: int) -> dict[str, float]:
        """Return what bounds an op that does so many operations in a firing of slots, at so many tiles, in 1e9/s."""
        return {}
