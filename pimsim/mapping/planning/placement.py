"""Placement: arrays along a curve of tiles, digital work near its inputs, buffers within each tile's capacity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.layout import Table
from pimsim.mapping.planning.buffers import Buffers
from pimsim.mapping.planning.copies import Copies
from pimsim.mapping.planning.dealing import Deal
from pimsim.mapping.planning.kind import BUS, PORT
from pimsim.mapping.planning.package import HOST_TILE, Package
from pimsim.mapping.planning.planned import IN_BUFFERS, Chunk, PlannedOp, Replica
from pimsim.mapping.planning.slots import home_of, spread
from pimsim.mapping.planning.tiling import Block


class NoRoom(Exception):
    """A placement that did not work out; the planner tries another or reports it."""


class Floor(Buffers):
    """What is still free on the tiles, and who sits where; its parameters are those of `Buffers`."""

    def __init__(
        self,
        package: Package,
        programs: Sequence[Sequence[Node]],
        least: Sequence[Sequence[Sequence[int]]],
        wanted: Sequence[Sequence[Sequence[int]]],
        deals: Mapping[int, Deal],
    ) -> None:
        super().__init__(package, programs, least, wanted, deals)
        self.config, self.kinds = package.config, package.kinds
        self.order = package.order()
        self.rank = {tile: n for n, tile in enumerate(self.order)}
        self.ranks = {
            name: np.array(sorted(self.rank[tile] for tile in package.seats_of(name))) for name in self.kinds
        }  # of the sites of each name
        self.orders = {name: [self.order[rank] for rank in ranks] for name, ranks in self.ranks.items()}
        memory = self.config.memory
        self.off_chip = [int(memory.capacity_gib * 2**30) if memory else 0] * package.chips  # bytes
        self.load = {
            (name, unit): np.zeros(package.tiles)
            for name, kind in self.kinds.items()
            for unit in (*kind.site.digital, IN_BUFFERS, BUS, PORT)
        }  # by rank: share of time in use
        # Slots for weights are taken in the order of the tiles, from each one's first.
        self.next_slot = dict.fromkeys(self.kinds, 0)
        self.filled = [0] * package.tiles  # by rank: slots with weights
        self.placed: dict[
            int, tuple[list[Replica], str | None]
        ] = {}  # op with a weight -> its copies, and the op before whose weight it is, too
        self.set_aside = [
            0
        ] * package.tiles  # by rank: arrays at the tile's end that products write into, whole banks
        self.elsewhere: dict[
            tuple[int, int, int], tuple[int, ...]
        ] = {}  # input of an op and slice -> the buffers
        self.grouped: dict[
            int, tuple[list[Replica], str]
        ] = {}  # member of a group -> its slices, and where right matrices are

    def open_round(self) -> None:
        """Begin a round: arrays and units are free again, too."""
        super().open_round()
        self.next_slot = dict.fromkeys(self.kinds, 0)
        self.filled, self.set_aside = [0] * len(self.room), [0] * len(self.room)
        self.load = {unit: np.zeros_like(load) for unit, load in self.load.items()}

    # -- buffers -----------------------------------------------------------------------------------------------

    def lay_out(
        self, number: int, edge: int, part: int, anchor: int, share: float = 1.0, caches: int = 1
    ) -> bool:
        """Make room for an input in buffers near a tile, a token in each by turns; False if there is not enough.

        Parameters
        ----------
        number, edge, part
            Which input of which op, and which slice of heads.
        anchor : int
            The tile that reads it.
        share : float
            Of its features, that this slice reads.
        caches : int
            How many sequences have a cache at once.
        """
        count, size = self.outside[number, edge], 0
        shared = len(self.programs) > 1
        for program, nodes in enumerate(self.programs):
            line = nodes[number].edges[edge]
            if line.held and shared and not line.cached:
                continue  # it goes into the other program's cache
            cached = caches * math.ceil(line.cached * share * line.bits / 8)
            places = -(-self.least[program][number][edge] // count)
            size += places * self.reads.bytes_per_token(line, share) + -(-cached // count)
        site = self.package.site(anchor).name
        near = [self.order[rank] for rank in self.around(anchor, site)]
        chosen = [tile for tile in near if self.room[tile] >= size][:count]
        if len(chosen) < count:
            return False
        for tile in chosen:
            self.room[tile] -= size
            for program, least in enumerate(self.least):
                places = -(-least[number][edge] // count)
                self.granted[program][number, edge, tile] = places
                self.needed[program][number, edge, tile] = places
        self.elsewhere[number, edge, part] = tuple(chosen)
        return True

    # -- arrays ------------------------------------------------------------------------------------------------

    def place_weight(self, op: PlannedOp, users: Sequence[int], copies: Copies) -> None:
        """Give a weight its slots along the curve, and each op that reads it its copies of them, in `placed`.

        Parameters
        ----------
        op : PlannedOp
            The first op that reads it.
        users : sequence of int
            All that do: mostly that one. They take turns.
        copies : Copies
            How many each of them uses, and how many there are.
        """
        sets: list[Replica] = []
        turn = 0
        firings = sum(self.programs[0][n].positions for n in users) / copies.sets[users[0]]
        often = firings / copies.pace_fs if copies.pace_fs else 0.0
        for at, n in enumerate(users):
            node, count, left = self.programs[0][n], copies.of[n], len(users) - at - 1
            chosen = [sets[(turn + k) % len(sets)] for k in range(min(count, len(sets)))]
            if not sets or not self._join(n, op, chosen, left):
                new = 1 if sets else copies.sets[n]
                ats = [(k, min(count, new)) if len(users) == 1 else None for k in range(new)]
                names = [f"{node.name}.{k}" for k in range(new)]
                sets = [self._new_set(n, op, names[k], k < count, ats[k], left, often) for k in range(new)]
                chosen, turn = sets[:count], 0
            turn += node.positions
            self.placed[n] = chosen, op.node.name if at else None

    def _join(self, number: int, op: PlannedOp, chosen: Sequence[Replica], left: int) -> bool:
        """Make room beside slots that others use, too; False, and nothing changed, if there is not enough."""
        before = {chunk.tile: self.room[chunk.tile] for replica in chosen for chunk in replica.chunks}
        for replica in chosen:
            blocks: dict[int, list[Block]] = {}
            for chunk in replica.chunks:
                blocks.setdefault(chunk.tile, []).extend(chunk.blocks)
            if not all(self.reserve(number, op, tile, here, None, left) for tile, here in blocks.items()):
                for tile, room in before.items():
                    self.room[tile] = room
                    self.holdings[tile].pop(number, None)
                return False
        return True

    def _new_set(
        self,
        number: int,
        op: PlannedOp,
        name: str,
        used: bool,
        at: tuple[int, int] | None,
        left: int,
        often: float,
    ) -> Replica:
        """Take the slots of a weight, the next along the curve; room for inputs only if the op uses them itself."""
        assert op.tiling is not None
        assert op.site is not None
        kind, ranks = self.kinds[op.site], self.ranks[op.site]
        if kind.in_turn:
            return self._replica(number, self._stand_apart(number, op, used, at, left, often), name)
        arrays, per_tile = kind.core_slots, kind.slots
        # A core's slots work in step unless they share something.
        together = kind.bank_slots if kind.bank_slots > 1 else arrays
        chunks: dict[tuple[int, int, int], list[Block]] = {}
        blocks = list(op.tiling.blocks)
        while blocks:
            seat, taken = divmod(self.next_slot[op.site], per_tile)
            if seat >= len(ranks):
                raise NoRoom("arrays")
            position = int(ranks[seat])
            tile = self.order[position]
            here = blocks[: max(0, per_tile - self.set_aside[position] - taken)]
            if not here or (used and not self.reserve(number, op, tile, here, at, left)):
                self.next_slot[op.site] = (seat + 1) * per_tile  # the buffer is full: leave these slots
                continue
            self.next_slot[op.site] += len(here)
            self.filled[position] += len(here)
            blocks = blocks[len(here) :]
            while here:  # as many as the core, or its next bank where arrays share one, has left
                core, slot = divmod(taken, arrays)
                count = together - slot % together
                chunks.setdefault((tile, core, slot // together), []).extend(here[:count])
                taken += count
                here = here[count:]
        return self._replica(number, chunks, name)

    def _stand_apart(
        self, number: int, op: PlannedOp, used: bool, at: tuple[int, int] | None, left: int, often: float
    ) -> dict[tuple[int, int, int], list[Block]]:
        """Take slots for a weight where those of a site take turns: near the last ones, where the unit has time."""
        tiling, site = op.tiling, str(op.site)
        assert tiling is not None
        kind, blocks = self.kinds[site], list(tiling.blocks)
        chunks: dict[tuple[int, int, int], list[Block]] = {}

        def share(here: Sequence[Block]) -> dict[str, float]:
            held = kind.held_fs(tiling, here, self.programs[0][number].read_bits)
            return {part: fs * often for part, fs in held.items()}

        while blocks:
            near = self.around(self.orders[site][self.next_slot[site]], site)
            free = {rank: kind.slots - self.set_aside[rank] - self.filled[rank] for rank in near.tolist()}
            loads = {part: load for (name, part), load in self.load.items() if name == site}
            for rank, count in spread(blocks, near, free, loads, share):
                tile, here = self.order[rank], blocks[:count]
                if not used or self.reserve(number, op, tile, here, at, left):
                    break
            else:
                raise NoRoom("arrays")
            for part, more in share(here).items():
                loads[part][rank] += more
            for slot, block in enumerate(here, self.filled[rank]):
                core = slot // kind.core_slots
                bank = slot % kind.core_slots // kind.bank_slots if kind.bank_slots > 1 else 0
                chunks.setdefault((tile, core, bank), []).append(block)
            self.filled[rank] += count
            self.next_slot[site] = int(np.searchsorted(self.ranks[site], rank))
            blocks = blocks[count:]
        return chunks

    def _replica(
        self, number: int, chunks: Mapping[tuple[int, int, int], Sequence[Block]], name: str
    ) -> Replica:
        held: dict[int, list[Block]] = {}
        for (tile, _, _), blocks in chunks.items():
            held.setdefault(tile, []).extend(blocks)
        home = home_of(held, self.rank, self.package, self.programs[0][number].bits)
        return Replica(home, [Chunk(*key, tuple(here)) for key, here in chunks.items()], name)

    # -- digital units -----------------------------------------------------------------------------------------

    def place_on_units(
        self,
        number: int,
        op: PlannedOp,
        ops: list[PlannedOp],
        replicas: int,
        demand: Mapping[str, float],
        beside: Sequence[Replica] = (),
    ) -> None:
        """Put each replica on the nearest tile with buffer room and unit time to spare.

        Parameters
        ----------
        number, op, ops, replicas
            What to place.
        demand : mapping of str to float
            Share of one tile's units, by their names, that a replica keeps busy at the pipeline's pace.
        beside : sequence of Replica
            Copies of another op to be near; by default those of all its sources.
        """
        assert op.unit is not None
        assert op.site is not None
        near_to = beside or [r for edge in op.node.edges for r in ops[edge.source].replicas]
        anchors = [r.home for r in near_to if r.home != HOST_TILE]
        anchors = anchors or [self.orders[op.site][0]]
        for n in range(replicas):
            near = self.around(anchors[(n * len(anchors)) // replicas], op.site)
            loads = {unit: self.load[op.site, unit] for unit in demand}
            busy, idle = np.zeros(len(near)), np.ones(len(near), dtype=np.bool_)
            for unit, share in demand.items():
                busy, idle = np.maximum(busy, loads[unit][near] + share), idle & (loads[unit][near] == 0)
            free = idle | (busy <= 1.0)
            # Where all with room are busy all the time, they set the pace: take the one with least to do.
            late = near[~free][np.argsort(busy[~free], kind="stable")]
            for rank in (*near[free], *late):
                tile = self.order[rank]
                if self.reserve(number, op, tile, (), (n, replicas)):
                    for unit, share in demand.items():
                        loads[unit][rank] += share
                    op.replicas.append(Replica(tile))
                    break
            else:
                raise NoRoom("buffer")
        for at, edge in self.outside:
            if at == number and not self.lay_out(number, edge, 0, op.replicas[0].home):
                raise NoRoom("buffer")

    def place_whole(self, number: int, op: PlannedOp, tile: int) -> None:
        """Put a kernel on a site, with its inputs and its weights."""
        if not self.reserve(number, op, tile, (), (0, 1)):
            raise NoRoom("memory at the processors")
        op.replicas.append(Replica(tile))

    def note_work(self, op: PlannedOp, demand: Mapping[str, float]) -> None:
        """Count what is done on digital units beside the copies of a layer."""
        for unit, share in demand.items():
            for replica in op.replicas:
                self.load[str(op.site), unit][self.rank[replica.home]] += share

    def around(self, anchor: int, site: str) -> Table:
        """Return the ranks of a name's tiles by their distance from a tile; of two as far, the later first."""
        away = self.ranks[site] - self.rank[anchor]
        found: Table = self.ranks[site][np.argsort(2 * np.abs(away) - (away > 0), kind="stable")]
        return found
