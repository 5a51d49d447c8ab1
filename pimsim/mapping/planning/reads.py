"""Which tokens the copies of an op read in a tile, and the places that these need there."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pimsim.mapping.flow.dataflow import Edge, Node
from pimsim.mapping.planning.dealing import Deal, Parts
from pimsim.mapping.planning.holding import Holding, Line
from pimsim.mapping.planning.planned import PlannedOp
from pimsim.mapping.planning.ports import own_token
from pimsim.mapping.planning.shared import most_within
from pimsim.mapping.planning.stripes import stripes

Mask = npt.NDArray[np.bool_]


class Reads:
    """What copies of ops read.

    Parameters
    ----------
    programs : sequence of sequence of Node
        The data flows that share the parts: the same ops in the same order.
    least, wanted : sequence of sequence of sequence of int
        For each program, op and edge: the places, if one tile reads everything, without which the data flow can
        deadlock, and those that keep a pipeline going.
    deals : mapping of int to Deal
        Ops whose positions are dealt out so that their inputs fit.
    """

    def __init__(
        self,
        programs: Sequence[Sequence[Node]],
        least: Sequence[Sequence[Sequence[int]]],
        wanted: Sequence[Sequence[Sequence[int]]],
        deals: Mapping[int, Deal],
    ) -> None:
        self.programs, self.least, self.wanted, self.deals = programs, least, wanted, deals
        self._parts: dict[tuple[int, int, int], Parts] = {}
        self._own: dict[tuple[int, int, int], bool] = {}

    def bytes_per_token(self, edge: Edge, share: float) -> int:
        """Return the bytes of one token of an input, or of the share of its features that a tile reads."""
        return math.ceil(edge.features * share * edge.bits / 8)

    def parts(self, program: int, number: int, copies: int) -> Parts:
        """Return the positions of each of so many copies; none where they are dealt out one by one."""
        if number in self.deals:
            return self.deals[number].parts
        key = program, number, copies
        if key not in self._parts:
            self._parts[key] = stripes(self.programs[program][number], copies)
        return self._parts[key]

    def lines(
        self,
        number: int,
        op: PlannedOp,
        held: Holding,
        at: tuple[int, int] | None,
        capacity: int,
        outside: Collection[tuple[int, int]],
    ) -> tuple[list[Line], dict[tuple[int, int], Mask]]:
        """Return the inputs that an op holds in a tile, and the tokens of them that are read there.

        Parameters
        ----------
        number, op
            Which op.
        held : Holding
            The copies that read there, and their blocks.
        at : (int, int)
            Which copy is the latest of them, and of how many; None where users of one weight take turns.
        capacity : int
            Of the tile's buffer, bytes.
        outside : collection of (op, edge)
            Inputs that lie in other tiles' buffers.
        """
        lines, reads = [], dict(held.reads)
        for program, nodes in enumerate(self.programs):
            rows = zip(
                nodes[number].edges, self.least[program][number], self.wanted[program][number], strict=True
            )
            for n, (edge, least, wanted) in enumerate(rows):
                if (number, n) in outside:
                    continue
                if number in self.deals:
                    more = -(-(wanted - least) // len(self.deals[number].parts))
                    least = self.deals[number].places[n]
                    least, wanted = least * held.copies, (least + more) * held.copies
                elif at is not None and self._share_inputs(program, number, at[1], capacity, outside):
                    taken = self._tokens(program, number, n, *at)
                    if (
                        op.side_by_side
                        and self.parts(program, number, at[1])
                        and self._is_own(program, number, n)
                        and not op.elsewhere
                    ):
                        least, wanted = self._apart(held, program, n, taken, (least, wanted))
                    else:
                        taken |= reads.get((program, n), False)
                        reads[program, n] = taken
                        least, wanted = (max(1, most_within(taken, each)) for each in (least, wanted))
                share = op.tiling.share(held.seated.values(), unrolled=edge.unrolled) if op.tiling else 1.0
                lines.append(Line(program, n, least, wanted, self.bytes_per_token(edge, share)))
        return lines, reads

    @staticmethod
    def _apart(held: Holding, program: int, edge: int, taken: Mask, places: tuple[int, int]) -> list[int]:
        """Return the places of an input if each copy has its own: as many for each as the one needs that has most."""
        before = next((line for line in held.lines if (line.program, line.edge) == (program, edge)), None)
        others = (before.least, before.wanted) if before is not None else (0, 0)
        return [
            held.copies * max(1, most_within(taken, each), other // max(1, held.copies - 1))
            for each, other in zip(places, others, strict=True)
        ]

    def _share_inputs(
        self, program: int, number: int, copies: int, capacity: int, outside: Collection[tuple[int, int]]
    ) -> bool:
        """Whether a tile has places for what its copies read only: of stripes, and where there is no room for more."""
        if self.parts(program, number, copies):
            return True
        node, least = self.programs[program][number], self.least[program][number]
        here = [n for n in range(len(node.edges)) if (number, n) not in outside]
        held = sum(least[n] * self.bytes_per_token(node.edges[n], 1.0) for n in here)
        return copies > 1 and held > capacity and all(self._is_own(program, number, n) for n in here)

    def _is_own(self, program: int, number: int, edge: int) -> bool:
        """Whether a position reads the token of its own number; asked for each tile that is tried."""
        key = program, number, edge
        if key not in self._own:
            self._own[key] = own_token(self.programs[program][number].edges[edge])
        return self._own[key]

    def _tokens(self, program: int, number: int, edge: int, index: int, copies: int) -> Mask:
        """Return which tokens of an input a copy reads."""
        nodes, parts = self.programs[program], self.parts(program, number, copies)
        node = nodes[number]
        own = parts[index] if parts else np.arange(index, node.positions, copies, dtype=np.int64)
        line = node.edges[edge]
        return line.wanted(own, nodes[line.source].tokens)
