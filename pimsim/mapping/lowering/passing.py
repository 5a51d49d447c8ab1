"""Who passes on what several tiles read alike: where packets cannot branch, the first tiles send it to the next.

Else the port of the tile that makes it would send it once for each, one after another, and each link between chips
would carry it once for each tile beyond. On a chip each tile sends it to so many others at most, as in a heap; another
chip gets it once, from the chip before.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pimsim.mapping.lowering.actors import Actors
from pimsim.mapping.lowering.windows import under_way
from pimsim.mapping.planning.package import HOST_TILE
from pimsim.mapping.planning.planned import PlannedOp

FAN = 2
"""Tiles that one sends it to: of two the second is there after twice the time of one, of a heap after its depth."""


@dataclass(slots=True)
class Seat:
    """A tile that a token comes to: its stream, and who passes it on from there; -1 if nobody does."""

    tile: int
    stream: int
    actor: int = -1


@dataclass(slots=True)
class Passing:
    """The tiles that each token of some sort comes to, in their order.

    Parameters
    ----------
    actors : Actors
        The program's.
    """

    actors: Actors
    _seats: dict[Hashable, list[Seat]] = field(default_factory=dict)

    def giver(
        self, op: PlannedOp, key: Hashable, homes: Sequence[int], tile: int, stream: int
    ) -> Seat | None:
        """Return who passes on to a tile what others have got; None where who makes it sends it there.

        Parameters
        ----------
        op : PlannedOp
            Who reads it.
        key : hashable
            What is read: tiles of one key read the same, of which `stream` says the tokens and bits.
        homes : sequence of int
            Tiles that make it.
        tile, stream : int
            Where it comes to.
        """
        seats = self._seats.setdefault(key, [])
        before = self._before(seats, set(homes), tile, self.actors.net.streams[stream].bits)
        if set(homes) != {tile}:  # there the same port would send it
            seats.append(Seat(tile, stream))
        if before is None:
            return None
        if before.actor < 0:
            before.actor = self._actor(op, before)
        return before

    def _before(self, seats: Sequence[Seat], homes: set[int], tile: int, bits: int) -> Seat | None:
        """Return the seat that a tile gets it from."""
        chips, size = {self._chip(home) for home in homes}, self.actors.config.tiles
        (first, *others), here = sorted(chips), tile // size
        beside = [seat for seat in seats if seat.tile // size == here]
        if others or here != first:
            if beside:
                return beside[(len(beside) - 1) // FAN]
            if others:
                return None
            between = [seat for seat in seats if min(first, here) <= seat.tile // size <= max(first, here)]
            between = [seat for seat in between if seat.tile // size != first]
            nearest = min(between, key=lambda seat: abs(seat.tile // size - here), default=None)
            return nearest
        fan = 1 if HOST_TILE in homes else FAN
        if len(beside) < fan:
            return None
        giver = beside[(len(beside) - fan) // FAN]
        transport, network = self.actors.transport, self.actors.config.network
        waits = len(beside) * network.flits(bits) * self.actors.config.clocks[network.clock].period_fs
        return giver if waits >= transport.through_fs(giver.tile, tile, bits) else None

    def _chip(self, home: int) -> int:
        return 0 if home == HOST_TILE else home // self.actors.config.tiles

    def _actor(self, op: PlannedOp, seat: Seat) -> int:
        """Return a new actor that takes each token of a stream from the buffer, to send it on."""
        net, row = self.actors.net, self.actors.net.streams[seat.stream]
        path = self.actors.transport.read_buffer(seat.tile, row.bits)
        actor = net.add_actor(
            f"{op.node.name}.on{seat.tile}.{seat.stream}{self.actors.mark}",
            op.node.name,
            net.add_path(path),
            row.tokens * self.actors.program.inferences,
            period=row.tokens,
            depth=under_way(net, path),
        )
        self.actors.units.add(actor)
        after = net.add_table(np.arange(1, row.tokens + 1, dtype=np.int64))
        net.add_input(actor, seat.stream, after, after)
        return actor
