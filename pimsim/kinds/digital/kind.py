"""What digital tiles do: weights stay in banks beside the unit that multiplies; everything else as on any tile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pimsim.chip.base import cost
from pimsim.chip.parts.clock import period_fs
from pimsim.errors import MappingError
from pimsim.kinds.digital.site import Digital, WeightBanks
from pimsim.mapping.flow.dataflow import Node
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


class DigitalKind(Kind):
    """Ops on digital tiles; a slot is a bank of weights."""

    site: Digital

    def refusal(self, node: Node) -> str:
        """Weights need banks and a unit that multiplies them."""
        if node.on_arrays and self.site.weights_in is None:
            return "it has nowhere for weights"
        return "" if self.site.unit_of(node.type) is not None else f"no digital unit of it does {node.type}"

    @property
    def slots(self) -> int:
        """Banks of a tile."""
        return self.site.banks

    @property
    def slots_are(self) -> str:
        """Banks."""
        return "banks"

    @property
    def slot_part(self) -> str:
        """The weights' banks."""
        return self.site.label("weights_in")

    @property
    def _banks(self) -> WeightBanks:
        assert self.site.weights_in is not None
        return self.site.weights_in

    def tiling(self, op: Op, weight_bits: int) -> Tiling:
        """Cut an op's weight into what a bank holds: whole columns, as many as fit.

        Raises
        ------
        MappingError
            If a bank does not hold one weight, or the weight is the left operand.
        """
        right_operand(op)
        held = self._banks.capacity_bits // weight_bits
        if held == 0:
            raise MappingError(
                f"a bank of {self._banks.capacity_kib:g} KiB does not hold one weight of {weight_bits} bits",
                where=f"op '{op.name}'",
                mend=f"give a larger --set {self.site.name}.weights_in.capacity_kib",
            )
        rows, outputs, groups = matrix_of(op)
        rows_most = min(rows, held)
        tiling = blocks_of(op, rows_most, max(1, held // rows_most), held // (rows * outputs))
        return replace(tiling, utilisation=rows * outputs * groups / (tiling.arrays * held))

    @property
    def in_turn(self) -> bool:
        """All banks of a tile feed one unit."""
        return True

    @property
    def _multiplies(self) -> tuple[str, str]:
        """An operation that multiplies by weights, and the unit that does it."""
        units = ((each, self.site.unit_of(each)) for each in ("Conv", "Gemm", "MatMul"))
        return next((each, unit) for each, unit in units if unit is not None)

    def held_fs(self, tiling: Tiling, blocks: Sequence[Block], input_bits: int) -> dict[str, float]:
        """As on any site, and the unit that multiplies: it works no faster than words come from the fullest bank."""
        _, name = self._multiplies
        rows, bits = tiling.rows // tiling.groups, self.site.place.precision.weight_bits
        fullest = max(self._macs([block], rows) for block in blocks)
        words = self._banks.read(fullest * bits, self.site.clocks).held / self.site.digital[name].count
        held = max(float(self._firing_fs(tiling, blocks)), words)
        return super().held_fs(tiling, blocks, input_bits) | {name: held}

    def slot_fs(self, tiling: Tiling, input_bits: int) -> int:
        """Return the time between two firings: the tile with most of the blocks works on them one after another."""
        return self._firing_fs(tiling, tiling.blocks[: self.slots])

    def alone_fs(self, tiling: Tiling, input_bits: int) -> int:
        """Return the same where each block has a tile to itself: the unit's time, or that of its way by the window.

        So many firings as may be under way follow each other in the time that one takes from the buffer to the bus.
        """
        return max(self._apart_fs(tiling, block, input_bits) for block in set(tiling.blocks))

    def _apart_fs(self, tiling: Tiling, block: Block, input_bits: int) -> int:
        site, banks, (_, name) = self.site, self._banks, self._multiplies
        unit, rows, precision = site.digital[name], tiling.rows // tiling.groups, site.place.precision
        macs = self._macs([block], rows)
        read = site.store.read(block.rows * input_bits, site.clocks)
        weights = banks.read(macs * precision.weight_bits, site.clocks)
        work = unit.work(self._multiplies[0], macs, 1, site.clocks)
        way = (
            read.after
            + site.bus.transfer(block.rows * input_bits, site.clocks, least_fs=read.held).after
            + weights.after
            + work.after
            + max(0, weights.held - work.held)
            + site.bus.transfer(block.outputs * precision.accumulator_bits, site.clocks).after
        )
        return max(self._firing_fs(tiling, [block]), way // site.in_flight)

    def _firing_fs(self, tiling: Tiling, blocks: Sequence[Block]) -> int:
        operation, name = self._multiplies
        unit, macs = self.site.digital[name], self._macs(blocks, tiling.rows // tiling.groups)
        return max(1, unit.work(operation, macs, 1, self.site.clocks).held // unit.count)

    def least_fs(self, weights: Sequence[tuple[Tiling, int, int]], sites: int) -> int:
        """Return the time that all units take for all products, shared out evenly: banks do no work."""
        operation, name = self._multiplies
        unit = self.site.digital[name]
        total = 0.0
        for tiling, positions, _ in weights:
            macs = self._macs(tiling.blocks, tiling.rows // tiling.groups)
            total += positions * unit.work(operation, macs, 1, self.site.clocks).held / unit.count
        return int(total / sites)

    @staticmethod
    def _macs(blocks: Iterable[Block], rows: int) -> int:
        """Return the multiply-accumulates of a firing of some blocks of a matrix, or groups, of so many rows."""
        return sum(block.rows * block.outputs // max(1, block.rows // rows) for block in blocks)

    def share(self, chunk: Chunk, bits: int, when: When) -> Share:
        """All banks of a chunk are written at once, so as many words as the fullest one has."""
        sizes = [block.rows * block.outputs for block in chunk.blocks]
        words = self._banks.words(max(sizes) * bits)
        return Share(chunk.tile, chunk.core, len(sizes), words, sum(sizes), bits, sum(sizes) * bits, when)

    def write_step(self, resource: int, rows: int, cells: float) -> Step:
        """Write words in all of some banks at once; a cell is a bit."""
        banks = self._banks
        visit = banks.write(rows * banks.width_bits, self.site.clocks)
        energy = cost(self.slot_part, cells / banks.width_bits, banks.action_pj)
        return Step(resource, visit.held, visit.after, energy=energy, cause="programming")

    def home(self, transport: Transport, op: PlannedOp, index: int, chunk: Chunk) -> int:
        """The banks that hold a chunk's weights."""
        return transport.resource(
            ("weights", chunk.tile, (chunk.core, op.replicas[index].slots)),
            f"tile{chunk.tile}.weights.{op.replicas[index].slots}",
            self.slot_part,
            period_fs(self.site.clocks, self._banks.clock),
            cause="transport",
            tile=chunk.tile,
        )

    def chunk_path(self, actors: Actors, op: PlannedOp, index: int, chunk: Chunk) -> list[Step]:
        """Load the inputs, read the weights, multiply as they come, send the sums over the bus."""
        site, banks, transport = self.site, self._banks, actors.transport
        assert op.node.op is not None
        inputs = sum({block.row: block.rows for block in chunk.blocks}.values())
        rows, _, _ = matrix_of(op.node.op)
        bits = op.share_of(index, chunk).width
        each = [banks.read(self._macs([block], rows) * bits, site.clocks) for block in chunk.blocks]
        slowest = max(each)  # banks are read side by side
        resource = self.home(transport, op, index, chunk)
        actors.lowered.instances[resource] = len(chunk.blocks)
        energy = cost(self.slot_part, sum(visit.actions for visit in each), banks.action_pj)
        weights = Step(resource, slowest.held, slowest.after, energy=energy)
        work = transport.at_unit(chunk.tile, op.node.type, self._macs(chunk.blocks, rows))
        # It works no faster than weights come.
        unit = site.digital[str(site.unit_of(op.node.type))]
        period = period_fs(site.clocks, unit.clock)
        held = -(-max(work.occupancy, slowest.held) // period) * period
        work = work._replace(occupancy=held, latency=held + work.latency - work.occupancy)
        return [
            *transport.read_buffer(chunk.tile, inputs * op.node.read_bits),
            weights,
            work,
            actors.over_bus(chunk.tile, distinct_outputs(chunk.blocks)),
        ]
