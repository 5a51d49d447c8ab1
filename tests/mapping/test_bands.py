"""Bands of rows: what fills tiles in which order, by hand and on random weights."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimsim import make_plan
from pimsim.mapping.planning import bands
from pimsim.mapping.planning.tiling import Block, Tiling
from tests.random_models import Builder, small_chip


def dense(inputs, outputs):
    """A square matrix, and one behind it."""
    model = Builder()
    model.gemm(model.relu(model.gemm(model.input(1, inputs), inputs)), outputs)
    return model.trace()


def test_each_tile_of_a_large_matrix_takes_a_row_of_blocks_where_that_crosses_less():
    """1024 x 64 in blocks of 128 x 16 on tiles of 4: 8 by 4 blocks; links of 32 bits, values and sums of 16.

    Whole columns: each of 8 tiles reads 4 of 8 blocks of 64 flits, 2048 in all, and sends 16 sums, 64 flits in all. A
    row of blocks: each reads one, 512 flits in all, and sends sums of all 64 outputs, 256 in all.
    """
    chip = small_chip({"tile.count": 8, "network.topology": {"kind": "mesh", "width": 4, "height": 2}})
    trace = dense(1024, 64)
    wide, narrow = (op for op in make_plan(chip, trace).ops if op.node.type == "Gemm")
    rows: dict[int, set[int]] = {}
    for chunk in narrow.replicas[0].chunks:
        rows.setdefault(chunk.tile, set()).update(block.row for block in chunk.blocks)
    assert [len(each) for each in rows.values()] == [1] * 8
    chips = [
        chunk.tile // 8 for chunk in wide.replicas[0].chunks
    ]  # several: its sums come together on the last
    assert wide.replicas[0].home // 8 == max(chips) > min(chips)


@pytest.mark.parametrize(("bits", "chip"), [(16, 0), (8, 1)])
def test_sums_of_a_copy_over_two_chips_come_together_where_least_crosses(bits, chip):
    """Three tiles on chip 0 and one on chip 1, each with sums of all 64 outputs; the result goes to two tiles beyond.

    At chip 0: the other tile's sums and the result twice, 64 * 16 + 2 * 64 * 16 bits, no more than three times sums of
    16 bits; of 8 bits these are 3 * 64 * 8, and at chip 0 it were 64 * 8 + 2 * 64 * 16.
    """
    model = Builder()
    source = model.input(1, 512)
    model.gemm(source, 16)
    model.gemm(source, 64)
    plan = make_plan(small_chip({"precision.accumulator_bits": bits}), model.trace())
    copy = next(
        op for op in plan.ops if op.node.op is not None and op.node.op.output.shape == (1, 64)
    ).replicas[0]
    assert sorted(tile // 4 for tile in {chunk.tile for chunk in copy.chunks}) == [0, 0, 0, 1]
    assert copy.home // 4 == chip


def a_tiling(down, across, depth=None):
    blocks = tuple(Block(row, column, 128, 16) for column in range(across) for row in range(down))
    return Tiling(blocks, 128 * down, depth or 128 * down, 1, down, 128, 1.0)


def a_layer(tiling, per_tile=4, taken=512.0, output=1.0, most=1e9):
    return bands._Layer(tiling.rows, tiling.depth, tiling.arrays, per_tile, taken, output, 0.0, most)


@given(st.integers(2, 12), st.integers(1, 9), st.integers(1, 12), st.integers(1, 4))
def test_every_block_is_there_once_whatever_the_bands(down, across, count, windows):
    tiling = a_tiling(down, across, 128 * down // windows)
    ordered = bands._ordered(tiling, count)
    assert Counter(ordered) == Counter(tiling.blocks)
    if count == 1:
        assert ordered == tiling.blocks


@pytest.mark.parametrize(
    ("output", "most", "expected"),
    [
        (1.0, 1e9, 8),  # 512 + 512 for 2048 + 128
        (8.0, 1e9, 1),  # 512 + 4096 or, in four bands, 1024 + 2048, for 2048 + 1024
        (1.0, 500.0, 4),  # eight bring 64 + 512 together, four 128 + 256
    ],
)
def test_bands_are_as_many_as_let_least_cross_within_what_may_come_together(output, most, expected):
    tiling = a_tiling(8, 4)
    assert bands._bands(tiling, a_layer(tiling, output=output, most=most)) == expected


def test_bands_of_a_convolution_are_of_channels():
    """Rows go through all channels at each place of the kernel: a band takes the same channels of every place."""
    tiling = a_tiling(36, 32, depth=512)  # 3 x 3 kernel, 512 channels
    first = bands._ordered(tiling, 4)[: 9 * 32]
    assert {block.row % 4 for block in first} == {0}
    assert tiling.share(first) == 0.25
