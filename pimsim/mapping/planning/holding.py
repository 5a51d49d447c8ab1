"""What ops hold in a tile's buffer: at first enough to keep going, then a fair part of what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pimsim.mapping.planning.tiling import Block

ENOUGH = 0.25
"""Of the places that keep a pipeline going, beyond the least: what an op must have to share a tile."""


class Line(NamedTuple):
    """Places of one input in a tile.

    Parameters
    ----------
    program, edge : int
        Which input of the op, in which data flow.
    least, wanted : int
        Tokens without whose places the data flow can deadlock, and those that keep a pipeline going.
    size : int
        Bytes of one.
    """

    program: int
    edge: int
    least: int
    wanted: int
    size: int

    def places(self, part: float) -> int:
        """Return the least, and so much of what is wanted beyond."""
        return self.least + int((self.wanted - self.least) * part)


@dataclass(frozen=True, slots=True)
class Holding:
    """What an op holds in a tile's buffer.

    Parameters
    ----------
    lines : tuple of Line
        Its inputs.
    block : int
        Bytes beside them.
    part : float
        Of what is wanted beyond the least, what it has.
    seated : dict of int to Block
        A block there of each row.
    copies : int
        Copies of the op that read there.
    reads : dict of (program, edge) to bool array
        The tokens that these read.
    """

    lines: tuple[Line, ...] = ()
    block: int = 0
    part: float = 0.0
    seated: dict[int, Block] = field(default_factory=dict)
    copies: int = 0
    reads: dict[tuple[int, int], npt.NDArray[np.bool_]] = field(default_factory=dict)

    def bytes(self, part: float) -> int:
        """Return what it takes with so much of what is wanted beyond the least."""
        return self.block + sum(line.places(part) * line.size for line in self.lines)

    @property
    def used(self) -> int:
        """Bytes that it takes."""
        return self.bytes(self.part)


def share_out(holdings: Mapping[int, Holding], room: int) -> tuple[list[tuple[int, Line, int]], int]:
    """Give all in a tile the same part of what they lack; return op, input and places of each, and what is left.

    Parameters
    ----------
    holdings : mapping of int to Holding
        In the tile, by op.
    room : int
        Bytes that none of them takes.
    """
    lacking = sum(each.bytes(1.0) - each.used for each in holdings.values())
    part = min(1.0, room / lacking) if lacking else 0.0
    found = []
    for number, each in holdings.items():
        for line in each.lines:
            places = line.places(each.part)
            more = int((line.wanted - places) * part)
            room -= more * line.size
            found.append((number, line, places + more))
    return found, room
