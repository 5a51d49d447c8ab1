"""A weight matrix on arrays: by rows, by columns, by bit slices, and groups along the diagonal."""

from __future__ import annotations

from dataclasses import replace

from pimsim.errors import MappingError
from pimsim.kinds.crossbar.core import Core
from pimsim.mapping.planning.tiling import Tiling, blocks_of, matrix_of, right_operand
from pimsim.trace.op import Op


def tile_op(op: Op, core: Core, weight_bits: int) -> Tiling:
    """Cut an op's weight into the blocks that arrays hold.

    A group that needs less than an array shares one with others, along the diagonal: no two groups may have a row
    or a column in common.

    Raises
    ------
    MappingError
        If one weight's bit slices do not fit into the columns of an array, or the weight is the left operand.
    """
    right_operand(op)
    array, slices = core.array, core.weight_slices(weight_bits)
    per_array = array.columns // slices
    if per_array == 0:
        raise MappingError(
            f"a weight of {weight_bits} bits needs {slices} columns of {array.bits_per_cell} bits, "
            f"an array has {array.columns}",
            where=f"op '{op.name}'",
            mend="give fewer --weight-bits or an array with more columns",
        )
    rows, outputs, groups = matrix_of(op)
    fits = rows <= array.rows and outputs <= per_array
    together = min(array.rows // rows, per_array // outputs) if fits else 0
    tiling = blocks_of(op, array.rows, per_array, together)
    return replace(tiling, utilisation=rows * outputs * groups * slices / (tiling.arrays * array.cells))
