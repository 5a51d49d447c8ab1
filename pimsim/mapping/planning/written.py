"""Products of two activations on arrays: the right matrix is written into them, then the left one's rows go through.

The matrix of a head is written once all its tokens are there, the rows of its arrays one after another and all arrays
at once. Of a matrix whose tokens are columns (keys) every row is written, however few tokens are new; of one whose
tokens are rows (values) as many as there are new tokens. What a cache holds is in the arrays already.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pimsim.chip import Chip
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import right_heads
from pimsim.mapping.planning.units import service_fs
from pimsim.units import cycles, fs_from_ns


@dataclass(frozen=True, slots=True)
class Matrix:
    """The right matrices of a slice of heads, for one image.

    Parameters
    ----------
    count : int
        How many.
    vectors : int
        Rows of the left matrix that each of them meets in a firing: as many as there are heads that share it.
    rows, columns : int
        Of each, with what a cache holds.
    fresh : int
        Tokens that are written for an image.
    across : bool
        Whether tokens are columns.
    images : int
        Images of an inference: each has its own.
    cached : bool
        Whether some of them stay for the next inference.
    """

    count: int
    vectors: int
    rows: int
    columns: int
    fresh: int
    across: bool
    images: int
    cached: bool

    @classmethod
    def of(cls, node: Node, slices: int) -> Matrix | None:
        """Return the right matrices of a product of two activations; None for one that arrays cannot hold so."""
        right, op = node.right, node.op
        if right is None or op is None or right.across is None or node.layout.heads == 0:
            return None
        depth = op.inputs[1].tensor.shape[-2 if right.across else -1]
        heads, tokens = right_heads(node), right.held // right.features
        if heads % slices or node.layout.heads % heads or right.features != heads * depth:
            return None
        rows, columns = (depth, tokens) if right.across else (tokens, depth)
        fresh = (right.held - right.cached) // right.features
        images = node.positions // right.rows
        return cls(
            heads // slices,
            node.layout.heads // heads,
            rows,
            columns,
            fresh,
            right.across,
            images,
            right.cached > 0,
        )

    def blocks(self, chip: Chip, bits: int) -> tuple[int, int]:
        """Return how many arrays one matrix takes, from top to bottom and from left to right."""
        array = chip.config.core.array
        outputs = array.columns // chip.weight_slices(bits)
        return -(-self.rows // array.rows), -(-self.columns // max(1, outputs))

    def active(self, chip: Chip, bits: int) -> int:
        """Return the arrays that a firing uses."""
        return self.count * math.prod(self.blocks(chip, bits))

    def rows_written(self, chip: Chip) -> int:
        """Return how many rows are written one after another for an image."""
        return min(self.rows if self.across else self.fresh, chip.config.core.array.rows)

    def cells_written(self, chip: Chip, bits: int) -> int:
        """Return the cells that are written for an image."""
        return (
            self.count * self.fresh * (self.rows if self.across else self.columns) * chip.weight_slices(bits)
        )


def write_fs(chip: Chip) -> int:
    """Return the time to write a row of an array, in whole cycles of its clock."""
    array = chip.config.core.array
    assert array.write_ns is not None
    period = chip.config.clocks[array.clock].period_fs
    return cycles(fs_from_ns(array.write_ns), period) * period


@dataclass(frozen=True, slots=True)
class Product:
    """A product of two activations that could be done either way, in each of the programs that share the chip.

    Parameters
    ----------
    slices : int
        Of heads.
    fs : list of (int, int)
        For each program, how long an inference keeps a slice's digital unit busy, or else its arrays.
    active : int
        Arrays of a slice for one inference at its largest.
    images : int
        Images that have a cache of their own, 0 if none has.
    """

    slices: int
    fs: list[tuple[int, int]]
    active: int
    images: int

    @classmethod
    def of(cls, nodes: Sequence[Node], slices: int, chip: Chip, bits: int) -> Product | None:
        """Return the product that a node is in each program; None if it is none that arrays can do."""
        fs, active, images = [], 0, 0
        for node in nodes:
            matrix = Matrix.of(node, slices)
            if matrix is None:
                return None
            writing = matrix.images * matrix.rows_written(chip) * write_fs(chip)
            multiplying = node.positions * matrix.vectors * chip.mvm_period_fs(bits)
            digital = math.ceil(node.positions * service_fs(node, chip.config, slices))
            fs.append((digital, writing + multiplying))
            active = max(active, matrix.active(chip, bits))
            images = max(images, matrix.images if matrix.cached else 0)
        return cls(slices, fs, active, images)

    def arrays(self, sequences: int) -> int:
        """Return the arrays that a slice needs; with a cache, each image of each sequence has its own."""
        return self.active * max(1, self.images * sequences)

    def faster(self, runs: Sequence[int]) -> bool:
        """Return whether arrays are faster over so many runs of the programs."""
        digital, written = (
            sum(n * times[way] for n, times in zip(runs, self.fs, strict=True)) for way in (0, 1)
        )
        return written < digital
