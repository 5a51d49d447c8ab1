"""What a chip file says of memory that computes, what it is made of, and what it does at its peak."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from pimsim.chip.base import Text, refuse
from pimsim.chip.parts import DigitalUnit
from pimsim.dram.load import STANDARD, kept_standard, stamp_of
from pimsim.dram.schema import Standard
from pimsim.dram.unit import Aim
from pimsim.dram.unit import HbmPim as Units
from pimsim.errors import ConfigError
from pimsim.kinds.processor.site import Processor
from pimsim.registry import named

CHANNEL = {"hbm_pim": "pseudo-channel", "aim": "channel"}


class HbmPim(Processor):
    """Channels of a memory with units at their banks; each op is a command program, in lock step on all.

    Units are those of HBM-PIM, on pseudo-channels, or of GDDR6-AiM, which only multiplies matrices by vectors.

    A host's controller starts programs, brings inputs from the memory into its buffer and writes them to the units'
    registers, reads results back, adds what lanes have summed apart, and writes them into the memory.

    Parameters
    ----------
    standard : str
        A memory of ``configs/memory/``, or a file like those, with units that compute.
    order : str
        The order in which its commands are sent: one of the standard's ``orders``.
    memory : DeviceMemory
        The same memory as others see it, through its data buses.
    buffer, bus : Buffer, Bus
        The controller's, between the memory and the units' registers.
    launcher : Launcher
        What starts programs.
    digital : dict of str to DigitalUnit
        One: all units together, as many as those of a pseudo-channel times the pseudo-channels, with the lanes that
        the standard states, and the ops that they do.
    in_flight : int
        Vectors of a product whose inputs may be in the buffer or on their way.
    """

    kind: Literal["hbm_pim"] = "hbm_pim"  # type: ignore[assignment]
    in_flight: Annotated[int, Field(ge=1, le=1024)] = 3
    standard: Text
    order: Text = STANDARD

    @classmethod
    def behaviour(cls) -> type[Any]:
        """Return what does ops there."""
        found: type[Any] = named("pimsim.kinds.hbm_pim.kind:HbmPimKind")
        return found

    @property
    def timings(self) -> Standard:
        """The memory, its timings and its units."""
        return kept_standard(self.standard, self.order)

    @property
    def units(self) -> DigitalUnit:
        """All units together."""
        (found,) = self.digital.values()
        return found

    @property
    def channels(self) -> int:
        """Pseudo-channels that do the same at the same time."""
        return self.units.count // units_in(self.timings)

    def check(self) -> None:
        """The units are those of whole pseudo-channels; the memory is no faster than their data buses."""
        super().check()
        try:
            memory = self.timings
        except ConfigError as error:
            raise refuse("standard", self.standard, f"a memory that computes: {error}") from None
        if not isinstance(memory.pim, Units | Aim):
            raise refuse("standard", self.standard, "a memory with units that compute, such as hbm2_pim")
        if len(self.digital) != 1:
            raise refuse("digital", ", ".join(self.digital), "one: all units of the memory together")
        ((name, unit),) = self.digital.items()
        for key, found, expected, words in (
            ("lanes", unit.lanes, memory.pim.lanes, f"the {memory.pim.lanes} of {memory.name}"),
            (
                "count",
                unit.count % units_in(memory),
                0,
                f"{units_in(memory)} for each {CHANNEL[memory.pim.kind]}",
            ),
        ):
            if found != expected:
                raise refuse(f"digital.{name}.{key}", getattr(unit, key), words)
        most, stated = self.channels * memory.peak_gb_per_s, self.memory.gb_per_s(self.clocks)
        if stated > most * (1 + 1e-9):
            words = f"{self.channels} {CHANNEL[memory.pim.kind]}s of {memory.name}"
            expected_ = f"no faster than {words}, {most:g} GB/s"
            raise refuse("memory.width_bits", f"{stated:g} GB/s", expected_)

    def read(self) -> dict[str, Any]:
        """Return the memory, where it is a file of the user's."""
        if not stamp_of(self.standard):
            return {}
        return {self.standard: self.timings.model_dump(mode="json", by_alias=True)}

    def macs_per_second(self) -> float:
        """Return the multiply-accumulates of a second: one in each lane with every column, at the most."""
        return self.count * _macs_per_second(self.timings, self.channels)

    def unit_gops(self, name: str, bits: int) -> float:
        """Return the operations of a second of a site's units, in 1e9: a multiply-accumulate a lane and column."""
        return 2 * _macs_per_second(self.timings, self.channels) / 1e9

    def ops_of(self, name: str) -> int:
        """Return the operations of an element: a multiply-accumulate's."""
        return 2

    def summary(self) -> str:
        """Units, channels and memory."""
        pim = self.timings.pim
        assert pim is not None
        return (
            f"{self.timings.name}, {self.units.count} units in {self.channels} {CHANNEL[pim.kind]}s; "
            f"{self.memory.capacity_kib / 2**20:.3g} GiB of memory"
        )

    def notes(self, overridden: Sequence[str]) -> Iterator[tuple[list[str], str]]:
        """What a program leaves out."""
        yield (
            [],
            f"{self.name}: programs hold the units, not the memory's port: what others read and write at the same time "
            "does not wait for them, nor they for it.",
        )
        if self.timings.energy is None:
            yield (
                [],
                f"{self.name}: energy of its programs is not modelled: no source gives {self.timings.name}'s.",
            )


def units_in(memory: Standard) -> int:
    """Return the units of a (pseudo-)channel."""
    from pimsim.dram.attacc import units_and_pace

    return units_and_pace(memory, "")[0]


def _macs_per_second(memory: Standard, channels: int) -> float:
    from pimsim.dram.attacc import units_and_pace

    units, cycles = units_and_pace(memory, "")
    assert memory.pim is not None
    return channels * units * memory.pim.lanes * 1e9 / (cycles * memory.period_ns)
