"""Kernels: what a processor does for an op, in pieces one after another, each loaded, worked on and stored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

from pimsim.chip.base import Energy
from pimsim.kinds.processor.site import Processor
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.rules import rule_of
from pimsim.trace.optypes import class_of

MOST_PIECES = 512
"""Pieces of a kernel that are simulated one by one: more are grouped."""


class Piece(NamedTuple):
    """What is done so many times, one after another.

    Parameters
    ----------
    times : int
        How often.
    cycles : int
        Of the unit, each time.
    loaded, fed, sums, stored : int
        Bits from the memory, from the buffer to the units, from the units, and back to the memory, each time.
    elements : float
        That all units work on, each time.
    """

    times: int
    cycles: int
    loaded: int
    fed: int
    sums: int
    stored: int
    elements: float


class Total(NamedTuple):
    """What a kernel moves and does in all: bits, and elements."""

    loaded: int
    fed: int
    sums: int
    stored: int
    elements: float


@dataclass(frozen=True, slots=True)
class Kernel:
    """One start of the processor.

    Parameters
    ----------
    unit : str
        The unit that works.
    pieces : tuple of Piece
        In order; the last one is done once.
    how : str
        In words, how it is cut.
    streams : bool
        Whether operands pass through the buffer as they are worked on, so that it need not hold whole pieces.
    spent : Energy
        What the work on each piece costs beside the unit's own energy, by part.
    type : str
        The data type that it multiplies in; empty where the unit has but one.
    """

    unit: str
    pieces: tuple[Piece, ...]
    how: str = ""
    streams: bool = False
    spent: Energy = ()
    type: str = ""

    @property
    def last(self) -> Piece:
        """The last piece; it is done once."""
        return self.pieces[-1]

    def predicted_fs(self, site: Processor) -> int:
        """Return the time of its start, the first load, what takes the longest and the last store, fs.

        That may be a part, or the way of a piece from its load to the end of its work, `in_flight` of them at a time.
        """
        unit, clocks = site.digital[self.unit], site.clocks
        work = moved = fed = way = ports = 0
        for piece in self.pieces:
            load, feed = site.memory.read(piece.loaded, clocks), site.buffer.read(piece.fed, clocks)
            worked = piece.cycles * clocks[unit.clock].period_fs
            work += piece.times * worked
            moved += piece.times * (load.held + site.memory.write(piece.stored, clocks).held)
            fed += piece.times * site.bus.transfer(piece.fed + piece.sums, clocks).held
            fill = site.buffer.write(piece.loaded, clocks)
            ports += piece.times * (fill.held + feed.held) // site.buffer.ports
            taken = load.after + feed.after + worked
            way += piece.times * taken // site.in_flight
        first = site.memory.read(self.pieces[0].loaded, clocks).after
        last = site.memory.write(self.last.stored, clocks).after
        return (
            site.launcher.launch(clocks).held
            + max(0, first)
            + max(work, moved, fed, ports, way)
            + max(0, last)
        )


def like(kernel: Kernel, other: Kernel) -> Kernel:
    """Return one kernel in as many pieces as another: what it moves and does in all, in equal parts."""
    count = sum(piece.times for piece in other.pieces)
    total = [sum(piece.times * piece[at] for piece in kernel.pieces) for at in range(1, len(Piece._fields))]
    *whole, elements = total
    alike = [int(each) // count for each in whole]
    alike[0] = max(1, alike[0])
    left = [int(each) - (count - 1) * one for each, one in zip(whole, alike, strict=True)]
    left[0] = max(1, left[0])
    pieces = [Piece(piece.times, *alike, elements / count) for piece in other.pieces[:-1]]  # type: ignore[call-arg]
    return replace(kernel, pieces=(*pieces, Piece(1, *left, elements / count)))  # type: ignore[call-arg]


def share_of(node: Node) -> float:
    """Return the share of an op's rows that a node does: of a prompt, the last row may be all that is wanted."""
    assert node.op is not None
    return min(1.0, node.features * max(1, node.tokens) / max(1, node.op.output.elements))


def dealt(total: Total, alike: int, share: Fraction, cycles: int, rest_cycles: int) -> Iterator[Piece]:
    """Deal a kernel out to so many pieces of a share each, and a last one with all that is left."""
    loaded, fed, sums, stored = (int(each * share) for each in total[:4])
    elements = total.elements * float(share)
    if alike:
        yield Piece(alike, cycles, loaded, fed, sums, stored, elements)
    yield Piece(
        1,
        rest_cycles,
        total.loaded - alike * loaded,
        total.fed - alike * fed,
        total.sums - alike * sums,
        total.stored - alike * stored,
        total.elements - alike * elements,
    )


def operand_bits(node: Node, weight_bits: int, input_bits: int, share: float = 1.0) -> list[int]:
    """Return the bits of each operand that lie in memory; what only moves data reads no more than it puts out.

    Of activations that share of the rows that is worked on; of the right matrix of a product, all. What states no
    width, constants and caches among it, has `input_bits`.
    """
    op = node.op
    assert op is not None
    most = op.output.elements if class_of(op.type) == "movement" else None
    found = []
    widths = operand_widths(node, weight_bits, input_bits)
    for number, (operand, width) in enumerate(zip(op.inputs, widths, strict=True)):
        elements = operand.tensor.elements
        if operand.role == "activation" and not (number and rule_of(op.type).multiplies):
            elements = math.ceil(elements * share)
        found.append(width * (elements if most is None else min(elements, most)))
    return found


def operand_widths(node: Node, weight_bits: int, input_bits: int) -> list[int]:
    """Return the bits of an element of each operand."""
    assert node.op is not None
    edges = iter(node.edges)
    own = {"weight": lambda: weight_bits, "activation": lambda: next(edges).bits}
    return [own.get(operand.role, lambda: input_bits)() for operand in node.op.inputs]


def widths_of(node: Node, weight_bits: int, input_bits: int) -> tuple[int, int]:
    """Return the bits of an element of the left and of the right matrix."""
    left, right = operand_widths(node, weight_bits, input_bits)[:2]
    return left, right
