"""Slices, phases, periods and totals against formulas written out here."""

from __future__ import annotations

import pytest

from pimsim.chip import Chip


@pytest.mark.parametrize(("bits", "slices"), [(1, 1), (2, 1), (3, 2), (15, 8), (16, 8)])
def test_weight_slices_round_up(bits: int, slices: int) -> None:
    assert Chip.load("isaac").weight_slices(bits) == slices  # 2 bits a cell


@pytest.mark.parametrize(("dac_bits", "phases"), [(1, 16), (2, 8), (3, 6), (16, 1)])
def test_phases_are_input_slices_times_reads(dac_bits: int, phases: int) -> None:
    overrides = [f"core.dac.bits={dac_bits}"]
    assert Chip.load("isaac", overrides).phases() == phases
    assert Chip.load("isaac", [*overrides, "core.array.reads_per_input=4"]).phases() == 4 * phases


def test_times_round_up_to_the_parts_clocks() -> None:
    chip = Chip.load("isaac", ["core.array.read_ns=101", "core.array.setup_ns=1"])
    assert (chip.setup_fs, chip.read_fs) == (100_000_000, 200_000_000)
    assert Chip.load("isaac").setup_fs == 0


@pytest.mark.parametrize(
    ("banks", "adcs", "samples"),
    [(8, 1, 128), (4, 1, 256), (1, 1, 1024), (1, 3, 342), (8, 128, 1), (8, 200, 1)],
)
def test_a_bank_converts_its_arrays_columns_one_after_another(banks: int, adcs: int, samples: int) -> None:
    chip = Chip.load("isaac", [f"core.adc.banks={banks}", f"core.adc.adcs_per_bank={adcs}"])
    assert chip.conversion_fs == samples * 781_250  # 1.28 GS/s


def test_period_is_set_by_the_slower_of_reading_and_converting() -> None:
    assert Chip.load("isaac").mvm_period_fs() == 16 * 100_000_000
    slow = Chip.load("isaac", ["core.adc.banks=4", "core.array.setup_ns=100"])
    assert slow.mvm_period_fs() == 100_000_000 + 16 * 200_000_000
    assert slow.mvm_period_fs(8) == 100_000_000 + 8 * 200_000_000


def test_peak_scales_with_tiles_and_not_with_words() -> None:
    whole, half = Chip.load("isaac").peak, Chip.load("isaac", ["tile.count=84"]).peak
    assert half.tops == pytest.approx(whole.tops / 2, rel=1e-12)
    assert half.weights * 2 == whole.weights


def test_power_of_a_part_is_energy_times_rate_plus_static() -> None:
    chip = Chip.load("isaac", ["core.adc.static_power_mw=0.5", "tile.buffer.ports=2"])
    rows = {row.part: row for row in chip.peak.rows}
    adc = rows["core.adc"]
    assert adc.count == 168 * 12 * 8
    assert adc.static_mw == pytest.approx(adc.count * 0.5)
    assert adc.dynamic_mw == pytest.approx(adc.count * 1.5625e-12 * 1.28e9 * 1e3)
    assert rows["tile.buffer"].dynamic_mw == pytest.approx(168 * 2 * 17.25e-12 * 1.2e9 * 1e3, rel=1e-6)
    total = sum(row.power_mw or 0 for row in rows.values())
    assert chip.peak.watts == pytest.approx(total / 1000)


def test_a_part_without_figures_is_not_modelled_rather_than_zero() -> None:
    row = next(row for row in Chip.load("hermes64").peak.rows if row.part == "tile.buffer")
    assert (row.static_mw, row.dynamic_mw, row.power_mw, row.area_mm2) == (None, None, None, None)


def test_tops_per_watt_counts_the_energy_of_a_multiplication_once() -> None:
    """hermes64: 131072 operations for 13430 pJ, and no other part adds to it."""
    peak = Chip.load("hermes64").peak
    assert peak.tops_per_watt == pytest.approx(2 * 256 * 256 / 13430, rel=1e-9)
    assert peak.mvm_nj == pytest.approx(13.43)
