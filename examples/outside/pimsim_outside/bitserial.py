"""The kind ``bitserial``: tiles of SRAM arrays whose columns compute, a bit a cycle, on what they hold.

As in Neural Cache (Eckert et al., ISCA 2018): every column is a lane with its operands one above the other. Two
numbers of n bits are added in n + 1 cycles and multiplied in n^2 + 5 n - 2, in all lanes of an array at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from pimsim.chip.base import ClockName, Count, EnergyPj, Part, Use, cost
from pimsim.chip.parts.clock import Clocks, hertz, period_fs
from pimsim.chip.site import WorkSite
from pimsim.errors import MappingError
from pimsim.mapping.lowering.actors import Actors
from pimsim.mapping.lowering.transport import Transport
from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.planned import Chunk, PlannedOp
from pimsim.mapping.planning.stationary import Share, When
from pimsim.mapping.planning.tiling import (
    Block,
    Tiling,
    blocks_of,
    distinct_outputs,
    matrix_of,
    right_operand,
)
from pimsim.netlist.rows import Step
from pimsim.trace.op import Op


class SerialArray(Part):
    """An SRAM array whose columns compute; one instance is one array.

    Parameters
    ----------
    rows, columns : int
        Its cells; a column is a lane.
    clock : str
        Name of its clock.
    energy_per_cycle_pj : float, optional
        Energy of a cycle in which all lanes compute, in picojoules.
    """

    action: ClassVar[str] = "energy_per_cycle_pj"

    rows: Annotated[int, Field(ge=1, le=65_536)]
    columns: Annotated[int, Field(ge=1, le=65_536)]
    clock: ClockName
    energy_per_cycle_pj: EnergyPj | None = None

    def per_second(self, clocks: Clocks, count: int = 1) -> float:
        """Return the cycles of a second of so many."""
        return count * hertz(clocks, self.clock)


class BitSerial(WorkSite):
    """Tiles of arrays whose columns compute, beside a buffer, a bus and digital units for other ops.

    Parameters
    ----------
    arrays : int
        Arrays in a tile.
    array : SerialArray
        Each of them.
    """

    kind: Literal["bitserial"] = "bitserial"
    arrays: Count
    array: SerialArray

    @classmethod
    def behaviour(cls) -> type[BitSerialKind]:
        """Return what is done here, and how."""
        return BitSerialKind

    def clocked(self) -> Iterator[tuple[str, str]]:
        """The arrays, and what every tile has."""
        yield "array", self.array.clock
        yield from super().clocked()

    def held(self, weight_bits: int) -> int:
        """Return the weights of so many bits in a lane: what an input, a product and a sum leave of its cells."""
        precision = self.place.precision
        working = precision.input_bits + (precision.input_bits + weight_bits) + precision.accumulator_bits
        return max(0, self.array.rows - working) // weight_bits

    def mac_cycles(self, weight_bits: int, input_bits: int) -> int:
        """Return the cycles of one multiply-accumulate of every lane: the input comes in, product, sum."""
        n = max(weight_bits, input_bits)
        return input_bits + (n * n + 5 * n - 2) + (self.place.precision.accumulator_bits + 1)

    def weights(self, bits: int) -> int:
        """Return the weights of so many bits that all lanes hold."""
        return self.count * self.arrays * self.array.columns * self.held(bits)

    def macs_per_second(self) -> float:
        """Return the multiply-accumulates of a second at native precision, every lane at work."""
        precision = self.place.precision
        lanes = self.array.columns * self.array.per_second(self.clocks, self.count * self.arrays)
        return lanes / self.mac_cycles(precision.weight_bits, precision.input_bits)

    def ceilings(self, weight_bits: int, input_bits: int) -> dict[str, float]:
        """Every lane at work, and the digital units."""
        return {**self.slot_ceilings(1, input_bits, self.count), **super().ceilings(weight_bits, input_bits)}

    def slot_ceilings(self, operations: float, input_bits: int, tiles: int) -> dict[str, float]:
        """Every lane at work."""
        return {"lanes": 2 * self.macs_per_second() / 1e9}

    def doubled_part(self, path: str) -> dict[str, Any]:
        """Twice the arrays are twice as many in a tile."""
        return {"arrays": 2 * self.arrays} if path == "array" else super().doubled_part(path)

    def summary(self) -> str:
        """Arrays and lanes."""
        arrays = self.count * self.arrays
        return f"bit-serial, {arrays} arrays, {arrays * self.array.columns} lanes"

    def uses(self) -> Iterator[Use]:
        """The arrays, in every cycle, what every tile has, and a register as fast as the bus behind it."""
        arrays = self.count * self.arrays
        yield Use(self.label("array"), self.array, arrays, self.array.per_second(self.clocks, arrays))
        yield from super().uses()
        if self.output_register is not None:
            rate = self.bus.per_second(self.clocks, self.count) * self.bus.width_bits / 8
            yield Use(self.label("output_register"), self.output_register, self.count, rate)


class BitSerialKind(Kind):
    """Products by weights in the lanes; a slot is an array, a lane works on one output."""

    site: BitSerial

    @property
    def slots(self) -> int:
        """Arrays of a tile."""
        return self.site.arrays

    @property
    def slot_part(self) -> str:
        """The arrays."""
        return self.site.label("array")

    def tiling(self, op: Op, weight_bits: int) -> Tiling:
        """Cut an op's weight: an output a lane, as many of its weights above each other as a lane holds.

        Raises
        ------
        MappingError
            If a lane does not hold one weight, or the weight is the left operand.
        """
        right_operand(op)
        held, lanes = self.site.held(weight_bits), self.site.array.columns
        if held == 0:
            raise MappingError(
                f"a lane of {self.site.array.rows} cells does not hold an input, a product, a sum and a weight of "
                f"{weight_bits} bits",
                where=f"op '{op.name}'",
                mend=f"give more --set {self.site.name}.array.rows",
            )
        rows, outputs, groups = matrix_of(op)
        tiling = blocks_of(op, held, lanes, lanes // outputs if rows <= held else 0)
        return replace(tiling, utilisation=rows * outputs * groups / (tiling.arrays * lanes * held))

    def slot_fs(self, tiling: Tiling, input_bits: int) -> int:
        """Return the time of one firing: a lane takes its inputs one after another."""
        rows = tiling.rows // tiling.groups
        bits = self.site.place.precision.weight_bits
        cycles = max(self._cycles(block, rows, bits, input_bits) for block in tiling.blocks)
        return cycles * period_fs(self.site.clocks, self.site.array.clock)

    def _cycles(self, block: Block, rows: int, weight_bits: int, input_bits: int) -> int:
        """Return the cycles of a block of a matrix, or of groups side by side, of so many rows; then the sums leave."""
        each = self.site.mac_cycles(weight_bits, input_bits)
        return min(block.rows, rows) * each + self.site.place.precision.accumulator_bits

    def share(self, chunk: Chunk, bits: int, when: When) -> Share:
        """All arrays of a chunk are written at once, so as many rows as a lane of the fullest one takes."""
        sizes = [block.rows * block.outputs for block in chunk.blocks]
        deepest = min(max(block.rows for block in chunk.blocks), self.site.held(bits))
        return Share(
            chunk.tile, chunk.core, len(sizes), deepest * bits, sum(sizes), bits, sum(sizes) * bits, when
        )

    def write_step(self, resource: int, rows: int, cells: float) -> Step:
        """A row a cycle, which takes the energy of a cycle of computing."""
        busy = rows * period_fs(self.site.clocks, self.site.array.clock)
        energy = cost(self.slot_part, cells / self.site.array.columns, self.site.array.action_pj)
        return Step(resource, busy, busy, energy=energy, cause="programming")

    def home(self, transport: Transport, op: PlannedOp, index: int, chunk: Chunk) -> int:
        """The arrays that hold a chunk's weights."""
        name = f"tile{chunk.tile}.lanes.{op.replicas[index].slots}"
        clock = period_fs(self.site.clocks, self.site.array.clock)
        return transport.resource(("lanes", name), name, self.slot_part, clock, tile=chunk.tile)

    def chunk_path(self, actors: Actors, op: PlannedOp, index: int, chunk: Chunk) -> list[Step]:
        """Load the inputs, compute in all arrays at once, send the sums over the bus."""
        assert op.node.op is not None
        site, transport = self.site, actors.transport
        rows, _, _ = matrix_of(op.node.op)
        bits = op.share_of(index, chunk).width
        cycles = [self._cycles(block, rows, bits, op.node.read_bits) for block in chunk.blocks]
        resource = self.home(transport, op, index, chunk)
        actors.lowered.instances[resource] = len(chunk.blocks)
        busy = max(cycles) * period_fs(site.clocks, site.array.clock)
        energy = cost(self.slot_part, sum(cycles), site.array.action_pj)
        inputs = sum({block.row: block.rows for block in chunk.blocks}.values())
        return [
            *transport.read_buffer(chunk.tile, inputs * op.node.read_bits),
            Step(resource, busy, busy, energy=energy),
            actors.over_bus(chunk.tile, distinct_outputs(chunk.blocks)),
        ]
