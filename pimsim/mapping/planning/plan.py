"""The plan: which op runs where, in how many replicas, with how many places in which buffer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pimsim.chip import Chip
from pimsim.mapping.flow.growth import Growth
from pimsim.mapping.planning.package import Package
from pimsim.mapping.planning.planned import PlannedOp, Replica


@dataclass(frozen=True, slots=True)
class Slack:
    """How far the buffers' places may change.

    Parameters
    ----------
    needed : dict of (op, edge, tile) to int
        Places without which the data flow can deadlock.
    room : list of int
        Bytes of each tile's buffer that are left.
    """

    needed: dict[tuple[int, int, int], int]
    room: list[int]


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
    input_bits : int
        Of what states no width; each input of an op has its own (`Edge.bits`).
    pace_fs : int
        The time an inference takes the slowest layer on arrays if nothing else holds it up.
    slack : Slack
        Of `places`: the lowering gives more where tokens on their way need them.
    chosen : str
        How it was chosen among others, in words; empty where there were none.
    growth : Growth, optional
        How its work grows with the tokens in the cache; `ops` are those with the most.
    """

    chip: Chip
    package: Package
    ops: list[PlannedOp]
    places: dict[tuple[int, int, int], int]
    input_bits: int
    pace_fs: int
    slack: Slack
    growth: Growth | None = None
    chosen: str = ""

    def retimed(self, chip: Chip) -> Plan:
        """Return the same plan on a chip of the same shape whose parts are faster or slower."""
        return replace(self, chip=chip, package=Package(chip.config, self.package.chips))

    @property
    def weight_bits(self) -> int:
        """Width of the widest weights; the chip's own where there are none."""
        widths = (bits for op in self.ops if (bits := op.weight_bits) is not None)
        return max(widths, default=self.chip.config.precision.weight_bits)

    @property
    def input_widths(self) -> list[int]:
        """Widths of activations, the narrowest first; the chip's own where there are none."""
        widths = {edge.bits for op in self.ops for edge in op.node.edges}
        return sorted(widths) or [self.chip.config.precision.input_bits]

    @property
    def arrays(self) -> int:
        """Slots (arrays, banks of weights) in use; those that several ops take turns on count once in each round."""
        return sum(map(self.arrays_of_round, range(self.rounds)))

    def arrays_of_round(self, number: int) -> int:
        """Return the slots that a round uses."""
        weights = sum(op.tiling.arrays for op, _, _ in self.sets() if op.tiling and op.round == number)
        return weights + sum(op.arrays for op in self.ops if op.tiling is None and op.round == number)

    def sets(self) -> Iterator[tuple[PlannedOp, int, Replica]]:
        """Yield each set of slots that holds a copy of a weight once: with the first op that uses it, as its copy."""
        seen = set[str]()
        for op in self.ops:
            for index, replica in enumerate(op.replicas if op.tiling is not None else ()):
                if replica.slots not in seen:
                    seen.add(replica.slots)
                    yield op, index, replica

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
                "weight_bits": op.weight_bits,
                "input_bits": op.node.read_bits if op.node.edges else None,
                "utilisation": op.tiling.utilisation if op.tiling else None,
                "replicas": len(op.replicas),
                "firings": op.node.positions,
                "slices": op.slices,
                "right_matrix_in": op.held_in,
                "product_fs": op.product_fs and dict(zip(("digital", "written"), op.product_fs, strict=True)),
                "round": op.round,
                "site": op.site,
                "why": op.why,
                "how": op.how,
                "at_once": all(self.ops[edge.source].whole for edge in op.node.edges),
                "shares": op.shares,
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
