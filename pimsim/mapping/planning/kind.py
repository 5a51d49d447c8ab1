"""What a kind of site does: which ops, at what cost, and how an op there becomes rows of a machine.

The planner and the lowering ask; a subclass, which a kind's `pimsim.chip.site.Site.behaviour` names, answers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pimsim.chip import ChipConfig
from pimsim.chip.base import Energy, cost
from pimsim.chip.site import WorkSite
from pimsim.mapping.flow.attention import Attention
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.planning.replication import Weight, optimum_fs
from pimsim.mapping.planning.stationary import Share, When
from pimsim.mapping.planning.tiling import distinct_outputs

if TYPE_CHECKING:
    from pimsim.mapping.planning.analog import Analog
    from pimsim.mapping.planning.planned import Chunk, PlannedOp, Replica
    from pimsim.mapping.planning.product import Product
    from pimsim.mapping.planning.tiling import Block, Tiling
    from pimsim.netlist.rows import Step
    from pimsim.trace.op import Op

BUS, PORT = "the bus", "the port"
"""What a site's bus, and its port into the network, are called beside its units; no digital unit has such a name."""

Actors = Any  # pimsim.mapping.lowering.actors.Actors: the lowering comes later, and knows kinds
Transport = Any  # pimsim.mapping.lowering.transport.Transport, likewise


