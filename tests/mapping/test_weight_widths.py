"""Weights of several widths in one model: each op's arrays, writes and bytes follow its own, by formula."""

from __future__ import annotations

import math

import pytest

from pimsim import Chip, MappingError, Trace, simulate
from pimsim.analysis.roofline import roofline
from pimsim.mapping.mapper import make_plan
from pimsim.report.plan_table import plan_report
from pimsim.report.tables import to_plain_text
from tests.random_models import Builder

WIDTHS = (4, None, 8)
SIZES = ((256, 256), (256, 256), (256, 64))
ROWS = 16


def mixed(widths: tuple[int | None, ...] = WIDTHS) -> Trace:
    model = Builder()
    x = model.input(ROWS, SIZES[0][0])
    for bits, (_, outputs) in zip(widths, SIZES, strict=True):
        model.weight_bits = bits
        x = model.gemm(x, outputs)
    return model.trace("mixed")


def widths_on(chip: Chip) -> list[int]:
    return [bits or chip.config.precision.weight_bits for bits in WIDTHS]


def test_arrays_follow_each_weights_own_width():
    """By ISAAC's layout: 128 rows, 128 columns of 2 bits: ``ceil(rows/128) * ceil(outputs * bits/2 / 128)``."""
    chip = Chip.load("isaac")
    layers = [op for op in make_plan(chip, mixed()).ops if op.tiling is not None]
    for op, bits, (rows, outputs) in zip(layers, widths_on(chip), SIZES, strict=True):
        assert op.weight_bits == bits
        assert op.tiling.arrays == math.ceil(rows / 128) * math.ceil(outputs * (bits // 2) / 128)
        cells = sum(share.cells for share in op.operand.shares)
        assert cells == rows * outputs * (bits // 2) * len(op.replicas)


def test_banks_follow_each_weights_own_width():
    chip = Chip.load("dadiannao")
    bank = chip.config.sites["tile"].weights_in.capacity_kib * 1024 * 8
    layers = [op for op in make_plan(chip, mixed()).ops if op.tiling is not None]
    for op, bits, (rows, outputs) in zip(layers, widths_on(chip), SIZES, strict=True):
        assert op.tiling.arrays == math.ceil(outputs / min(outputs, bank // bits // rows))
        assert sum(share.cells for share in op.operand.shares) == rows * outputs * bits * len(op.replicas)


def test_the_time_of_a_cold_start_counts_the_bits_of_each():
    chip = Chip.load("isaac")
    plan = make_plan(chip, mixed())
    copies = [len(op.replicas) for op in plan.ops if op.tiling is not None]
    bits = sum(
        rows * outputs * width * count
        for (rows, outputs), width, count in zip(SIZES, widths_on(chip), copies, strict=True)
    )
    cold = simulate(Chip.from_dict(chip.to_dict(), {"core.array.write_ns": 100}), mixed(), cold=True)
    (deeds,) = [row for row in cold.controllers if row["controller"] == "programming"]
    assert deeds["bytes"] == bits // 8


def test_an_option_overrides_all_and_says_so():
    chip = Chip.load("isaac")
    plan = make_plan(chip, mixed(), weight_bits=2)
    assert {op.weight_bits for op in plan.ops} == {2, None}
    same = make_plan(chip, mixed((2, 2, 2)))
    assert [op.arrays for op in plan.ops] == [op.arrays for op in same.ops]


def test_what_is_printed_names_each_width():
    chip = Chip.load("isaac")
    result = simulate(chip, mixed())
    assert result.weight_widths == [4, 8, 16]
    assert "4-, 8- and 16-bit weights" in " ".join(str(result).split())
    table = " ".join(to_plain_text(*plan_report(make_plan(chip, mixed()), "mixed")).split())
    assert "4-, 8- and 16-bit weights" in table
    assert "Weights of 4 bits: gemm1; of 8 bits: gemm3; of 16 bits: gemm2." in table
    plain = simulate(chip, mixed((None, None, None)))
    assert plain.weight_widths == [16]
    assert "16-bit weights" in str(plain)


def test_the_roof_is_that_of_the_narrowest_weights():
    chip = Chip.load("isaac")
    ceilings = [
        {row["name"]: row.get("gops") for row in roofline(simulate(chip, mixed(widths))).ceilings}
        for widths in ((4, None, 8), (4, 4, 4), (16, 16, 16))
    ]
    assert ceilings[0] == ceilings[1]
    name = next(name for name in ceilings[0] if "array" in name)
    assert ceilings[0][name] == 4 * ceilings[2][name]  # 2 columns of 2 bits a weight, and 8


def test_a_weight_too_wide_for_an_array_is_named():
    chip = Chip.from_dict(
        Chip.load("isaac").to_dict(), {"core.array.columns": 4, "core.adc.adcs_per_bank": 1}
    )
    with pytest.raises(MappingError, match="a weight of 16 bits needs 8 columns") as caught:
        make_plan(chip, mixed())
    assert caught.value.where == "op 'gemm2'"
