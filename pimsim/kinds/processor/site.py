"""What a chip file says of a processor, what it is made of, and what it does at its peak."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from pimsim.chip.base import Use, no_effect, refuse
from pimsim.chip.parts import DeviceMemory, DigitalUnit, Launcher, Links
from pimsim.chip.parts.clock import hertz
from pimsim.chip.site import WorkSite
from pimsim.chip.slot import Slot
from pimsim.registry import named

COLLECTIVES = ("AllGather", "AllReduce")
"""Ops in which processors exchange what they have."""


class Processor(WorkSite):
    """A processor: units in step, a buffer that they share, a memory. Each op is a kernel, one after another.

    Parameters
    ----------
    buffer : Buffer
        On the chip, between the memory and the units: what a kernel works on is there, no more.
    bus : Bus
        From the buffer to the units.
    memory : DeviceMemory
        Where weights, inputs and results of all kernels lie.
    launcher : Launcher
        What starts kernels.
    attention : str
        How attention is done: ``written``, op by op, scores through the memory; ``tiled``, in one kernel that keeps
        scores on the chip, tile by tile (FlashAttention); ``auto``, whichever is predicted to be faster.
    share : str
        How several processors share a model: ``stages``, each does ops of its own, one after another; ``tensor``, each
        does a share of every op, and they exchange results over their links.
    links : Links, optional
        To the other processors.
    in_flight : int
        Pieces of a kernel whose operands may be in the buffer or on their way: two are double buffering.
    """

    in_memory: ClassVar[bool] = True
    store_at: ClassVar[str] = "memory"

    kind: Literal["processor"] = "processor"
    in_flight: Annotated[int, Field(ge=1, le=1024)] = 3
    attention: Annotated[
        Literal["auto", "tiled", "written"],
        Field(json_schema_extra=no_effect("only attention, on systolic arrays and tensor units")),
    ] = "auto"
    share: Annotated[
        Literal["stages", "tensor"], Field(json_schema_extra=no_effect("only several processors"))
    ] = "stages"
    links: Annotated[Links, Slot("parts", Links)] | None = None
    memory: Annotated[DeviceMemory, Slot("parts", DeviceMemory)]
    launcher: Annotated[Launcher, Slot("parts", Launcher)]

    @classmethod
    def behaviour(cls) -> type[Any]:
        """Return what does ops on processors."""
        found: type[Any] = named("pimsim.kinds.processor.kind:ProcessorKind")
        return found

    @property
    def store(self) -> DeviceMemory:
        """Results wait in its memory."""
        return self.memory

    def clocked(self) -> Iterator[tuple[str, str]]:
        """Memory, launcher, and what every site has."""
        yield "memory", self.memory.clock
        yield "launcher", self.launcher.clock
        if self.links is not None:
            yield "links", self.links.clock
        yield from super().clocked()

    def check(self) -> None:
        """Refuse processors that share ops and have no links to exchange results."""
        super().check()
        if self.sharers > 1 and self.links is None:
            raise refuse(
                "links", None, f"links between the {self.seats} processors, as share: tensor needs them"
            )
        if self.sharers > 1 and super().unit_of("Accumulate") is None:
            raise refuse("digital", list(self.digital), "a unit with Accumulate, to add exchanged sums up")

    @property
    def sharers(self) -> int:
        """All of them, if they share ops."""
        return self.seats if self.share == "tensor" else 1

    def unit_of(self, operation: str) -> str | None:
        """What is exchanged is added up by the unit that accumulates."""
        if operation in COLLECTIVES:
            return None if self.links is None else super().unit_of("Accumulate")
        return super().unit_of(operation)

    def weights(self, bits: int) -> int:
        """Return the weights of so many bits that all memories hold."""
        return self.count * (self.memory.capacity_bytes * 8 // bits)

    def macs_per_second(self) -> float:
        """Return the multiply-accumulates of a second of the units that do products, every lane at work."""
        return sum(
            unit.per_second(self.clocks, self.count * unit.count)
            * self._speed(unit, self._native_bits)
            / cost
            for unit in self.digital.values()
            if (cost := unit.cost_of("MatMul")) is not None
        )

    def speedup(self, bits: int) -> float:
        """By the data type that its products take, and by zeros that are left out."""
        units = [unit for unit in self.digital.values() if unit.cost_of("MatMul") is not None]
        own = sum(unit.per_second(self.clocks, unit.count) * unit.speed(self._native_bits) for unit in units)
        then = sum(unit.per_second(self.clocks, unit.count) * unit.speed(bits) for unit in units)
        return then / own if own else 1.0

    @property
    def _native_bits(self) -> int:
        return max(self.place.precision.weight_bits, self.place.precision.input_bits)

    @staticmethod
    def _speed(unit: DigitalUnit, bits: int) -> float:
        """Multiply-accumulates of a lane, those by zeros that are left out counted too."""
        return unit.speed(bits) * (2 if getattr(unit, "sparse_weights", False) else 1)

    def summary(self) -> str:
        """Units and memory."""
        units = ", ".join(f"{unit.count} {name}" for name, unit in self.digital.items())
        return f"processor, units: {units}; {self.memory.capacity_kib / 2**20:g} GiB of memory"

    def uses(self) -> Iterator[Use]:
        """Memory and launcher all the time, what every site has, and a register as fast as the bus."""
        yield from super().uses()
        rate = self.memory.per_second(self.clocks, self.count)
        yield Use(self.label("memory"), self.memory, self.count, rate)
        starts = self.count * self.launcher.per_second(self.clocks)
        yield Use(self.label("launcher"), self.launcher, self.count, starts)
        if self.links is not None:
            yield Use(self.label("links"), self.links, self.count, self.count * self.links.per_second())
        if self.output_register is not None:
            moved = self.count * self.bus.width_bits / 8 * hertz(self.clocks, self.bus.clock)
            yield Use(self.label("output_register"), self.output_register, self.count, moved)

    def ways(self) -> dict[str, float]:
        """Return what moves data, in GB/s: buses, buffers, and its memory."""
        return {**super().ways(), "memory": self.memory.gb_per_s(self.clocks)}
