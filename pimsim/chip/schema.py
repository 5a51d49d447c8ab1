"""The schema of a chip file, ``pimsim-chip/1``: what stands where, and what fits with what."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pimsim.chip.parts import (
    Adc,
    Array,
    Buffer,
    Bus,
    Clock,
    Dac,
    DigitalUnit,
    ExternalLinks,
    Memory,
    Model,
    Network,
    Other,
    Register,
    SampleHold,
    ShiftAdd,
    Sourced,
)
from pimsim.chip.parts.base import Count, Positive, Text, no_effect

SCHEMA = "pimsim-chip/1"
Name = Annotated[str, Field(min_length=1, max_length=100)]
DataBits = Annotated[int, Field(ge=1, le=64)]


class Precision(Sourced):
    """The chip's native precision, for traces that do not state their own.

    Parameters
    ----------
    weight_bits, input_bits : int
        Bits of a weight and of an activation.
    accumulator_bits : int
        Bits of a partial sum that travels between cores or tiles.
    """

    weight_bits: DataBits
    input_bits: DataBits
    accumulator_bits: DataBits


class Core(Sourced):
    """A group of arrays with their converters (ISAAC's IMA); the arrays of one op in it work in step.

    Parameters
    ----------
    arrays : int
        Arrays in a core.
    array, dac, sample_hold, adc, shift_add, input_register, output_register
        Its parts; `sample_hold` may be absent.
    """

    arrays: Count
    array: Array
    dac: Dac
    sample_hold: SampleHold | None = None
    adc: Adc
    shift_add: ShiftAdd
    input_register: Register
    output_register: Register


class Tile(Sourced):
    """A group of cores that share a buffer, a bus and digital units.

    Parameters
    ----------
    cores : int
        Cores in a tile.
    in_flight : int
        Matrix-vector multiplications of one op that a core may have under way at once; with three, one
        loads while another computes and a third drains.
    buffer, bus, digital, output_register
        Its parts; `digital` by name, `output_register` may be absent.
    """

    cores: Count
    in_flight: Annotated[int, Field(ge=1, le=1024)] = 3
    buffer: Buffer
    bus: Bus
    digital: dict[Name, DigitalUnit]
    output_register: Register | None = None


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
        ``pimsim-chip/1`` (the key is ``schema``).
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
    tiles : int
        Tiles of a chip, all alike.
    tile, core, network, external, memory
        The parts; `memory` off the chip may be absent.
    products : str
        How products of two activations are done where attention cuts them by heads: ``digital`` on a digital unit,
        ``write`` with the right matrix written into arrays, ``auto`` whichever is faster. Others are done on a
        digital unit.
    other : dict of str to Other
        Parts with area and power that take no part in the simulation.
    published : Published
        Published totals.
    notes : list of str
        What is not modelled, and what does not follow from the parts.
    """

    schema_: Literal["pimsim-chip/1"] = Field(alias="schema")
    name: Name
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
    clocks: dict[Name, Clock] = Field(min_length=1)
    tiles: Count
    tile: Tile
    core: Core
    network: Network
    external: ExternalLinks
    memory: Memory | None = None
    products: Literal["digital", "write", "auto"] = "digital"
    other: dict[Name, Other] = Field(default_factory=dict)
    published: Published = Field(default_factory=Published)
    notes: list[Text] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits_together(self) -> ChipConfig:
        self._check_clocks()
        if self.products != "digital" and self.core.array.write_ns is None:
            _refuse(
                "products", self.products, "digital, as core.array.write_ns gives no time to write a row in"
            )
        core, topology = self.core, self.network.topology
        if core.arrays % core.adc.banks:
            _refuse("core.adc.banks", core.adc.banks, f"a divisor of core.arrays ({core.arrays})")
        beyond = core.adc.beyond(self.clocks, self.technology_nm)
        if beyond is not None:
            _refuse(*beyond)
        if not self.tiles <= topology.places:
            _refuse(
                "tiles",
                self.tiles,
                f"at most the {topology.places} tiles that network.topology has places for",
            )
        if self.network.gateway >= topology.routers:
            expected = f"the index of one of the {topology.routers} routers, 0 to {topology.routers - 1}"
            _refuse("network.gateway", self.network.gateway, expected)
        seen: dict[str, str] = {}
        for unit_name, unit in self.tile.digital.items():
            for op in unit.operations:
                if op in seen:
                    expected = f"an op in one unit only (it is in '{seen[op]}' too)"
                    _refuse(f"tile.digital.{unit_name}.operations.{op}", op, expected)
                seen[op] = unit_name
        return self

    def _check_clocks(self) -> None:
        """Refuse a part whose clock is not declared."""
        core, tile = self.core, self.tile
        users = {
            "core.array": core.array.clock,
            "core.adc": core.adc.clock,
            "core.shift_add": core.shift_add.clock,
            "tile.buffer": tile.buffer.clock,
            "tile.bus": tile.bus.clock,
            **{f"tile.digital.{name}": unit.clock for name, unit in tile.digital.items()},
            "network": self.network.clock,
        }
        for path, clock in users.items():
            if clock not in self.clocks:
                _refuse(f"{path}.clock", clock, "one of the clocks: " + ", ".join(self.clocks))


def _refuse(path: str, found: object, expected: str) -> None:
    """Raise what the loader turns into a ConfigError at `path`."""
    raise PydanticCustomError(
        "chip",
        "found {found}, expected {expected}",
        {"path": path, "found": repr(found), "expected": expected},
    )
