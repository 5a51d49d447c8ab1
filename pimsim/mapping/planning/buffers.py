"""Room in the tiles' buffers, and who has taken how much of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.planning.dealing import Deal
from pimsim.mapping.planning.holding import ENOUGH, Holding, share_out
from pimsim.mapping.planning.package import Package
from pimsim.mapping.planning.plan import Slack
from pimsim.mapping.planning.planned import PlannedOp
from pimsim.mapping.planning.reads import Reads
from pimsim.mapping.planning.stripes import are_striped
from pimsim.mapping.planning.tiling import Block

NOTHING = Holding()
"""What an op holds in a tile that it is not in."""


class Buffers:
    """What is still free in the tiles' buffers.

    Parameters
    ----------
    package : Package
        The chips.
    programs : sequence of sequence of Node
        The data flows that share the parts: the same ops in the same order.
    least, wanted : sequence of sequence of sequence of int
        For each program, op and edge: the places without which the data flow can deadlock, and those that keep a
        pipeline going.
    deals : mapping of int to Deal
        Ops whose positions are dealt out so that their inputs fit.
    """

    def __init__(
        self,
        package: Package,
        programs: Sequence[Sequence[Node]],
        least: Sequence[Sequence[Sequence[int]]],
        wanted: Sequence[Sequence[Sequence[int]]],
        deals: Mapping[int, Deal],
    ) -> None:
        self.package = package
        self.programs, self.least, self.wanted, self.deals = programs, least, wanted, deals
        self.capacity = [package.site(tile).store.capacity_bytes for tile in range(package.tiles)]
        self.room = list(self.capacity)  # bytes
        self.reads = Reads(programs, least, wanted, deals)
        self.modest = False  # whether ops get no more than the least until all have it
        self._striped: dict[int, bool] = {}
        self._first: tuple[object, tuple[Holding, int, int]] | None = None
        self.holdings: list[dict[int, Holding]] = [{} for _ in range(package.tiles)]  # by tile and op
        self.granted: list[dict[tuple[int, int, int], int]] = [
            {} for _ in programs
        ]  # (op, edge, tile) -> places
        self.needed: list[dict[tuple[int, int, int], int]] = [
            {} for _ in programs
        ]  # likewise, without which it stops
        self.left: list[list[int]] = []  # of each round that is over: bytes by tile
        self.outside: dict[tuple[int, int], int] = {}  # input of an op -> in how many buffers it lies
        self.blocks: dict[
            int, tuple[int, int]
        ] = {}  # product -> rows for which a piece is fetched once; their bytes
        self.beside: dict[
            int, int
        ] = {}  # op -> bytes that lie with its inputs: weights and caches of a kernel

    def open_round(self) -> None:
        """Begin a round: buffers are free again, but what lies in the memory stays."""
        self.close_round()
        self.left.append(self.room)
        self.room = list(self.capacity)

    def close_round(self) -> None:
        """Share out what is left of the buffers among those that want more."""
        for tile, holdings in enumerate(self.holdings):
            shared, self.room[tile] = share_out(holdings, self.room[tile])
            for number, line, places in shared:
                self.granted[line.program][number, line.edge, tile] = places
                self.needed[line.program][number, line.edge, tile] = line.least
        self.holdings = [{} for _ in self.holdings]

    def slack(self, program: int) -> Slack:
        """Return what a program needs at least, and what is left of the buffers, in the fullest round."""
        rounds = [*self.left, self.room]
        return Slack(self.needed[program], [min(each) for each in zip(*rounds, strict=True)])

    def reserve(
        self,
        number: int,
        op: PlannedOp,
        tile: int,
        blocks: Iterable[Block],
        at: tuple[int, int] | None,
        left: int = 0,
    ) -> bool:
        """Make room for the inputs of a copy of an op on a tile; False, and nothing changed, if there is not enough.

        Parameters
        ----------
        number, op, tile, blocks
            Which op, where, and its blocks there.
        at : (int, int)
            Which copy, and of how many; None where users of one weight take turns.
        left : int
            Of those, how many come after this one: it does with the least unless all can have what they want.
        """
        before = self.holdings[tile].get(number, NOTHING)
        free = self.room[tile] + before.used
        if before is NOTHING and not blocks:
            here, least, wanted = self._first_copy(number, op, at, self.capacity[tile])
        else:
            here = self._held(number, op, before, blocks, at, self.capacity[tile])
            least, wanted = here.bytes(0.0), here.bytes(1.0)
        if least > free:
            return False
        part = ENOUGH if at is not None and self._are_striped(number) else 1.0
        if self.modest:
            part = 0.0
        elif left:
            part = 1.0 if wanted * (left + 1) <= free else 0.0
        # A tile of its own is as good as it gets: there the op may do with less than it wants.
        if here.bytes(part) > free and free < self.capacity[tile]:
            return False
        if here.bytes(part) > free:
            part = (free - least) / (wanted - least)
        here = replace(here, part=part)
        self.room[tile] = free - here.used
        self.holdings[tile][number] = here
        return True

    def _are_striped(self, number: int) -> bool:
        """Whether copies of an op take stripes; asked for each tile that is tried."""
        if number not in self._striped:
            self._striped[number] = are_striped(self.programs[0][number])
        return self._striped[number]

    def _held(
        self,
        number: int,
        op: PlannedOp,
        before: Holding,
        blocks: Iterable[Block],
        at: tuple[int, int] | None,
        capacity: int,
    ) -> Holding:
        """Return what an op holds in a tile with one copy more there."""
        seated = before.seated | {block.row: block for block in blocks}
        here = replace(before, seated=seated, copies=before.copies + 1)
        lines, reads = self.reads.lines(number, op, here, at, capacity, self.outside)
        block = here.copies * self.blocks.get(number, (1, 0))[1] + self.beside.get(number, 0)
        return replace(here, lines=tuple(lines), reads=reads, block=block)

    def _first_copy(
        self, number: int, op: PlannedOp, at: tuple[int, int] | None, capacity: int
    ) -> tuple[Holding, int, int]:
        """Return what the first copy of an op without blocks holds in any tile, and the bytes at least and at most.

        Many tiles are tried for one copy, and it is the same in all of them.
        """
        key = number, at, capacity, len(self.outside)
        if self._first is None or self._first[0] != key:
            here = self._held(number, op, NOTHING, (), at, capacity)
            self._first = key, (here, here.bytes(0.0), here.bytes(1.0))
        return self._first[1]
