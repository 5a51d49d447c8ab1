"""What a processor does: each op is a kernel of its own, which reads its operands from the memory and writes back."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NoReturn

from pimsim.errors import MappingError
from pimsim.kinds.processor.attention import attend, has_tiles
from pimsim.kinds.processor.collectives import COLLECTIVES, collective_fs, collective_rows, exchange
from pimsim.kinds.processor.kernel import Kernel, like
from pimsim.kinds.processor.rows import Growing, kernel_rows
from pimsim.kinds.processor.schedule import predicted_fs, schedule
from pimsim.kinds.processor.site import Processor
from pimsim.mapping.flow.attention import Attention
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.growth import figures
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
        if self.site.unit_of(node.type) is not None:
            return ""
        return "it has no links" if node.type in COLLECTIVES else f"no digital unit of it does {node.type}"

    def __init__(self, site: Processor) -> None:
        super().__init__(site)
        self._found: dict[Hashable, list[Kernel]] = {}
        """What was found for an op; many are alike."""
        self._times: dict[tuple[Kernel, ...], int] = {}
        """How long kernels are predicted to take, fs."""

    def kernels(self, node: Node, weight_bits: int, input_bits: int, *, alone: bool = False) -> list[Kernel]:
        """Return how an op is done; `alone`, in one kernel."""
        assert node.op is not None
        op = node.op
        operands = tuple((each.role, each.tensor.shape) for each in op.inputs)
        outputs = tuple(each.shape for each in op.outputs)
        sizes = node.work * node.positions, node.features * node.tokens
        seen = node.seen, node.bits, *((edge.seen, edge.bits) for edge in node.edges)
        key = op.type, operands, outputs, sizes, seen, node.attention, weight_bits, input_bits, alone
        if key not in self._found:
            self._found[key] = schedule(self.site, node, weight_bits, input_bits, alone=alone)
        return self._found[key]

    def seen(self, node: Node, share: float) -> float:
        """In a kernel of all of attention tiles that a mask hides are passed by; else it is as the unit has it."""
        return share if node.within or node.attention is not None else super().seen(node, share)

    def in_one(self, nodes: Sequence[Node], attention: Attention, input_bits: int) -> bool:
        """As the chip file says; `auto`, if it is predicted to be faster."""
        if self.site.attention == "written" or not has_tiles(self.site):
            return False
        if self.site.attention == "tiled":
            return True
        try:
            together = predicted_fs(
                attend(self.site, nodes[-1].op, attention, nodes[-1].read_bits), self.site
            )
        except MappingError:  # no tile fits
            return False
        bits = self.site.place.precision.weight_bits, input_bits
        return together < sum(self._together_fs(node, *bits) for node in nodes)

    def how(self, node: Node, weight_bits: int, input_bits: int) -> str:
        """Say how an op is cut; empty where there is nothing to say."""
        if node.within:
            return f"in the kernel of {node.within}"
        if node.type in COLLECTIVES:
            way = exchange(self.site, node, node.bits)
            return f"ring of {way.steps} steps of {way.bits / 8:.6g} bytes, protocol {way.protocol}"
        return "; ".join(kernel.how for kernel in self.kernels(node, weight_bits, input_bits) if kernel.how)

    def service_fs(self, node: Node, slices: int = 1) -> float:
        """Return the time of an op's kernels at the chip's precision, over its positions, fs."""
        if node.within:
            return 0.0
        precision = self.site.place.precision
        if node.type in COLLECTIVES:
            return collective_fs(self.site, node, node.bits) / node.positions
        return self._together_fs(node, precision.weight_bits, precision.input_bits) / node.positions

    def predicted_fs(self, node: Node, weight_bits: int, input_bits: int) -> float:
        """Return how long an op keeps all sites of this name busy, shared out evenly, fs."""
        if node.within:
            return 0.0
        if node.type in COLLECTIVES:
            return collective_fs(self.site, node, node.bits)
        alone = 1 if self.site.sharers > 1 else self.site.count
        return self._together_fs(node, weight_bits, input_bits) / alone

    def _together_fs(self, node: Node, weight_bits: int, input_bits: int) -> int:
        """Return the predicted time of an op's kernels, fs."""
        kernels = self.kernels(node, weight_bits, input_bits)
        key = tuple(kernels)
        if key not in self._times:
            self._times[key] = predicted_fs(kernels, self.site)
        return self._times[key]

    def kernel_rows(
        self, actors: Actors, number: int, op: PlannedOp, index: int, replica: Replica
    ) -> tuple[Readers, int]:
        """Add the actors of an op's kernels: of one that grows with a cache there is one, always in as many pieces.

        Raises
        ------
        MappingError
            If it is of an expert that tokens may pass by.
        """
        if op.node.expert in actors.choices.selectors:
            raise MappingError(
                "experts that each token chooses anew are not done as kernels",
                where=f"op '{op.node.name}' ({op.node.type})",
                mend="bind seq=1 and kv to the tokens in the cache, and run one step",
            )
        if op.node.within:
            actor = actors.actor(op, index, "", [actors.transport.pass_by()])
            return [(actor, None)], actor
        if op.node.type in COLLECTIVES:
            return collective_rows(actors, self.site, number, op, index)
        width, bits = op.weight_bits or self.site.place.precision.weight_bits, actors.input_bits
        growth = actors.growing(number)
        if growth is None:
            kernels = self.kernels(op.node, width, bits)
            return kernel_rows(actors, self.site, kernels, op, index, replica.home)
        largest = self.kernels(growth.resized(number, growth.last), width, bits, alone=True)

        def at(cached: int) -> list[Kernel]:
            kernels = self.kernels(growth.resized(number, cached), width, bits, alone=True)
            return [like(kernel, most) for kernel, most in zip(kernels, largest, strict=True)]

        alike = figures(growth.low[number]), figures(growth.high[number]), op.node.type, replica.home
        growing = Growing(growth, at, alike)
        return kernel_rows(actors, self.site, at(growth.last), op, index, replica.home, growing)

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
