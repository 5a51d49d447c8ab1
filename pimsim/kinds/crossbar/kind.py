"""What tiles of arrays do: weights stay in arrays, everything else is done on digital units."""

from __future__ import annotations

from collections.abc import Sequence

from pimsim.chip.base import Energy, cost
from pimsim.errors import ConfigError
from pimsim.kinds.crossbar.multiplication import Arrays, multiplication, resource_of, write_rows
from pimsim.kinds.crossbar.products import written_product
from pimsim.kinds.crossbar.site import Crossbar
from pimsim.kinds.crossbar.tiling import tile_op
from pimsim.kinds.crossbar.values import analog_of
from pimsim.kinds.crossbar.written import Matrix, product_of
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.lowering.actors import Actors
from pimsim.mapping.lowering.transport import Transport
from pimsim.mapping.planning.analog import Analog
from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.planned import Chunk, PlannedOp, Replica
from pimsim.mapping.planning.product import Product
from pimsim.mapping.planning.stationary import Share, When
from pimsim.mapping.planning.tiling import Tiling, distinct_outputs
from pimsim.netlist.rows import Step
from pimsim.trace.op import Op


class CrossbarKind(Kind):
    """Ops on tiles of arrays; a slot is an array."""

    site: Crossbar

    def __init__(self, site: Crossbar) -> None:
        super().__init__(site)
        self._writing: dict[tuple[int, float], Step] = {}
        """What writes so many rows and cells; many ops write as much as each other."""

    @property
    def slots(self) -> int:
        """Arrays of a tile, without those of spare cores."""
        return (self.site.cores - (self.site.core.spares or 0)) * self.site.core.arrays

    @property
    def core_slots(self) -> int:
        """Arrays of a core."""
        return self.site.core.arrays

    @property
    def bank_slots(self) -> int:
        """Arrays that share a bank of converters."""
        return self.site.core.in_bank

    def tiling(self, op: Op, weight_bits: int) -> Tiling:
        """Cut an op's weight into the blocks that arrays hold."""
        return tile_op(op, self.site.core, weight_bits)

    def analog(self, op: Op, tiling: Tiling, weight_bits: int, input_bits: int) -> Analog:
        """Products come about on arrays, converter by converter."""
        return analog_of(op, tiling, self.site.core, weight_bits, input_bits)

    def slot_fs(self, tiling: Tiling, input_bits: int) -> int:
        """Return the time between two multiplications of a core with all its arrays at work."""
        return self.site.mvm_period_fs(input_bits)

    def alone_fs(self, tiling: Tiling, input_bits: int) -> int:
        """Return the time between two multiplications of an array that has its bank of converters to itself."""
        core, clocks = self.site.core, self.site.clocks
        convert = core.adc.conversion_fs(core.samples(1), clocks)
        return core.array.setup_fs(clocks) + core.phases(input_bits) * max(core.read_fs(clocks), convert)

    @property
    def writable(self) -> bool:
        """Whether the chip file gives a time to write a row in."""
        return self.site.core.array.programming(self.site.clocks).row_fs is not None

    @property
    def product_policy(self) -> str:
        """As the chip file says."""
        return self.site.products

    def product(self, nodes: Sequence[Node], slices: int) -> Product | None:
        """Return what a product of two activations would take on arrays."""
        return product_of(nodes, slices, self.site, self.service_fs)

    @property
    def endurance(self) -> float | None:
        """As the chip file says of its device."""
        return self.site.core.array.programming(self.site.clocks).endurance

    @property
    def slot_part(self) -> str:
        """The arrays."""
        return self.site.label("core.array")

    @property
    def register_part(self) -> str:
        """Sums wait in the cores' output registers."""
        return self.site.label("core.output_register")

    def register_energy(self, size: float) -> Energy:
        """Return what so many bytes of sums cost in the registers of the core, then of the tile."""
        register = self.site.core.output_register
        own = cost(self.site.label("core.output_register"), size, register.action_pj)
        return own + super().register_energy(size)

    def chunk_path(self, actors: Actors, op: PlannedOp, index: int, chunk: Chunk) -> list[Step]:
        """Load the inputs, multiply, send the sums over the bus."""
        inputs = sum({block.row: block.rows for block in chunk.blocks}.values())
        arrays = self._arrays(op, index, chunk)
        return [
            *actors.transport.read_buffer(chunk.tile, inputs * op.node.read_bits),
            multiplication(
                actors.transport,
                actors.lowered.instances,
                self.site,
                op.node.read_bits,
                arrays,
                inputs=inputs,
                rows=sum(block.rows for block in chunk.blocks),
            ),
            actors.over_bus(chunk.tile, distinct_outputs(chunk.blocks)),
        ]

    def product_written(self, node: Node, slices: int) -> tuple[int, int, int]:
        """The rows and cells of the heads' matrices that are new."""
        matrix = Matrix.of(node, slices)
        assert matrix is not None
        cells = matrix.cells_written(self.site)
        return matrix.rows_written(self.site), cells // self.site.weight_slices(matrix.bits), cells

    def share(self, chunk: Chunk, bits: int, when: When) -> Share:
        """All arrays of a chunk are written at once, so as many rows as the tallest block has."""
        weights = sum(block.rows * block.outputs for block in chunk.blocks)
        rows = max(block.rows for block in chunk.blocks)
        cells = weights * self.site.weight_slices(bits)
        return Share(chunk.tile, chunk.core, len(chunk.blocks), rows, weights, bits, cells, when)

    def home(self, transport: Transport, op: PlannedOp, index: int, chunk: Chunk) -> int:
        """The arrays of a chunk."""
        return resource_of(transport, self.site, self._arrays(op, index, chunk))

    def write_step(self, resource: int, rows: int, cells: float) -> Step:
        """Write rows in all of some arrays at once."""
        if (rows, cells) not in self._writing:
            self._writing[rows, cells] = self._write(rows, cells)
        return self._writing[rows, cells]._replace(resource=resource)

    def _write(self, rows: int, cells: float) -> Step:
        if not self.writable:
            key = self.site.label("core.array.write_ns")
            raise ConfigError(
                "writing is not modelled: the array has no time to write a row in",
                where=key,
                mend=f"give one with --set {key}=…",
            )
        return write_rows(self.site, -1, rows, cells)

    def product_rows(
        self, actors: Actors, number: int, op: PlannedOp, index: int, replica: Replica
    ) -> tuple[int, int]:
        """Write the right matrix into arrays, and multiply by it."""
        return written_product(actors, self.site, number, op, index, replica)

    def _arrays(self, op: PlannedOp, index: int, chunk: Chunk) -> Arrays:
        """Return the arrays of a chunk: in its core, or in its bank where arrays of a core share several."""
        core = self.site.core
        where = f"core{chunk.core}" + (f".bank{chunk.bank}" if core.arrays > core.adc.banks > 1 else "")
        return Arrays(chunk.tile, where, op.replicas[index].slots, core.in_bank > 1, len(chunk.blocks))
