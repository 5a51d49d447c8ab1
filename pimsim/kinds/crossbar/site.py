"""What a chip file says of tiles of arrays, what they are made of, and what they do at their peak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from pimsim.chip.base import Count, Use, no_effect, refuse
from pimsim.chip.site import WorkSite
from pimsim.chip.upkeep import Refresh
from pimsim.kinds.crossbar.core import Core
from pimsim.registry import named
from pimsim.units import FS_PER_MS, FS_PER_S, MAX_FS, format_time


class Crossbar(WorkSite):
    """Tiles: groups of cores that share a buffer, a bus and digital units.

    Parameters
    ----------
    cores : int
        Cores in a tile.
    core : Core
        Each of them.
    products : str
        How products of two activations are done where attention cuts them by heads: ``digital`` on a digital unit,
        ``write`` with the right matrix written into arrays, ``auto`` whichever is faster. Others are done on a
        digital unit.
    """

    kind: Literal["crossbar"] = "crossbar"
    cores: Count
    core: Core
    products: Annotated[
        Literal["digital", "write", "auto"],
        Field(json_schema_extra=no_effect("only products of two activations that are done at these sites")),
    ] = "digital"

    @classmethod
    def behaviour(cls) -> type[Any]:
        """Return what does ops on tiles of arrays."""
        found: type[Any] = named("pimsim.kinds.crossbar.kind:CrossbarKind")
        return found

    def clocked(self) -> Iterator[tuple[str, str]]:
        """The parts of cores, then those of tiles."""
        yield "core.array", self.core.array.clock
        yield "core.adc", self.core.adc.clock
        yield "core.shift_add", self.core.shift_add.clock
        yield from super().clocked()

    def check(self) -> None:
        """Banks are whole, and what is to be written has a write time."""
        core = self.core
        if self.products != "digital" and core.array.write_ns is None:
            expected = "digital, as core.array.write_ns gives no time to write a row in"
            raise refuse("products", self.products, expected)
        if core.spares is not None and core.spares >= self.cores:
            expected = f"fewer than the {self.cores} cores of a tile: nothing is left to compute"
            raise refuse("core.spares", core.spares, expected)
        if core.arrays % core.adc.banks:
            raise refuse("core.adc.banks", core.adc.banks, f"a divisor of core.arrays ({core.arrays})")
        if core.array.refresh is not None:
            self._check_refresh(core.array.refresh)
        beyond = core.adc.beyond(self.clocks, self.place.technology_nm)
        if beyond is not None:
            key, found, expected = beyond
            if not key.startswith("core."):
                expected = f"{key}: {expected}"
            raise refuse(key if key.startswith("core.") else "core.adc.model", found, expected)
        super().check()

    def _check_refresh(self, refresh: Refresh) -> None:
        """What is written anew has a write time, and is over before the next time."""
        array = self.core.array
        if array.programming(self.clocks).row_fs is None:
            raise refuse("core.array.write_ns", None, "a time to write a row in, as core.array.refresh does")
        refresh.check("core.array.refresh", array.write(array.rows, 0, self.clocks).held)

    def warnings(self) -> Iterator[str]:
        """Phases that take long, and converters too coarse for the sums."""
        core, clocks = self.core, self.clocks
        for path, duration in (
            ("core.array.read_ns", core.read_fs(clocks)),
            ("core.adc.convert_cycles", core.conversion_fs(clocks)),
        ):
            if duration > FS_PER_MS:
                yield f"{path}: one phase takes {format_time(duration)}, more than 1 ms"
        if self.mvm_period_fs() > MAX_FS:
            yield "core: one multiplication takes more than 2.5 hours, which cannot be simulated"
        yield from self._outgrown()
        yield from (f"core.array.{text}" for text in core.array.warnings())
        levels = core.array.rows * (2**core.array.bits_per_cell - 1)
        if 2**core.adc.bits * 16 < levels and core.dac.bits == 1:
            yield f"core.adc.bits: {2**core.adc.bits} codes for sums of up to {levels}; four bits or more are lost"

    def _outgrown(self) -> Iterator[str]:
        """Yield the output registers that hold less than the outputs of one multiplication of native precision."""
        needed = self._outputs() * self.place.precision.accumulator_bits / 8
        registers = {
            "core.": (self.core.output_register, needed),
            "": (self.output_register, needed * self.cores),
        }
        for place, (register, size) in registers.items():
            if register is not None and register.capacity_bytes < size:
                have = f"{register.capacity_bytes} bytes for the {size:.0f} bytes of one multiplication's outputs"
                yield f"{place}output_register.capacity_bytes: {have}"

    def notes(self, overridden: Sequence[str]) -> Iterator[tuple[list[str], str]]:
        """What converters' models carry, and what more bits do to a counting one."""
        name, adc = self.label("core.adc"), self.core.adc
        for note in adc.notes(name, self.clocks, self.place.technology_nm):
            yield ["adc.bits"], note
        if any(path.endswith("adc.bits") for path in overridden) and adc.counting(name):
            yield ["adc.bits"], adc.counting(name)

    # -- what it can hold and do -------------------------------------------------------------------------------

    @property
    def arrays(self) -> int:
        """Arrays of one tile."""
        return self.cores * self.core.arrays

    def mvm_period_fs(self, input_bits: int | None = None) -> int:
        """Return the time between two multiplications of a core at inputs of so many bits (the chip's if None), fs."""
        bits = self.place.precision.input_bits if input_bits is None else input_bits
        return self.core.mvm_period_fs(bits, self.clocks)

    def weight_slices(self, bits: int | None = None) -> int:
        """Return the cells that hold a weight of so many bits (the chip's if None)."""
        return self.core.weight_slices(self.place.precision.weight_bits if bits is None else bits)

    def weights(self, bits: int) -> int:
        """Return the weights of so many bits that all arrays hold."""
        return self.count * self.arrays * self.core.array.cells // self.core.weight_slices(bits)

    def macs_per_second(self) -> float:
        """Return the multiply-accumulates of a second with every cell at work."""
        return self.weights(self.place.precision.weight_bits) / (self.mvm_period_fs() / FS_PER_S)

    def uses(self) -> Iterator[Use]:
        """The parts of the cores, each of which multiplies once in every issue period; then those of the tiles."""
        yield from self._core_uses()
        yield from super().uses()
        if self.output_register:
            size = self.cores * self._outputs() * self.place.precision.accumulator_bits / 8
            rate = self.count * size * FS_PER_S / self.mvm_period_fs()
            yield Use(self.label("output_register"), self.output_register, self.count, rate)

    def _outputs(self) -> int:
        """Outputs of a multiplication of all arrays of a core."""
        return self.core.arrays * self.core.array.columns // self.weight_slices()

    def _core_uses(self) -> Iterator[Use]:
        core, precision = self.core, self.place.precision
        cores = self.count * self.cores
        arrays = cores * core.arrays
        starts = FS_PER_S / self.mvm_period_fs()
        reads = arrays * core.phases(precision.input_bits) * starts
        samples = reads * core.array.columns
        bytes_in = min(
            core.arrays * core.array.rows * precision.input_bits / 8, core.input_register.capacity_bytes
        )
        bytes_out = self._outputs() * precision.accumulator_bits / 8
        yield Use(self.label("core.array"), core.array, arrays, reads)
        yield Use(self.label("core.dac"), core.dac, arrays * core.array.rows, reads * core.array.rows)
        if core.sample_hold:
            yield Use(self.label("core.sample_hold"), core.sample_hold, arrays * core.array.columns, samples)
        adc = core.adc.resolved(self.clocks, self.place.technology_nm)
        yield Use(self.label("core.adc"), adc, cores * core.adc.banks * core.adc.adcs_per_bank, samples)
        yield Use(self.label("core.shift_add"), core.shift_add, cores * core.shift_add.count, samples)
        for name, register, size in (
            ("input_register", core.input_register, bytes_in),
            ("output_register", core.output_register, bytes_out),
        ):
            yield Use(self.label(f"core.{name}"), register, cores, cores * size * starts)

    def summary(self) -> str:
        """Cores and arrays."""
        return f"crossbar, {self.count * self.cores} cores, {self.count * self.arrays} arrays"

    def highlights(
        self, power_mw: Mapping[str, float | None]
    ) -> Iterator[tuple[str, str, float | None, str]]:
        """One multiplication: how often, and its energy in the core."""
        period_fs, inside = self.mvm_period_fs(), self.label("core.")
        watts = sum(power or 0.0 for part, power in power_mw.items() if part.startswith(inside)) / 1000
        yield "one multiplication of a core, every", "ns", period_fs / 1e6, "mvm_ns"
        energy = watts / (self.count * self.cores) * (period_fs / FS_PER_S) * 1e9
        yield "its energy in the core", "nJ", energy or None, "mvm_nj"

    def read_fs(self, input_bits: int) -> int:
        """Return the time of all reads of a multiplication, without conversions, fs."""
        return self.core.array.setup_fs(self.clocks) + self.core.phases(input_bits) * self.core.read_fs(
            self.clocks
        )

    def ceilings(self, weight_bits: int, input_bits: int) -> dict[str, float]:
        """Arrays that only read, converters that only convert, and the digital units."""
        operations = 2 * self.weights(weight_bits)
        convert = self.core.phases(input_bits) * self.core.conversion_fs(self.clocks)
        return {
            "arrays": operations / self.read_fs(input_bits) * FS_PER_S / 1e9,
            "converters": operations / convert * FS_PER_S / 1e9,
            **super().ceilings(weight_bits, input_bits),
        }

    def slot_ceilings(self, operations: float, input_bits: int, tiles: int) -> dict[str, float]:
        """The same for one op; a bank that serves several arrays takes an array's samples at least."""
        convert = self.core.phases(input_bits) * self.core.adc.conversion_fs(
            self.core.samples(1), self.clocks
        )
        return {
            "arrays": operations / self.read_fs(input_bits) * FS_PER_S / 1e9,
            "converters": operations / convert * FS_PER_S / 1e9,
        }

    def faster_part(self, path: str, factor: int) -> dict[str, Any]:
        """A faster array or converter leaves converters their energy and area: no model covers what what-if asks."""
        values = super().faster_part(path, factor)
        if path in ("core.array", "core.adc"):
            adc = self.core.adc.resolved(self.clocks, self.place.technology_nm)
            kept = {
                "model": None,
                "energy_per_convert_pj": adc.energy_per_convert_pj,
                "area_um2": adc.area_um2,
            }
            values |= {f"core.adc.{key}": value for key, value in kept.items()}
        return values

    def doubled_part(self, path: str) -> dict[str, Any]:
        """Twice the arrays are twice the cores, and twice the registers of sums twice the multiplications under way."""
        if path == "core.array":
            return {"cores": 2 * self.cores}
        if path == "core.output_register":
            return {"in_flight": 2 * self.in_flight}
        return super().doubled_part(path)
