"""Slices, phases, periods and totals against formulas written out here."""

from __future__ import annotations

import pytest

from pimsim.chip import Chip
from pimsim.kinds.crossbar import Crossbar


def tile(overrides: list[str] | None = None) -> Crossbar:
    """Return the tiles of ISAAC."""
    site = Chip.load("isaac", overrides or []).config.sites["tile"]
    assert isinstance(site, Crossbar)
    return site


@pytest.mark.parametrize(("bits", "slices"), [(1, 1), (2, 1), (3, 2), (15, 8), (16, 8)])
def test_weight_slices_round_up(bits: int, slices: int) -> None:
    assert tile().weight_slices(bits) == slices  # 2 bits a cell


@pytest.mark.parametrize(("dac_bits", "phases"), [(1, 16), (2, 8), (3, 6), (16, 1)])
def test_phases_are_input_slices_times_reads(dac_bits: int, phases: int) -> None:
    overrides = [f"core.dac.bits={dac_bits}"]
    assert tile(overrides).core.phases(16) == phases
    assert tile([*overrides, "core.array.reads_per_input=4"]).core.phases(16) == 4 * phases


def test_times_round_up_to_the_parts_clocks() -> None:
    slow, plain = tile(["core.array.read_ns=101", "core.array.setup_ns=1"]), tile()
    assert slow.core.array.setup_fs(slow.clocks) == 100_000_000
    assert slow.core.array.read_fs(slow.clocks) == 200_000_000
    assert plain.core.array.setup_fs(plain.clocks) == 0


@pytest.mark.parametrize(
    ("banks", "adcs", "samples"),
    [(8, 1, 128), (4, 1, 256), (1, 1, 1024), (1, 3, 342), (8, 128, 1), (8, 200, 1)],
)
def test_a_bank_converts_its_arrays_columns_one_after_another(banks: int, adcs: int, samples: int) -> None:
    site = tile([f"core.adc.banks={banks}", f"core.adc.adcs_per_bank={adcs}"])
    assert site.core.conversion_fs(site.clocks) == samples * 781_250  # 1.28 GS/s


def test_period_is_set_by_the_slower_of_reading_and_converting() -> None:
    assert tile().mvm_period_fs() == 16 * 100_000_000
    slow = tile(["core.adc.banks=4", "core.array.setup_ns=100"])
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
    chip = Chip.load("hermes64")
    assert chip.peak.tops_per_watt == pytest.approx(2 * 256 * 256 / 13430, rel=1e-9)
    power_mw = {row.part: row.power_mw for row in chip.peak.rows}
    figures = {key: value for _, _, value, key in chip.config.sites["tile"].highlights(power_mw)}
    assert figures["mvm_nj"] == pytest.approx(13.43)
