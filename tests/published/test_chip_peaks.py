"""Peak figures of the presets, computed from their parts, against those that were published.

Sources: ISAAC, Shafiee et al., ISCA 2016 (its 41.3 TOPS follow from 168 tiles, 12 IMAs, 8 arrays, 128 x 16
weights of 16 bits in 1.6 us); HERMES, Le Gallo et al., Nature Electronics 2023; PUMA, Ankit et al., ASPLOS
2019 (52.31 TOPS from its abstract, the totals of power and area recalled).
"""

from __future__ import annotations

import pytest

from pimsim.chip import Chip


def test_isaac() -> None:
    peak = Chip.load("isaac").peak
    assert peak.tops == pytest.approx(41.3, rel=0.01)
    assert peak.watts == pytest.approx(65.8, rel=0.01)
    assert peak.area_mm2 == pytest.approx(85.4, rel=0.01)
    assert peak.tops_per_watt == pytest.approx(0.628, rel=0.01)
    assert peak.tops_per_mm2 == pytest.approx(0.483, rel=0.01)
    assert peak.weights_mb / peak.area_mm2 == pytest.approx(0.77, rel=0.01)


def test_isaac_part_by_part() -> None:
    """Power in mW and area in mm2 of one IMA and one tile, as the paper's table of parts has them."""
    rows = {row.part: row for row in Chip.load("isaac").peak.rows}
    tiles, imas = 168, 168 * 12
    ima = {
        "adc": (16.0, 0.0096), "dac": (4.0, 0.00017), "sample_hold": (0.01, 0.00004), "array": (2.4, 0.0002),
        "shift_add": (0.2, 0.00024), "input_register": (1.24, 0.0021), "output_register": (0.23, 0.00077),
    }  # fmt: skip
    tile = {
        "tile.buffer": (20.7, 0.083), "tile.bus": (7.0, 0.090), "tile.digital.sigmoid": (0.52, 0.0006),
        "tile.digital.shift_add": (0.05, 0.00006), "tile.digital.max_pool": (0.4, 0.00024),
        "tile.output_register": (1.68, 0.0032), "network": (42.0 / 4, 0.151 / 4),
    }  # fmt: skip
    for part, (milliwatts, mm2) in ima.items():
        assert rows[f"core.{part}"].power_mw == pytest.approx(milliwatts * imas, rel=1e-4), part
        assert rows[f"core.{part}"].area_mm2 == pytest.approx(mm2 * imas, rel=1e-4), part
    for part, (milliwatts, mm2) in tile.items():
        assert rows[part].power_mw == pytest.approx(milliwatts * tiles, rel=1e-4), part
        assert rows[part].area_mm2 == pytest.approx(mm2 * tiles, rel=1e-4), part


@pytest.mark.parametrize(
    ("preset", "tops", "tops_per_watt", "mvm_nj"),
    [("hermes64", 63.1, 9.76, 13.4), ("hermes64_4phase", 16.1, 2.48, 52.9)],
)
def test_hermes(preset: str, tops: float, tops_per_watt: float, mvm_nj: float) -> None:
    chip = Chip.load(preset)
    assert chip.peak.tops == pytest.approx(tops, rel=0.01)
    assert chip.peak.tops_per_watt == pytest.approx(tops_per_watt, rel=0.01)
    power_mw = {row.part: row.power_mw for row in chip.peak.rows}
    figures = {key: value for _, _, value, key in chip.config.sites["tile"].highlights(power_mw)}
    assert figures["mvm_nj"] == pytest.approx(mvm_nj, rel=0.01)


def test_hermes_four_phases_take_three_reads_more() -> None:
    one, four = (Chip.load(name).config.sites["tile"] for name in ("hermes64", "hermes64_4phase"))
    read_fs = one.core.array.read_fs(one.clocks)
    assert four.mvm_period_fs() - one.mvm_period_fs() == 3 * read_fs
    assert one.mvm_period_fs() == pytest.approx(132.94e6, rel=0.01)  # 8.3886e6 operations at 63.1 TOPS
    assert four.mvm_period_fs() == pytest.approx(521.03e6, rel=0.01)  # and at 16.1 TOPS


def test_puma_power_and_area_follow_from_the_parts() -> None:
    peak = Chip.load("puma").peak
    assert peak.watts == pytest.approx(62.5, rel=0.03)
    assert peak.area_mm2 == pytest.approx(90.6, rel=0.03)


def test_puma_throughput_does_not_and_says_so() -> None:
    """A matrix unit reads 16 phases of 128 ns; the published 52.31 TOPS would need 1383 ns in all."""
    chip = Chip.load("puma")
    assert chip.peak.tops == pytest.approx(138 * 8 * 2 * 128 * 128 * 2 / 2048e-9 / 1e12)
    assert chip.config.published.tops == 52.31
    assert any("52.31 TOPS" in note and "does not follow" in note for note in chip.config.notes)
