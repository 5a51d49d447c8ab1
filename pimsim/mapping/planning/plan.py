"""The plan: which op runs where, in how many replicas, with how many places in which buffer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from pimsim.chip import Chip
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.growth import Growth
from pimsim.mapping.flow.layout import Table
from pimsim.mapping.planning.package import Package
from pimsim.mapping.planning.stationary import Share, Stationary
from pimsim.mapping.planning.tiling import Block, Tiling


@dataclass(frozen=True, slots=True)
class Chunk:
    """The blocks of one replica that stand in one core (and at one ADC bank, if arrays share banks)."""

    tile: int
    core: int
    bank: int
    blocks: tuple[Block, ...]


@dataclass(slots=True)
class Replica:
    """One copy of an op: where its arrays are, and the tile where its result comes together."""

    home: int
    chunks: list[Chunk] = field(default_factory=list)


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
    product_fs : (int, int), optional
        Of a product that could be done either way: how long an inference keeps a slice's digital unit busy, or else
        its arrays.
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
    product_fs: tuple[int, int] | None = None

    def positions(self, index: int) -> Table:
        """Return the positions of a replica, in the order that it fires: they are dealt out one by one.

        A slice of heads sees every position.
        """
        if self.slices > 1:
            return np.arange(self.node.positions, dtype=np.int64)
        return np.arange(index, self.node.positions, len(self.replicas), dtype=np.int64)

    def share_of(self, index: int, chunk: Chunk) -> Share:
        """Return what its operand is in a chunk of a replica."""
        assert self.operand is not None
        before = sum(len(replica.chunks) for replica in self.replicas[:index])
        return self.operand.shares[before + self.replicas[index].chunks.index(chunk)]

    @property
    def right_matrix(self) -> Stationary | None:
        """The right matrix of a product of two activations, with the cache before it."""
        return self.operand if self.operand is not None and self.operand.what != "weights" else None

    @property
    def held_in(self) -> str | None:
        """Where the right matrix is: `stationary.BUFFER`, `MEMORY` or `ARRAYS`; None where there is none."""
        return None if self.right_matrix is None else self.right_matrix.home

    @property
    def written(self) -> int:
        """Arrays of each slice that a right matrix is written into."""
        return self.right_matrix.shares[0].slots if self.right_matrix is not None else 0

    @property
    def arrays(self) -> int:
        """Slots of all replicas."""
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


@dataclass(slots=True)
class Plan:
    """A trace mapped on a chip, or on several.

    Parameters
    ----------
    chip : Chip
        Each of the chips.
    package : Package
        All of them.
    ops : list of PlannedOp
        In topological order, the model's outputs last.
    places : dict of (op, edge, tile) to int
        Tokens that the buffer of an input has room for, as the source counts them.
    weight_bits, input_bits : int
        Precision of the run.
    pace_fs : int
        The time an inference takes the slowest layer on arrays if nothing else holds it up.
    growth : Growth, optional
        How its work grows with the tokens in the cache; `ops` are those with the most.
    """

    chip: Chip
    package: Package
    ops: list[PlannedOp]
    places: dict[tuple[int, int, int], int]
    weight_bits: int
    input_bits: int
    pace_fs: int
    growth: Growth | None = None

    def retimed(self, chip: Chip) -> Plan:
        """Return the same plan on a chip of the same shape whose parts are faster or slower."""
        return replace(self, chip=chip, package=Package(chip.config, self.package.chips))

    @property
    def arrays(self) -> int:
        """Slots (arrays, banks of weights) in use."""
        return sum(op.arrays for op in self.ops)

    @property
    def rounds(self) -> int:
        """Rounds of an inference: one, unless the arrays are written anew in the course of it."""
        return 1 + max((op.round for op in self.ops), default=0)

    @property
    def rewritten(self) -> set[tuple[int, int]]:
        """Tiles and cores whose arrays hold one op's weights after another's."""
        return in_turn(self.ops)

    @property
    def arrays_available(self) -> int:
        """Slots of all chips."""
        return self.package.chips * sum(kind.slots * kind.site.count for kind in self.package.kinds.values())

    def rows(self) -> list[dict[str, object]]:
        """Return the plan as a table: a row an op that fires."""
        return [
            {
                "op": op.node.name,
                "type": op.node.type,
                "on": self.package.kinds[str(op.site)].slots_are if op.arrays else op.unit or "host",
                "arrays": op.arrays,
                "utilisation": op.tiling.utilisation if op.tiling else None,
                "replicas": len(op.replicas),
                "firings": op.node.positions,
                "slices": op.slices,
                "right_matrix_in": op.held_in,
                "product_fs": op.product_fs and dict(zip(("digital", "written"), op.product_fs, strict=True)),
                "round": op.round,
                "site": op.site,
                "why": op.why,
                "tiles": [tile for tile in op.tiles if tile >= 0],
            }
            for op in self.ops
        ]


def in_turn(ops: Iterable[PlannedOp]) -> set[tuple[int, int]]:
    """Return the tiles and cores whose slots hold one round's weights after another's."""
    users: dict[tuple[int, int], set[int]] = {}
    for op in ops:
        for chunk in (chunk for replica in op.replicas for chunk in replica.chunks):
            users.setdefault((chunk.tile, chunk.core), set()).add(op.round)
    return {place for place, rounds in users.items() if len(rounds) > 1}
