"""What a processor does: each op is a kernel of its own, which reads its operands from the memory and writes back."""

from __future__ import annotations

from typing import NoReturn

from pimsim.kinds.processor.rows import kernel_rows
from pimsim.kinds.processor.schedule import Schedule, schedule
from pimsim.kinds.processor.site import Processor
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.lowering.actors import Actors, Readers
from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.planned import Chunk, PlannedOp, Replica
from pimsim.mapping.planning.tiling import Tiling
from pimsim.netlist.rows import Step
from pimsim.trace.op import Op


class ProcessorKind(Kind):
    """Ops on processors; weights are in the memory, and none in slots."""

    site: Processor
    whole = True

    def refusal(self, node: Node) -> str:
        """A unit must do it; weights are in the memory."""
        return "" if self.site.unit_of(node.type) is not None else f"no digital unit of it does {node.type}"

    def schedule(self, node: Node, weight_bits: int, input_bits: int) -> Schedule:
        """Return how an op is done."""
        return schedule(self.site, node, weight_bits, input_bits)

    def service_fs(self, node: Node, slices: int = 1) -> float:
        """Return the time of a kernel at the chip's precision, over the positions of its op, fs."""
        precision = self.site.place.precision
        kernel = self.schedule(node, precision.weight_bits, precision.input_bits)
        return kernel.predicted_fs(self.site) / node.positions

    def predicted_fs(self, node: Node, weight_bits: int, input_bits: int) -> float:
        """Return how long a kernel keeps all sites of this name busy, shared out evenly, fs."""
        return self.schedule(node, weight_bits, input_bits).predicted_fs(self.site) / self.site.count

    def kernel_rows(self, actors: Actors, op: PlannedOp, index: int, replica: Replica) -> tuple[Readers, int]:
        """Add the actors of a kernel."""
        width = op.weight_bits or self.site.place.precision.weight_bits
        kernel = self.schedule(op.node, width, actors.input_bits)
        return kernel_rows(actors, self.site, kernel, op, index, replica.home)

    @property
    def slots(self) -> int:
        """None: weights are read from the memory each time."""
        return 0

    @property
    def slot_part(self) -> str:
        """The memory."""
        return self.site.label("memory")

    def tiling(self, op: Op, weight_bits: int) -> NoReturn:
        """No slots, no blocks."""
        raise NotImplementedError("a processor has no slots for weights")

    def slot_fs(self, tiling: Tiling, input_bits: int) -> NoReturn:
        """No slots, no firings of them."""
        raise NotImplementedError("a processor has no slots for weights")

    def chunk_path(self, actors: Actors, op: PlannedOp, index: int, chunk: Chunk) -> list[Step]:
        """No slots, no chunks."""
        raise NotImplementedError("a processor has no slots for weights")
