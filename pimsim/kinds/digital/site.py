"""What a chip file says of digital tiles, what they are made of, and what they do at their peak."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from pimsim.chip.base import Bits, ClockName, Cycles, EnergyPj, Part, Positive, Use, Visit
from pimsim.chip.parts.clock import Clocks, hertz, period_fs
from pimsim.chip.site import WorkSite
from pimsim.registry import named


class WeightBanks(Part):
    """A tile's memory for weights, in banks that are read side by side; one instance is one bank.

    Weights stay in it. A bank gives a word in each cycle.

    Parameters
    ----------
    banks : int
        Banks in a tile.
    capacity_kib : float
        Size of a bank in KiB (1024 bytes).
    width_bits : int
        Bits of a word.
    clock : str
        Name of its clock.
    latency_cycles : int
        Cycles from the request to the first word.
    energy_per_access_pj : float, optional
        Energy of reading a word, in picojoules.
    """

    action: ClassVar[str] = "energy_per_access_pj"

    banks: Annotated[int, Field(ge=1, le=4096)]
    capacity_kib: Positive
    width_bits: Bits
    clock: ClockName
    latency_cycles: Cycles
    energy_per_access_pj: EnergyPj | None = None

    @property
    def capacity_bits(self) -> int:
        """What a bank holds, in bits."""
        return int(self.capacity_kib * 1024) * 8

    def words(self, bits: int) -> int:
        """Return the words that so many bits take."""
        return -(-bits // self.width_bits)

    def read(self, bits: int, clocks: Clocks) -> Visit:
        """Read so many bits of a bank: the reader goes on with the first word."""
        period, words = period_fs(clocks, self.clock), self.words(bits)
        return Visit(words * period, max(1, self.latency_cycles) * period, words)

    def write(self, bits: int, clocks: Clocks) -> Visit:
        """Write so many bits of a bank; they are there when the last word is."""
        period, words = period_fs(clocks, self.clock), self.words(bits)
        return Visit(words * period, (words - 1 + max(1, self.latency_cycles)) * period, words)

    def per_second(self, clocks: Clocks, count: int = 1) -> float:
        """Return the words of a second that so many banks give."""
        return count * hertz(clocks, self.clock)

    def doubled(self) -> dict[str, Any]:
        """Twice the banks."""
        return {"banks": 2 * self.banks}

    def enlarged(self) -> dict[str, Any]:
        """Twice the capacity."""
        return {"capacity_kib": 2 * self.capacity_kib}


class Digital(WorkSite):
    """Tiles of digital units.

    Parameters
    ----------
    weights_in : WeightBanks, optional
        Where weights stay; without it, ops with weights are done elsewhere.
    """

    kind: Literal["digital"] = "digital"
    weights_in: WeightBanks | None = None

    @classmethod
    def behaviour(cls) -> type[Any]:
        """Return what does ops on digital tiles."""
        found: type[Any] = named("pimsim.kinds.digital.kind:DigitalKind")
        return found

    def clocked(self) -> Iterator[tuple[str, str]]:
        """The weights' banks, and what every tile has."""
        if self.weights_in is not None:
            yield "weights_in", self.weights_in.clock
        yield from super().clocked()

    @property
    def banks(self) -> int:
        """Banks of weights of one tile."""
        return 0 if self.weights_in is None else self.weights_in.banks

    def weights(self, bits: int) -> int:
        """Return the weights of so many bits that all banks hold."""
        held = self.weights_in
        return 0 if held is None else self.count * held.banks * (held.capacity_bits // bits)

    def macs_per_second(self) -> float:
        """Return the multiply-accumulates of a second of the units that multiply weights, every lane at work."""
        if self.weights_in is None:
            return 0.0
        return sum(
            unit.per_second(self.clocks, self.count * unit.count) / unit.operations["Conv"]
            for unit in self.digital.values()
            if "Conv" in unit.operations
        )

    def slot_ceilings(self, operations: float, input_bits: int, tiles: int) -> dict[str, float]:
        """The units that multiply, of the op's own tiles."""
        return {"digital units": 2 * self.macs_per_second() / self.count * tiles / 1e9}

    def summary(self) -> str:
        """Units, and banks where weights stay."""
        units = self.count * sum(unit.count for unit in self.digital.values())
        return f"digital, {units} units, {self.count * self.banks} banks of weights"

    def uses(self) -> Iterator[Use]:
        """The banks as fast as the multipliers take them, what every tile has, and a register as fast as the bus."""
        if self.weights_in is not None:
            banks = self.count * self.weights_in.banks
            taken = self.macs_per_second() * self.place.precision.weight_bits / self.weights_in.width_bits
            rate = min(taken, self.weights_in.per_second(self.clocks, banks))
            yield Use(self.label("weights_in"), self.weights_in, banks, rate)
        yield from super().uses()
        if self.output_register is not None:
            rate = self.bus.per_second(self.clocks, self.count) * self.bus.width_bits / 8
            yield Use(self.label("output_register"), self.output_register, self.count, rate)
