"""What arrays compute: the form in which an op's weights stand on them, and the pieces that they are cut into."""

from __future__ import annotations

from pimsim.kinds.crossbar.coding import Coding
from pimsim.kinds.crossbar.core import Core
from pimsim.mapping.planning.analog import Analog
from pimsim.mapping.planning.tiling import Tiling, matrix_of
from pimsim.trace.op import Op
from pimsim.values.arithmetic import Form, Piece

READS_OF_SIGNS = 4
"""Reads of one slice of an input where inputs and cells above 0 and below are read apart."""


def analog_of(op: Op, tiling: Tiling, core: Core, weight_bits: int, input_bits: int) -> Analog:
    """Return how an op's products come about on the arrays of a core."""
    form, array = form_of(core, weight_bits, input_bits), core.array
    compensated = core.coding is not None and core.coding.drift_compensation == "global"
    return Analog(form, pieces_of(op, tiling), array.device, array.wire_ohm, compensated)


def form_of(core: Core, weight_bits: int, input_bits: int) -> Form:
    """Return how weights of some width stand on the arrays of a core, and inputs are read."""
    coding = core.coding or Coding()
    return Form(
        weight_bits=weight_bits,
        input_bits=input_bits,
        cell_bits=core.array.bits_per_cell,
        dac_bits=core.dac.bits,
        adc_bits=core.adc.bits,
        rows=core.array.rows,
        encoding=coding.weights,
        range=coding.adc_range,
        percentile=coding.percentile,
        apart=core.array.reads_per_input == READS_OF_SIGNS,
    )


def pieces_of(op: Op, tiling: Tiling) -> tuple[Piece, ...]:
    """Return the rows and outputs of each block in the op's matrix; groups that share an array are pieces of their own.

    Cells between groups that share an array conduct as little as they can, so groups do not add up.
    """
    rows, outputs, groups = matrix_of(op)
    if not tiling.down:
        return tuple(
            Piece(slice(n * rows, (n + 1) * rows), slice(n * outputs, (n + 1) * outputs))
            for n in range(groups)
        )
    widest = max(block.outputs for block in tiling.blocks)
    across = -(-outputs // widest)
    found = []
    for block in tiling.by_column:
        group, column = divmod(block.column, across)
        top = group * rows + block.row % tiling.down * tiling.row_height
        left = group * outputs + column * widest
        found.append(Piece(slice(top, top + block.rows), slice(left, left + block.outputs)))
    return tuple(found)
