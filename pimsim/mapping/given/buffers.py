"""What the buffers hold in a plan that is given: places for the inputs of each op, no more than there is room for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pimsim.errors import MappingError
from pimsim.mapping.flow.dataflow import Edge
from pimsim.mapping.given.frame import Frame
from pimsim.mapping.given.seats import where_of
from pimsim.mapping.planning.dealing import Deal, Parts
from pimsim.mapping.planning.holding import Holding
from pimsim.mapping.planning.places import wanted_of
from pimsim.mapping.planning.plan import Slack
from pimsim.mapping.planning.planned import PlannedOp
from pimsim.mapping.planning.reads import Reads
from pimsim.mapping.planning.room import block_of
from pimsim.mapping.planning.shared import only_taken
from pimsim.mapping.planning.stationary import ARRAYS, MEMORY
from pimsim.mapping.planning.stripes import reach
from pimsim.mapping.planning.tiling import Block
from pimsim.mapping.planning.whole import bytes_beside

Key = tuple[int, int, int]  # op, input, tile
Spot = tuple[int, int]  # round, tile


@dataclass
class Buffers:
    """What is where.

    Parameters
    ----------
    frame : Frame
        The ops.
    ops : sequence of PlannedOp
        With their copies, as the first data flow has them.
    parts : sequence of sequence of Parts
        For each op and data flow, the positions of its copies.
    deals : mapping of int to Deal
        Ops that are dealt out so that their inputs fit.
    right_in : mapping of int to str
        Where the right matrix of a product is.

    Attributes
    ----------
    places, needed : list of dict of (op, input, tile) to int
        For each data flow, the places that there are, and those without which it can deadlock.
    """

    frame: Frame
    ops: Sequence[PlannedOp]
    parts: Sequence[Sequence[Parts]]
    deals: Mapping[int, Deal]
    right_in: Mapping[int, str]
    places: list[dict[Key, int]] = field(init=False)
    needed: list[dict[Key, int]] = field(init=False)
    _used: dict[Spot, Counter[str]] = field(init=False)
    _off_chip: Counter[int] = field(init=False)
    _open: dict[Spot, list[tuple[int, Key, int, int]]] = field(init=False)

    def __post_init__(self) -> None:
        """Count everything, and refuse what does not fit."""
        frame = self.frame
        self.places = [{} for _ in frame.programs]
        self.needed = [{} for _ in frame.programs]
        self._used, self._off_chip, self._open = {}, Counter(), {}
        self.wanted = self._wanted()
        self.reads = Reads(frame.programs, frame.least, self.wanted, self.deals)
        for number, own in enumerate(self.parts):
            for program, each in enumerate(own):
                self.reads._parts[program, number, len(self.ops[number].replicas)] = each
        sites = [row.site for row in frame.rows]
        self.beside = bytes_beside(frame.programs, sites, frame.kinds, frame.weight_bits, frame.caches)
        for number, op in enumerate(self.ops):
            if op.attached:
                self._attached(number, op)
            elif op.slices > 1:
                self._slices(number, op)
            elif op.site is not None:
                self._copies(number, op)
            self._elsewhere(number, op)
            self._check_given(number)
        self._share_out()
        self._check_room()

    def _wanted(self) -> list[list[list[int]]]:
        """Return the places that keep a pipeline going, as the planner has them; where all are given, the least."""
        frame = self.frame
        if all(len(row.places) == len(frame.programs) or row.site is None for row in frame.rows):
            return frame.least
        ahead = np.array(
            [reach(node, len(op.replicas)) for node, op in zip(frame.nodes, self.ops, strict=True)],
            dtype=np.int64,
        )
        apart = [len(op.replicas) > 1 and op.side_by_side for op in self.ops]
        found = [
            wanted_of(each, least, ahead, apart, frame.kinds)
            for least, each in zip(frame.least, frame.programs, strict=True)
        ]
        return [only_taken(*each, frame.users, 1) for each in zip(frame.programs, found, strict=True)]

    # -- the inputs of an op -----------------------------------------------------------------------------------

    def _given(self, program: int, key: Key, least: int, default: int = 0) -> int:
        """Return the places that are given for an input, at least as many as it needs; without any, the default."""
        number, edge, tile = key
        given = self.frame.rows[number].places
        found = max(least, default)
        if program < len(given):
            found = given[program].get(str(edge), {}).get(str(tile), found)
        if found < least:
            raise MappingError(
                f"found {found} places for input {edge} at tile {tile}, expected {least} or more: with fewer the "
                "data flow can stop for good",
                where=where_of(self.frame.rows[number]),
            )
        self.places[program][key], self.needed[program][key] = found, least
        return found

    def _leave_open(self, program: int, key: Key, wanted: int, size: int) -> None:
        """Note an input that no places are given for: it may have what is wanted, if there is room."""
        number, edge, tile = key
        given = self.frame.rows[number].places
        if program >= len(given) or str(tile) not in given[program].get(str(edge), {}):
            more = wanted - self.places[program][key]
            if more > 0:
                spot = self.ops[number].round, tile
                self._open.setdefault(spot, []).append((program, key, more, size))

    def _share_out(self) -> None:
        """Give all inputs in a tile that no places are given for the same part of what they want."""
        for (turn, tile), lines in self._open.items():
            used = self._used.setdefault((turn, tile), Counter())
            room = self.frame.package.site(tile).store.capacity_bytes - used.total()
            lacking = sum(more * size for _, _, more, size in lines)
            part = min(1.0, max(0, room) / lacking) if lacking else 1.0
            for program, key, more, size in lines:
                self.places[program][key] += int(more * part)
                used[self.frame.nodes[key[0]].name] += int(more * part) * size

    def _attached(self, number: int, op: PlannedOp) -> None:
        """Registers between an op and the one before: not in the buffer."""
        dealt, more = (1, 0) if op.slices > 1 else (len(op.replicas), 1)
        for tile in op.buffer_tiles:
            few = -(-self.frame.least[0][number][0] // dealt) + more
            for program in range(len(self.frame.programs)):
                in_flight = self.frame.package.site(tile).in_flight
                self._given(program, (number, 0, tile), few, in_flight)
                del self.needed[program][number, 0, tile]

    def _copies(self, number: int, op: PlannedOp) -> None:
        """Inputs of copies that each do some of the positions."""
        turns = op.tiling is not None and any(
            number in each and len(each) > 1 for each in self.frame.users.values()
        )
        outside = {(number, edge) for edge, _ in op.elsewhere}
        held: dict[int, Holding] = {}
        for index, replica in enumerate(op.replicas):
            by_tile: dict[int, list[Block]] = {replica.home: []} if op.tiling is None else {}
            for chunk in replica.chunks:
                by_tile.setdefault(chunk.tile, []).extend(chunk.blocks)
            for tile, blocks in by_tile.items():
                before = held.get(tile, Holding())
                seated = before.seated | {block.row: block for block in blocks}
                here = replace(before, seated=seated, copies=before.copies + 1)
                at = None if turns else (index, len(op.replicas))
                capacity = self.frame.package.site(tile).store.capacity_bytes
                lines, reads = self.reads.lines(number, op, here, at, capacity, outside)
                held[tile] = replace(here, lines=tuple(lines), reads=reads)
        for tile, here in held.items():
            size = here.copies * self._block(number, op) + self.beside.get(number, 0)
            for line in here.lines:
                key = number, line.edge, tile
                size += line.size * self._given(line.program, key, line.least)
                self._leave_open(line.program, key, line.wanted, line.size)
            self._take(number, op, tile, size)

    def _slices(self, number: int, op: PlannedOp) -> None:
        """Inputs of slices of heads, each of which sees every position; caches and right matrices with them."""
        frame, written = self.frame, self.right_in.get(number) == ARRAYS
        shared = len(frame.programs) > 1
        outside = {edge for edge, _ in op.elsewhere}
        for tile in (replica.home for replica in op.replicas):
            used = self._block(number, op)
            for program, nodes in enumerate(frame.programs):
                for n, edge in enumerate(nodes[number].edges):
                    if n in outside:
                        continue
                    least = frame.least[program][number][n]
                    size = self.reads.bytes_per_token(edge, 1 / op.slices)
                    wanted = max(least, self.wanted[program][number][n])
                    places = self._given(program, (number, n, tile), least, wanted if edge.held else 0)
                    if not edge.held:
                        used += places * size
                        self._leave_open(program, (number, n, tile), wanted, size)
                    elif written:  # only what is to be written waits in the buffer
                        used += least * size
                    elif edge.cached or not shared:  # else it goes into the other program's cache
                        here = least * size + frame.caches * self._cached(edge, op.slices)
                        if self.right_in.get(number) == MEMORY:
                            self._off_chip[tile // frame.package.config.tiles] += here
                        else:
                            used += here
            self._take(number, op, tile, used)

    def _elsewhere(self, number: int, op: PlannedOp) -> None:
        """Inputs that lie in several tiles' buffers."""
        frame = self.frame
        shared, caches = len(frame.programs) > 1, frame.caches if op.slices > 1 else 1
        for (edge, _), tiles in op.elsewhere.items():
            for tile in tiles:
                size = 0
                for program, nodes in enumerate(frame.programs):
                    line, least = (
                        nodes[number].edges[edge],
                        -(-frame.least[program][number][edge] // len(tiles)),
                    )
                    places = self._given(program, (number, edge, tile), least)
                    if line.held and shared and not line.cached:
                        continue
                    cached = -(-caches * self._cached(line, op.slices) // len(tiles))
                    size += places * self.reads.bytes_per_token(line, 1 / op.slices) + cached
                self._take(number, op, tile, size)

    def _cached(self, edge: Edge, slices: int) -> int:
        return math.ceil(edge.cached / slices * edge.bits / 8)

    def _block(self, number: int, op: PlannedOp) -> int:
        """Return the bytes of the rows of a product for which a piece of its right matrix is fetched once."""
        each = [nodes[number] for nodes in self.frame.programs]
        if not any(each[0].edges[edge].held for edge, _ in op.elsewhere):
            return 0
        rows, size = block_of(each, op.slices, 1 << 62)
        return min(rows, op.rows_at_once) * (size // rows)

    # -- room --------------------------------------------------------------------------------------------------

    def _take(self, number: int, op: PlannedOp, tile: int, size: int) -> None:
        self._used.setdefault((op.round, tile), Counter())[self.frame.nodes[number].name] += size

    def _check_given(self, number: int) -> None:
        """Refuse places of inputs where they are not read."""
        for program, given in enumerate(self.frame.rows[number].places):
            for edge, tiles in given.items():
                for tile in tiles:
                    known = edge.isdecimal() and tile.isdecimal() and program < len(self.places)
                    if not known or (number, int(edge), int(tile)) not in self.places[program]:
                        raise MappingError(
                            f"found places for input {edge:.20} at tile {tile:.20}, where no copy of it reads that",
                            where=where_of(self.frame.rows[number]),
                            mend="leave them out",
                        )

    def _check_room(self) -> None:
        """Refuse buffers, or a memory, that hold more than they can."""
        for (_, tile), used in sorted(self._used.items(), key=lambda each: each[0]):
            site = self.frame.package.site(tile)
            if used.total() > site.store.capacity_bytes:
                most = ", ".join(f"{name} {size}" for name, size in used.most_common(3))
                raise MappingError(
                    f"would hold {used.total()} bytes, it has {site.store.capacity_bytes}: {most}",
                    where=f"the buffer of tile {tile}",
                    mend="give fewer places, or put copies elsewhere",
                )
        memory = self.frame.package.config.memory
        there = int(memory.capacity_gib * 2**30) if memory is not None else 0
        for chip, size in self._off_chip.items():
            if size > there:
                raise MappingError(
                    f"would hold {size} bytes of caches and right matrices, it has {there}",
                    where=f"the memory of chip {chip}",
                )

    def slack(self, program: int) -> Slack:
        """Return what a data flow needs at least, and what is left of the buffers, in the fullest round."""
        package = self.frame.package
        room = [package.site(tile).store.capacity_bytes for tile in range(package.tiles)]
        for (_, tile), used in self._used.items():
            room[tile] = min(room[tile], package.site(tile).store.capacity_bytes - used.total())
        return Slack(self.needed[program], room)
