"""How one op is mapped: its copies, their tiles and blocks, and what stays there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pimsim.mapping.flow.dataflow import Edge, Node
from pimsim.mapping.flow.layout import Table
from pimsim.mapping.planning.ports import own_token
from pimsim.mapping.planning.stationary import Share, Stationary
from pimsim.mapping.planning.tiling import Block, Tiling

IN_BUFFERS = "buffers"
"""The unit of an op that does nothing but keep a map in buffers."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The blocks of one replica that stand in one core (and at one ADC bank, if arrays share banks)."""

    tile: int
    core: int
    bank: int
    blocks: tuple[Block, ...]


@dataclass(slots=True)
class Replica:
    """One copy of an op: where its arrays are, and the tile where its result comes together.

    Parameters
    ----------
    home : int
        That tile.
    chunks : list of Chunk
        Its arrays.
    slots : str
        What these are called: ops that take turns on them have copies of one name. Empty where there are none.
    """

    home: int
    chunks: list[Chunk] = field(default_factory=list)
    slots: str = ""


@dataclass(slots=True)
class PlannedOp:
    """How one node of the data flow is mapped.

    Parameters
    ----------
    node : Node
        What it does.
    replicas : list of Replica
        Its copies.
    tiling : Tiling or None
        Its weight on arrays.
    unit : str or None
        The digital unit that does it.
    attached : bool
        Whether it takes its input straight from the op before, in the same tile, without the buffer.
    slices : int
        Where it is cut by attention heads: each replica does so many heads of every position.
    round : int
        Where weights are reloaded: the round of the inference that it is done in, from 0.
    operand : Stationary or None
        What stays where it is used: its weights, or the right matrix of a product with the cache before it.
    site : str or None
        The name of the sites that do it; None for what the host does.
    why : str
        Why there.
    shares : str or None
        The op before whose weight is its own, too, so that they take turns on the slots.
    side_by_side : bool
        Whether its copies work on one row at a time, and do not take turns with one another or with other ops.
    elsewhere : dict of (input, slice) to tuple of int
        Inputs that do not fit the tile, and the tiles whose buffers they lie in, a token in each by turns.
    rows_at_once : int
        Rows of a product for which a piece of a right matrix that lies elsewhere is fetched once.
    dealt : tuple of int64 arrays
        The positions of each replica, where they are dealt out so that their inputs fit.
    parts : tuple of int64 arrays
        The positions of each replica, where they are not dealt out one by one.
    product_fs : (int, int), optional
        Of a product that could be done either way: how long an inference keeps a slice's digital unit busy, or else
        its arrays.
    whole : bool
        Whether it is done as a whole, and puts out one token.
    sharers : int
        Sites that do it together, each a share: its node is what each of them does.
    how : str
        How it is cut then; empty where there is nothing to say.
    """

    node: Node
    replicas: list[Replica] = field(default_factory=list)
    tiling: Tiling | None = None
    unit: str | None = None
    attached: bool = False
    slices: int = 1
    operand: Stationary | None = None
    round: int = 0
    site: str | None = None
    why: str = ""
    shares: str | None = None
    side_by_side: bool = False
    elsewhere: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict)
    rows_at_once: int = 1
    dealt: tuple[Table, ...] = ()
    parts: tuple[Table, ...] = ()
    product_fs: tuple[int, int] | None = None
    whole: bool = False
    sharers: int = 1
    how: str = ""

    def positions(self, index: int) -> Table:
        """Return the positions of a replica, in the order that it fires: without `parts` they are dealt out one by one.

        A slice of heads sees every position.
        """
        if self.parts:
            return self.parts[index]
        if self.slices > 1:
            return np.arange(self.node.positions, dtype=np.int64)
        return np.arange(index, self.node.positions, len(self.replicas), dtype=np.int64)

    def alone(self, edge: Edge) -> bool:
        """Whether each copy has a stream of its own for an input: of stripes whose firings need one token each.

        Copies of stripes work side by side, so in one stream for a tile they would wait for one another's tokens.
        """
        apart = self.side_by_side and bool(self.parts) and not self.dealt
        return apart and not self.elsewhere and own_token(edge)

    def share_of(self, index: int, chunk: Chunk) -> Share:
        """Return what its operand is in a chunk of a replica."""
        assert self.operand is not None
        before = sum(len(replica.chunks) for replica in self.replicas[:index])
        return self.operand.shares[before + self.replicas[index].chunks.index(chunk)]

    @property
    def weight_bits(self) -> int | None:
        """Width of its weights; None where it has none."""
        weights = self.operand is not None and self.operand.what == "weights"
        return self.operand.shares[0].width if self.operand is not None and weights else None

    @property
    def right_matrix(self) -> Stationary | None:
        """The right matrix of a product of two activations, with the cache before it."""
        return self.operand if self.operand is not None and self.operand.what != "weights" else None

    @property
    def held_in(self) -> str | None:
        """Where the right matrix is: `stationary.BUFFER`, `SPREAD`, `MEMORY` or `ARRAYS`; None where there is none."""
        return None if self.right_matrix is None else self.right_matrix.home

    @property
    def written(self) -> int:
        """Arrays of each slice that a right matrix is written into."""
        return self.right_matrix.shares[0].slots if self.right_matrix is not None else 0

    @property
    def arrays(self) -> int:
        """Slots of all replicas, also of those that it shares with others."""
        each = self.tiling.arrays if self.tiling else self.written
        return each * len(self.replicas)

    @property
    def tiles(self) -> list[int]:
        """Tiles that it uses, sorted."""
        return sorted(
            {r.home for r in self.replicas} | {chunk.tile for r in self.replicas for chunk in r.chunks}
        )

    @property
    def buffer_tiles(self) -> list[int]:
        """Tiles that hold its inputs, sorted."""
        if self.tiling is None:
            return sorted({r.home for r in self.replicas})
        return sorted({chunk.tile for r in self.replicas for chunk in r.chunks})
