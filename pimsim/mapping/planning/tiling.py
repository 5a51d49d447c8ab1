"""A weight matrix on arrays: by rows, by columns, by bit slices, and groups side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pimsim.chip import ChipConfig
from pimsim.chip.timing import weight_slices
from pimsim.errors import MappingError
from pimsim.mapping.flow.rules import rule_of
from pimsim.trace.op import Op


@dataclass(frozen=True, slots=True)
class Block:
    """What one array holds: a block of rows by a block of outputs.

    Blocks with the same `row` read the same inputs; blocks with the same `column` add into the same outputs.
    """

    row: int
    column: int
    rows: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Tiling:
    """The blocks of one replica of an op, column after column, so that partial sums stay close together.

    Parameters
    ----------
    blocks : tuple of Block
        One an array.
    rows : int
        Length of the input vector of all groups together.
    depth : int
        Input channels of a group: row `r` of its matrix reads channel ``r % depth`` (kernel position outermost).
    groups : int
        Independent matrices (grouped convolution).
    down : int
        Blocks from top to bottom of a group's matrix; 0 where groups share arrays.
    row_height : int
        Rows of an array.
    utilisation : float
        Share of the arrays' cells that hold weights.
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
        """Arrays of one replica."""
        return len(self.blocks)

    def share(self, blocks: Iterable[Block]) -> float:
        """Return the share of the input channels that some of the blocks read, between 0 and 1."""
        lengths = {block.row: block.rows for block in blocks}
        if len(lengths) == self.down * self.groups:
            return 1.0
        if self.down == 0:
            return sum(lengths.values()) / self.rows
        everything = (1 << self.depth) - 1
        covered: dict[int, int] = {}  # group -> a bit for each of its channels
        for row, length in lengths.items():
            group, first = row // self.down, row % self.down * self.row_height % self.depth
            span = ((1 << min(length, self.depth)) - 1) << first
            covered[group] = covered.get(group, 0) | (span & everything) | (span >> self.depth)
        return sum(channels.bit_count() for channels in covered.values()) / (self.depth * self.groups)


def matrix_of(op: Op) -> tuple[int, int, int]:
    """Return (rows, outputs, groups) of an op's weight: the matrix of one group, and how many there are."""
    weight = op.weight
    assert weight is not None
    matrix = rule_of(op.type).matrix
    assert matrix is not None
    return matrix(op, weight.tensor.shape)


def tile_op(op: Op, config: ChipConfig, weight_bits: int) -> Tiling:
    """Cut an op's weight into the blocks that arrays hold.

    A group that needs less than an array shares one with others, along the diagonal: no two groups may have a row
    or a column in common.

    Raises
    ------
    MappingError
        If one weight's bit slices do not fit into the columns of an array, or the weight is the left operand.
    """
    if op.inputs[0].role == "weight":
        raise MappingError(
            "its weight is the left operand, arrays multiply rows of an input by a weight on its right",
            where=f"op '{op.name}' ({op.type})",
            mend="transpose the product when exporting",
        )
    array = config.core.array
    slices = weight_slices(config, weight_bits)
    per_array = array.columns // slices
    if per_array == 0:
        raise MappingError(
            f"a weight of {weight_bits} bits needs {slices} columns of {array.bits_per_cell} bits, "
            f"an array has {array.columns}",
            where=f"op '{op.name}'",
            mend="give fewer --weight-bits or an array with more columns",
        )
    rows, outputs, groups = matrix_of(op)
    blocks = []
    together = (
        min(array.rows // rows, per_array // outputs) if rows <= array.rows and outputs <= per_array else 0
    )
    if together >= 1:
        for n, first in enumerate(range(0, groups, together)):
            count = min(together, groups - first)
            blocks.append(Block(n, n, count * rows, count * outputs))
    else:
        down, across = -(-rows // array.rows), -(-outputs // per_array)
        for group in range(groups):
            for column in range(across):
                for row in range(down):
                    blocks.append(
                        Block(
                            group * down + row,
                            group * across + column,
                            min(array.rows, rows - row * array.rows),
                            min(per_array, outputs - column * per_array),
                        )
                    )
    cells = rows * outputs * groups * slices
    depth = op.inputs[0].tensor.shape[1] // groups if rule_of(op.type).window else rows
    down = 0 if together >= 1 else -(-rows // array.rows)
    utilisation = cells / (len(blocks) * array.rows * array.columns)
    return Tiling(tuple(blocks), rows * groups, depth, groups, down, array.rows, utilisation)
