"""A weight matrix in slots: cut by rows and by columns, its groups side by side where they are small."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pimsim.errors import MappingError
from pimsim.mapping.flow.rules import rule_of
from pimsim.trace.op import Op


@dataclass(frozen=True, slots=True)
class Block:
    """What one slot (an array, a bank) holds: a block of rows by a block of outputs.

    Blocks with the same `row` read the same inputs; blocks with the same `column` add into the same outputs.
    """

    row: int
    column: int
    rows: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Tiling:
    """The blocks of one replica of an op, in the order in which they fill tiles.

    Parameters
    ----------
    blocks : tuple of Block
        One a slot.
    rows : int
        Length of the input vector of all groups together.
    depth : int
        Input channels of a group: row `r` of its matrix reads channel ``r % depth`` (kernel position outermost).
    groups : int
        Independent matrices (grouped convolution).
    down : int
        Blocks from top to bottom of a group's matrix; 0 where groups share slots.
    row_height : int
        Rows of a slot.
    utilisation : float
        Share of the slots' cells that hold weights.
    """

    blocks: tuple[Block, ...]
    rows: int
    depth: int
    groups: int
    down: int
    row_height: int
    utilisation: float

    @property
    def arrays(self) -> int:
        """Slots of one replica."""
        return len(self.blocks)

    @property
    def by_column(self) -> list[Block]:
        """The blocks column after column, from top to bottom in each: as plans on file number them."""
        return sorted(self.blocks, key=lambda block: (block.column, block.row))

    def share(self, blocks: Iterable[Block], *, unrolled: bool = False) -> float:
        """Return the share of the input channels that some of the blocks read, between 0 and 1; or of all rows."""
        lengths = {block.row: block.rows for block in blocks}
        if len(lengths) == self.down * self.groups:
            return 1.0
        if self.down == 0 or unrolled:
            return sum(lengths.values()) / self.rows
        everything = (1 << self.depth) - 1
        covered: dict[int, int] = {}  # group -> a bit for each of its channels
        for row, length in lengths.items():
            group, first = row // self.down, row % self.down * self.row_height % self.depth
            span = ((1 << min(length, self.depth)) - 1) << first
            covered[group] = covered.get(group, 0) | (span & everything) | (span >> self.depth)
        return sum(channels.bit_count() for channels in covered.values()) / (self.depth * self.groups)


def distinct_outputs(blocks: Iterable[Block]) -> int:
    """Return the outputs of some blocks; those that add into the same ones count once."""
    return sum({block.column: block.outputs for block in blocks}.values())


def matrix_of(op: Op) -> tuple[int, int, int]:
    """Return (rows, outputs, groups) of an op's weight: the matrix of one group, and how many there are."""
    weight = op.weight
    assert weight is not None
    matrix = rule_of(op.type).matrix
    assert matrix is not None
    return matrix(op, weight.tensor.shape)


def right_operand(op: Op) -> None:
    """Refuse a weight that is the left operand.

    Raises
    ------
    MappingError
        If it is.
    """
    if op.inputs[0].role == "weight":
        raise MappingError(
            "its weight is the left operand, rows of an input are multiplied by a weight on their right",
            where=f"op '{op.name}' ({op.type})",
            mend="transpose the product when exporting",
        )


def blocks_of(op: Op, rows_most: int, outputs_most: int, together: int) -> Tiling:
    """Cut an op's weight into blocks.

    Parameters
    ----------
    op : Op
        With a weight.
    rows_most, outputs_most : int
        Of a block.
    together : int
        Groups of a grouped convolution that share a slot side by side; 0 where one does not fit a slot.
    """
    rows, outputs, groups = matrix_of(op)
    blocks = []
    if together >= 1:
        for n, first in enumerate(range(0, groups, together)):
            count = min(together, groups - first)
            blocks.append(Block(n, n, count * rows, count * outputs))
    else:
        down, across = -(-rows // rows_most), -(-outputs // outputs_most)
        for group in range(groups):
            for column in range(across):
                for row in range(down):
                    blocks.append(
                        Block(
                            group * down + row,
                            group * across + column,
                            min(rows_most, rows - row * rows_most),
                            min(outputs_most, outputs - column * outputs_most),
                        )
                    )
    depth = op.inputs[0].tensor.shape[1] // groups if rule_of(op.type).window else rows
    down = 0 if together >= 1 else -(-rows // rows_most)
    return Tiling(tuple(blocks), rows * groups, depth, groups, down, rows_most, 0.0)
