"""Weights on arrays, against the matrix cell by cell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.errors import MappingError
from pimsim.kinds.crossbar.core import Core
from pimsim.kinds.crossbar.tiling import tile_op
from pimsim.mapping.planning.tiling import Tiling, matrix_of
from pimsim.trace import Op, Operand, Tensor
from tests.random_models import Builder, small_chip

ROWS, COLUMNS, CELL_BITS = 8, 12, 2


def core(rows: int = ROWS, columns: int = COLUMNS) -> Core:
    sizes = {"core.array.rows": rows, "core.array.columns": columns, "core.array.bits_per_cell": CELL_BITS}
    held: Core = small_chip(sizes).config.sites["tile"].part_at("core")
    return held


def conv(channels: int, outputs: int, kernel: tuple[int, int] = (1, 1), group: int = 1) -> Op:
    model = Builder()
    model.conv(model.input(1, channels, 9, 9), outputs, kernel, group=group)
    return model.ops[-1]


def matmul(*weight: int) -> Op:
    heads, rows, outputs = math.prod(weight[:-2]), *weight[-2:]
    x = Operand("activation", Tensor((*weight[:-2], 5, rows)), "x")
    assert heads >= 1
    return Op("m", "MatMul", (x, Operand("weight", Tensor(weight))), (Tensor((*weight[:-2], 5, outputs)),))


def spans(tiling: Tiling, rows: int, outputs: int) -> list[list[tuple[range, range]]]:
    """For each block, the rows and outputs of the whole (block-diagonal) matrix that it holds, group by group."""
    found, start = [], {}
    for block in tiling.blocks:
        if tiling.down == 0:  # whole groups, side by side
            together = block.rows // rows
            first = start.setdefault("next", 0)
            start["next"] = first + together
            groups = range(first, first + together)
            held = [(range(g * rows, (g + 1) * rows), range(g * outputs, (g + 1) * outputs)) for g in groups]
            assert block.outputs == together * outputs
        else:
            across = max(b.column for b in tiling.blocks) // tiling.groups + 1
            group, down = divmod(block.row, tiling.down)
            group_by_column, column = divmod(block.column, across)
            assert group == group_by_column
            top = group * rows + down * tiling.row_height
            widest = max(b.outputs for b in tiling.blocks)
            left = group * outputs + column * widest
            held = [(range(top, top + block.rows), range(left, left + block.outputs))]
        found.append(held)
    return found


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 20),
    st.integers(1, 9),
    st.integers(1, 5),
    st.sampled_from([(1, 1), (1, 3), (2, 2)]),
    st.sampled_from([2, 3, 8]),
)
def test_blocks_hold_every_weight_exactly_once(inputs, outputs, groups, kernel, bits):
    op = conv(inputs * groups, outputs * groups, kernel, groups)
    tiling = tile_op(op, core(), bits)
    slices = -(-bits // CELL_BITS)
    rows = inputs * math.prod(kernel)
    count = np.zeros((rows * groups, outputs * groups), dtype=int)
    for block, held in zip(tiling.blocks, spans(tiling, rows, outputs), strict=True):
        assert block.rows <= ROWS
        assert block.outputs * slices <= COLUMNS
        # On one array, no two groups have a row or a column in common: the diagonal.
        assert sum(len(r) for r, _ in held) == block.rows
        for r, c in held:
            count[r.start : r.stop, c.start : c.stop] += 1
    expected = np.kron(np.eye(groups, dtype=int), np.ones((rows, outputs), dtype=int))
    assert (count == expected).all()
    # Utilisation: cells with a weight's slice in them, of all cells of the arrays.
    assert tiling.utilisation == expected.sum() * slices / (tiling.arrays * ROWS * COLUMNS)
    assert tiling.rows == rows * groups


def test_depthwise_groups_share_an_array_along_the_diagonal():
    """3x1 depthwise: a group is 3 rows by 1 output; an array of 8 rows and 3 outputs of 8 bits takes 2 of 5."""
    tiling = tile_op(conv(5, 5, (3, 1), group=5), core(), 8)
    assert [(b.rows, b.outputs) for b in tiling.blocks] == [(6, 2), (6, 2), (3, 1)]
    assert len({b.row for b in tiling.blocks}) == len({b.column for b in tiling.blocks}) == 3


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 20),
    st.integers(1, 9),
    st.integers(1, 3),
    st.sampled_from([(1, 1), (1, 3), (3, 3)]),
    st.data(),
)
def test_share_is_the_part_of_the_channels_that_some_blocks_read(inputs, outputs, groups, kernel, data):
    """Brute force: row r of a group's matrix reads channel ``r % inputs`` of the group."""
    tiling = tile_op(conv(inputs * groups, outputs * groups, kernel, groups), core(), 4)
    rows = inputs * math.prod(kernel)
    chosen = data.draw(st.sets(st.integers(0, tiling.arrays - 1), min_size=1))
    held = spans(tiling, rows, outputs)
    channels = {(r // rows, r % rows % inputs) for n in chosen for span, _ in held[n] for r in span}
    share = tiling.share(tiling.blocks[n] for n in sorted(chosen))
    assert share == pytest.approx(len(channels) / (inputs * groups))


def test_a_stack_of_matrices_is_refused():
    """Each position would use one of them only, but all positions of an op do the same."""
    with pytest.raises(MappingError, match="stacks 3 matrices"):
        matrix_of(matmul(3, 4, 5))
    assert matrix_of(matmul(1, 4, 5)) == matrix_of(matmul(4, 5)) == (4, 5, 1)


@pytest.mark.parametrize("kind", ["Gemm", "MatMul"])
def test_a_weight_on_the_left_is_refused(kind):
    """W (6x5) times x (5x7) multiplies columns of x; arrays take rows."""
    weight, x = Operand("weight", Tensor((6, 5))), Operand("activation", Tensor((5, 7)), "x")
    attributes = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0} if kind == "Gemm" else {}
    op = Op("left", kind, (weight, x), (Tensor((6, 7)),), attributes)
    with pytest.raises(MappingError, match="left"):
        tile_op(op, core(), 8)


def test_a_gemm_is_read_as_stored():
    x = Operand("activation", Tensor((3, 7)), "x")
    for transposed, shape in ((0, (7, 4)), (1, (4, 7))):
        attributes = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": transposed}
        op = Op("g", "Gemm", (x, Operand("weight", Tensor(shape))), (Tensor((3, 4)),), attributes)
        assert matrix_of(op) == (7, 4, 1)


def test_a_weight_wider_than_an_array_is_refused():
    with pytest.raises(MappingError) as caught:
        tile_op(conv(3, 4), core(columns=5), 16)
    assert str(caught.value) == (
        "op 'conv1': a weight of 16 bits needs 8 columns of 2 bits, an array has 5; "
        "give fewer --weight-bits or an array with more columns"
    )