class Kind(ABC):
    """How ops are done at the sites of one name.

    Parameters
    ----------
    site : WorkSite
        What the chip file says of them.
    """

    whole: ClassVar[bool] = False
    """Whether an op is done here as a whole, all of its positions together: a kernel, which fires once."""

    def __init__(self, site: WorkSite) -> None:
        self.site = site

    # -- which ops ---------------------------------------------------------------------------------------------

    def refusal(self, node: Node) -> str:
        """Say why an op cannot be done here; empty if it can."""
        if node.on_arrays:
            return "" if self.slots else "it has nowhere for weights"
        return "" if self.site.unit_of(node.type) is not None else f"no digital unit of it does {node.type}"

    # -- at what cost ------------------------------------------------------------------------------------------

    def seen(self, node: Node, share: float) -> float:
        """Return the share of something that an op works on: what a mask leaves if its unit skips the rest, or all."""
        name = self.site.unit_of(node.type)
        return share if name is not None and self.site.digital[name].skips_masked else 1.0

    def work(self, node: Node) -> float:
        """Return the elements that a firing processes on a digital unit, over all positions."""
        return node.work * self.seen(node, node.seen)

    def service_fs(self, node: Node, slices: int = 1) -> float:
        """Return the time that one firing of a slice keeps a site's digital units busy, fs; several units share it."""
        rows = node.right.rows if node.right is not None else 1
        name = self.site.unit_of(node.type)
        assert name is not None
        unit = self.site.digital[name]
        return unit.work(node.type, self.work(node) / slices, rows, self.site.clocks).held / unit.count

    def predicted_fs(self, node: Node, weight_bits: int, input_bits: int) -> float:
        """Return how long an inference of an op keeps all sites of this name busy, shared out evenly, fs."""
        if node.on_arrays and node.op is not None:
            tiling = self.tiling(node.op, weight_bits)
            share = tiling.arrays / (self.slots * self.site.count)
            return node.positions * self.slot_fs(tiling, node.read_bits) * share
        return node.positions * self.service_fs(node) / self.site.count

    # -- what stays where it is used ---------------------------------------------------------------------------

    @property
    @abstractmethod
    def slots(self) -> int:
        """Slots of a site that each hold one block of a weight: arrays, banks; 0 where weights cannot stay."""

    @property
    def slots_are(self) -> str:
        """What a plan calls the slots."""
        return "arrays"

    @property
    def core_slots(self) -> int:
        """Slots that may work together: those of a core."""
        return self.slots

    @property
    def bank_slots(self) -> int:
        """Slots that take turns where something is shared, such as a bank of converters; 1 where nothing is."""
        return 1

    @property
    def in_turn(self) -> bool:
        """Whether the slots of a site take turns at one unit: copies then stand apart, as in arrays they need not."""
        return False

    def held_fs(self, tiling: Tiling, blocks: Sequence[Block], input_bits: int) -> dict[str, float]:
        """Return how long a firing of some blocks of a site holds what its slots share, fs, by the names of the units.

        The bus brings the inputs to each core, or bank of converters, and takes the sums away.
        """
        site, apart = self.site, self.bank_slots if self.bank_slots > 1 else self.core_slots
        held = 0
        for first in range(0, len(blocks), apart):
            here = blocks[first : first + apart]
            inputs = sum({block.row: block.rows for block in here}.values()) * input_bits
            sums = distinct_outputs(here) * site.place.precision.accumulator_bits
            read = site.store.read(inputs, site.clocks)
            held += site.bus.transfer(inputs, site.clocks, least_fs=read.held).held
            held += site.bus.transfer(sums, site.clocks).held
        return {BUS: float(held)}

    def brings_fs(self, node: Node, slices: int = 1) -> float:
        """Return how long the bus brings a digital unit what a firing of a slice reads from the buffer, fs."""
        site, right = self.site, node.right
        read = sum(
            edge.bits * edge.reads * self.seen(node, edge.seen) for edge in node.edges if edge is not right
        )
        if right is not None:  # read once for the rows that the unit works on together
            rows = min(right.rows, site.digital[str(site.unit_of(node.type))].rows)
            read += right.bits * right.held * self.seen(node, right.seen) / rows
        bits = math.ceil(read / slices)
        least_fs = site.store.read(bits, site.clocks).held
        return float(site.bus.transfer(bits, site.clocks, least_fs=least_fs).held)

    @abstractmethod
    def tiling(self, op: Op, weight_bits: int) -> Tiling:
        """Cut an op's weight into the blocks that slots hold.

        Raises
        ------
        MappingError
            If it cannot be cut so.
        """

    def analog(self, op: Op, tiling: Tiling, weight_bits: int, input_bits: int) -> Analog | None:
        """Return how products of an op by its weights come about as numbers; None if they are those of integers."""
        return None

    @abstractmethod
    def slot_fs(self, tiling: Tiling, input_bits: int) -> int:
        """Return the time between two firings of one copy of a weight's blocks, fs."""

    def alone_fs(self, tiling: Tiling, input_bits: int) -> int:
        """Return the least that `slot_fs` can be, where nothing else is at work beside the blocks, fs."""
        return self.slot_fs(tiling, input_bits)

    def least_fs(self, weights: Sequence[tuple[Tiling, int, int]], sites: int) -> int:
        """Return the least time an inference of some weights, however many copies of them are at so many sites, fs.

        Parameters
        ----------
        weights : sequence of (Tiling, int, int)
            How each is cut, how often it is used, and the bits of an input.
        sites : int
            How many there are.
        """
        each = [
            Weight(tiling.arrays, positions, max(1, self.alone_fs(tiling, bits)))
            for tiling, positions, bits in weights
        ]
        return optimum_fs(each, self.slots * sites)

    @property
    def writable(self) -> bool:
        """Whether what a slot holds can be written in the course of a run."""
        return False

    def product(self, nodes: Sequence[Node], slices: int) -> Product | None:
        """Return what a product of two activations would take in slots, for each program; None where it cannot."""
        return None

    def product_written(self, node: Node, slices: int) -> tuple[int, int, int]:
        """Return what a slice of a product writes into slots each time: rows one after another, elements, cells."""
        raise NotImplementedError(f"a {type(self).__name__} has no products in slots")

    def share(self, chunk: Chunk, bits: int, when: When) -> Share:
        """Return what of an op's weights, of so many bits each, is in one place, and when it is written there."""
        weights = sum(block.rows * block.outputs for block in chunk.blocks)
        rows = max(block.rows for block in chunk.blocks)
        return Share(chunk.tile, chunk.core, len(chunk.blocks), rows, weights, bits, weights * bits, when)

    @property
    def endurance(self) -> float | None:
        """Writes that a cell of a slot survives; None where the chip file does not say."""
        return None

    @property
    @abstractmethod
    def slot_part(self) -> str:
        """What results call the slots."""

    @property
    def register_part(self) -> str:
        """What results call the registers that results wait in between two parts of a site."""
        return self.site.label("output_register")

    def register_energy(self, size: float) -> Energy:
        """Return what so many bytes of results cost in the registers on their way out."""
        register = self.site.output_register
        return () if register is None else cost(self.site.label("output_register"), size, register.action_pj)

    @property
    def product_policy(self) -> str:
        """Where such products go: ``digital``, ``write`` or ``auto``."""
        return "digital"

    # -- as rows of a machine ----------------------------------------------------------------------------------

    @abstractmethod
    def chunk_path(self, actors: Actors, op: PlannedOp, index: int, chunk: Chunk) -> list[Step]:
        """Return the path of one firing of the blocks of a copy that stand together: from the buffer to the bus."""

    def product_rows(
        self, actors: Actors, number: int, op: PlannedOp, index: int, replica: Replica
    ) -> tuple[int, int]:
        """Add the actors of a product in slots: return the one that multiplies, and the one that writes before.

        Cells that were written before are written again by visits with the tally ``Written((name of the op, index))``.
        """
        raise NotImplementedError(f"a {type(self).__name__} has no products in slots")

    def how(self, node: Node, weight_bits: int, input_bits: int) -> str:
        """Say how an op that is done as a `whole` is cut; empty where there is nothing to say."""
        return ""

    def in_one(self, nodes: Sequence[Node], attention: Attention, input_bits: int) -> bool:
        """Whether the ops of attention, of these sizes, are done in one kernel here."""
        return False

    def kernel_rows(
        self, actors: Actors, number: int, op: PlannedOp, index: int, replica: Replica
    ) -> tuple[list[tuple[int, Chunk | None]], int]:
        """Add the actors of an op that is done as a `whole`: return what takes its inputs, and what ends it."""
        raise NotImplementedError(f"a {type(self).__name__} does no op as a whole")

    def home(self, transport: Transport, op: PlannedOp, index: int, chunk: Chunk) -> int | None:
        """Return the resource that the slots of a chunk are; None where writing them is not modelled.

        Several ops may have copies of one weight in them: ``op.replicas[index].slots`` names what is theirs together.
        """
        return None

    def write_step(self, resource: int, rows: int, cells: float) -> Step:
        """Return the visit that writes rows one after another, and so many cells in all, into slots.

        Raises
        ------
        ConfigError
            If the chip file does not say how long that takes.
        """
        raise NotImplementedError(f"a {type(self).__name__} has no slots that are written")


def kinds_of(config: ChipConfig) -> Mapping[str, Kind]:
    """Return what the sites of a chip do, by their names."""
    return {name: site.behaviour()(site) for name, site in config.working.items()}
