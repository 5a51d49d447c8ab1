"""Do converter models give the figures of their sources, leave published points alone, and say what they do?

Check values: Accelergy's ADC plug-in at 32 nm, NeuroSim 1.4's SAR at 22 nm (both computed from the published forms),
and published converters.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

import pytest

from pimsim.analysis.changes import INFINITELY_FAST, TWICE_AS_FAST, changes_of
from pimsim.chip import Chip
from pimsim.chip.models import MODELS, PublishedPoint, cco, murmann, sar
from pimsim.chip.models.base import Point
from pimsim.errors import ConfigError
from pimsim.run.simulate import simulate

from ..random_models import Builder


def load(preset: str, *overrides: str) -> Chip:
    return Chip.load(preset, overrides)


def adc_of(chip: Chip) -> tuple[float | None, float | None]:
    """Energy of a conversion in pJ and area of a converter in um2, as runs and peaks use them."""
    config = chip.config
    adc = config.sites["tile"].core.adc.resolved(config.clocks, config.technology_nm)
    return adc.energy_per_convert_pj, adc.area_um2


def read_fs(chip: Chip) -> int:
    return chip.config.sites["tile"].core.read_fs(chip.config.clocks)


def conversion_fs(chip: Chip) -> int:
    return chip.config.sites["tile"].core.conversion_fs(chip.config.clocks)


# -- forms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (1e8, [0.924, 0.936, 1.065, 1.312, 1.714, 2.340, 3.310]),
        (1e9, [0.924, 0.936, 1.065, 1.312, 1.714, 4.697, 13.95]),
    ],
)
def test_murmann_agrees_with_the_plug_in(rate: float, expected: list[float]) -> None:
    found = [murmann.energy_pj(bits, rate, 32) for bits in range(4, 11)]
    assert found == pytest.approx(expected, rel=1e-3)


def test_murmann_scales_with_the_node_as_its_exponents_say() -> None:
    energy = murmann.energy_pj(8, 1e9, 64) / murmann.energy_pj(8, 1e9, 32)
    assert log(energy, 2) == pytest.approx(1.88004)
    area = murmann.area_um2(8, 1e9, 64) / murmann.area_um2(8, 1e9, 32)
    assert log(area, 2) == pytest.approx(0.99328 + 0.29912 * 1.88004)


def test_sar_agrees_with_neurosim() -> None:
    found = [1000 * sar.energy_pj(bits, 22) for bits in range(4, 11)]
    assert found == pytest.approx([33, 42, 53, 65, 78, 92, 107], abs=0.6)
    assert 1000 * sar.energy_pj(8, 7) == pytest.approx((0.1061 * 8 + 0.8847) * 9)


def test_sar_between_two_nodes_is_their_geometric_mean_half_way() -> None:
    assert sar.energy_pj(8, (22 * 32) ** 0.5) == pytest.approx(
        (sar.energy_pj(8, 22) * sar.energy_pj(8, 32)) ** 0.5
    )


def test_models_differ_about_tenfold_so_a_chip_file_names_one() -> None:
    """32 nm, 8 bits: 1.7 pJ by the survey, 0.16 pJ by the circuit."""
    assert murmann.energy_pj(8, 1e8, 32) / sar.energy_pj(8, 32) == pytest.approx(10.6, rel=0.02)


def test_published_points_are_as_published() -> None:
    at = Point(8, 1.28e9, 32)
    isaac = PublishedPoint(of="isaac")
    assert [isaac.energy_pj(at._replace(bits=bits)) for bits in range(4, 11)] == [
        0.79, 0.99, 1.20, 1.42, 1.667, 1.97, 2.38
    ]  # fmt: skip
    assert isaac.area_um2(at) is None
    newton, forms = PublishedPoint(of="newton"), PublishedPoint(of="forms")
    assert (newton.energy_pj(at), newton.area_um2(at)) == (2.58, 1500)
    assert (forms.energy_pj(at), forms.area_um2(at)) == (0.226, 284)


def test_a_flash_and_a_ramp_are_as_their_abstracts_say() -> None:
    """3.875 mW at 1 GS/s; 10.2 fJ a conversion step at 7.87 effective bits, which 48 uW make 20 MS/s."""
    flash, ramp = PublishedPoint(of="ghai"), PublishedPoint(of="fan")
    assert flash.energy_pj(Point(6, 1e9, 90)) == pytest.approx(3.875e-3 / 1e9 * 1e12)
    energy_pj = 10.2e-3 * 2**7.87
    assert ramp.energy_pj(Point(8, 2e7, 65)) == pytest.approx(energy_pj, rel=1e-3)
    assert ramp.limits().samples_per_s[1] == pytest.approx(48e-6 / (energy_pj * 1e-12), rel=1e-3)
    assert (flash.area_um2(Point(6, 1e9, 90)), ramp.area_um2(Point(8, 2e7, 65))) == (None, 190 * 5)
    for model, beyond in ((flash, Point(6, 2e9, 90)), (ramp, Point(8, 2e7, 32)), (ramp, Point(7, 2e7, 65))):
        assert model.outside(beyond) is not None


def flash_or_ramp(kind: str, *overrides: str) -> Chip:
    """isaac with converters that are published for 8 bits, 1.28 GS/s and 32 nm."""
    anchor = "{bits: 8, rate_gsps: 1.28, technology_nm: 32}"
    return load("isaac", f"core.adc.model={{kind: {kind}, anchor: {anchor}}}", *overrides)


def test_a_flash_has_a_comparator_between_each_two_codes() -> None:
    """63 of 255 comparators are left with 6 bits; isaac's converter has 1.5625 pJ and 1200 um2."""
    assert adc_of(flash_or_ramp("flash")) == (1.5625, 1200)
    chip = flash_or_ramp("flash", "core.adc.bits=6")
    assert adc_of(chip) == pytest.approx((1.5625 * 63 / 255, 1200 * 63 / 255))
    assert any("by the model flash (comparators of a flash, counted)" in note for note in chip.asides)


def test_a_ramp_takes_a_step_for_each_code() -> None:
    """A quarter of the steps with 6 bits, so a quarter of the energy, and up to four times as fast; area stays."""
    fast = flash_or_ramp("ramp", "core.adc.bits=6", "clocks.adc.frequency_ghz=5.12")
    assert adc_of(fast) == (pytest.approx(1.5625 / 4), 1200)
    assert any("area_um2 1200 um2 as given" in note for note in fast.asides)
    with pytest.raises(ConfigError, match=r"expected at most 5\.12e\+09, 64 steps each, samples a second"):
        flash_or_ramp("ramp", "core.adc.bits=6", "clocks.adc.frequency_ghz=5.2")


@pytest.mark.parametrize(
    ("kind", "overrides", "error"),
    [
        (
            "flash",
            ("core.adc.bits=9",),
            r"core\.adc\.bits: found 9, expected 1 to 8 bits, the limits of the model",
        ),
        (
            "ramp",
            ("core.adc.bits=9", "core.adc.convert_cycles=2"),
            r"core\.adc\.bits: found 9, expected 1 to 8 bits",
        ),
        (
            "flash",
            ("clocks.adc.frequency_ghz=2",),
            r"core\.adc\.convert_cycles: found 2000000000\.0, expected 0 to 1\.28e",
        ),
        (
            "ramp",
            ("technology_nm=22",),
            r"core\.adc\.model: found 22\.0, expected technology_nm: 32 to 32 nm",
        ),
    ],
)
def test_a_flash_or_a_ramp_is_not_carried_where_nothing_says_how(
    kind: str, overrides: tuple[str, ...], error: str
) -> None:
    with pytest.raises(ConfigError, match=error):
        flash_or_ramp(kind, *overrides)


@pytest.mark.parametrize("kind", ["flash", "ramp"])
def test_a_flash_or_a_ramp_has_no_figure_of_its_own(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"core\.adc\.model\.anchor|found no key 'anchor', expected one"):
        load("isaac", f"core.adc.model={{kind: {kind}}}")


def test_counting_doubles_with_every_bit() -> None:
    assert [cco.count_ns(bits, 300) for bits in (7, 8, 9)] == [38.4, 76.8, 153.6]


# -- on a chip --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("preset", "expected"), [("isaac", (1.5625, 1200)), ("puma", (1.8, 1200))])
def test_presets_keep_their_published_point_to_the_last_bit(
    preset: str, expected: tuple[float, float]
) -> None:
    chip = load(preset)
    assert adc_of(chip) == expected
    assert chip.notes == chip.config.notes


@pytest.mark.parametrize(
    ("override", "point"),
    [
        ("core.adc.bits=6", Point(6, 1.28e9, 32)),
        ("core.adc.convert_cycles=4", Point(8, 0.32e9, 32)),
        ("clocks.adc.frequency_ghz=2.56", Point(8, 2.56e9, 32)),
        ("technology_nm=16", Point(8, 1.28e9, 16)),
    ],
)
def test_elsewhere_the_published_point_is_carried_by_the_model(override: str, point: Point) -> None:
    chip, anchor = load("isaac", override), (8, 1.28e9, 32)
    energy = 1.5625 * murmann.energy_pj(*point) / murmann.energy_pj(*anchor)
    area = 1200 * murmann.area_um2(*point) / murmann.area_um2(*anchor)
    assert adc_of(chip) == pytest.approx((energy, area), rel=1e-5)  # of clocks in whole femtoseconds
    assert chip.notes[len(chip.config.notes)].startswith(
        f"core.adc: energy_per_convert_pj {energy:.4g} pJ (published: 1.5625) and area_um2 {area:.4g} um2 (published: "
        f"1200), scaled from 8 bits, 1.28 GS/s, 32 nm to {point} by the model murmann"
    )


def test_fewer_bits_change_energy_and_area_of_a_run_and_its_notes() -> None:
    model = Builder()
    model.gemm(model.flatten(model.input(1, 3, 4, 4)), 16)
    before, after = (simulate(load("isaac", *more), model.trace()) for more in ((), ("core.adc.bits=6",)))
    ratio = murmann.energy_pj(6, 1.28e9, 32) / murmann.energy_pj(8, 1.28e9, 32)
    assert after.energy_pj["by_part"]["core.adc"] / before.energy_pj["by_part"]["core.adc"] == pytest.approx(
        ratio
    )
    assert after.area_um2["by_part"]["core.adc"] < before.area_um2["by_part"]["core.adc"]
    assert after.latency_fs == before.latency_fs
    assert [note for note in after.notes if note not in before.notes] == load(
        "isaac", "core.adc.bits=6"
    ).asides


def test_without_an_anchor_the_figures_are_the_models_own() -> None:
    own = "model: {kind: sar}, bits: 8, clock: adc, convert_cycles: 16, banks: 8, adcs_per_bank: 1"
    chip = load("isaac", f"core.adc={{{own}}}")
    assert adc_of(chip) == (sar.energy_pj(8, 32), None)
    assert any("by the model sar" in note for note in chip.notes)


def test_a_counting_converter_lengthens_the_read_once_it_cannot_keep_up() -> None:
    """hermes64 reads for 129 ns; 300 ps a code make 76.8 ns with 8 bits and 153.6 with 9."""
    assert [read_fs(load("hermes64", f"core.adc.bits={bits}")) for bits in (6, 8, 9)] == [
        129_000_000, 129_000_000, 154_000_000
    ]  # fmt: skip
    notes = load("hermes64", "core.adc.bits=6").asides
    assert notes == [
        "core.adc: 6 bits take 19.2 ns to count, which a read lasts at least. No publication lets its energy and area "
        "follow the bits: they stay as given, here or at the array."
    ]
    assert load("hermes64").asides == []


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("core.array.device=pcm", "core.array.device: only runs that write arrays"),
        ("published.tops=3", "published.tops: a published figure"),
        ("tile.digital.vector.operations.LRN=2", "tile.digital.vector.operations.LRN: only ops of that type"),
    ],
)
def test_what_an_overridden_key_does_not_affect_is_said(override: str, words: str) -> None:
    assert any(note.startswith(words) for note in load("isaac", override).asides)


def test_keys_inside_an_overridden_mapping_are_overridden() -> None:
    chip = load("isaac", "core.sample_hold={}", "core.input_register={capacity_bytes: 2048}")
    assert [note.split(":")[0] for note in chip.asides] == ["core.input_register.capacity_bytes"]


@pytest.mark.parametrize(
    ("preset", "part", "time"),
    [("isaac", "core.adc", conversion_fs), ("hermes64", "core.array", read_fs)],
)
def test_what_if_asks_about_time_beyond_what_a_model_covers(
    preset: str, part: str, time: Callable[[Chip], int]
) -> None:
    """A clock of 1 ps is no converter of the survey, and an array that reads in no time waits for no count."""
    chip = load(preset)
    changed = {change.kind: change.applied_to(chip) for change in changes_of(chip, [part])}
    assert {TWICE_AS_FAST, INFINITELY_FAST} <= set(changed)
    assert adc_of(changed[INFINITELY_FAST]) == adc_of(chip)
    times = [time(each) for each in (changed[INFINITELY_FAST], changed[TWICE_AS_FAST], chip)]
    assert times == sorted(set(times))


# -- refusals ------------------------------------------------------------------------------------------


ANCHOR = "{bits: 8, rate_gsps: 0.1, technology_nm: 32}"


@pytest.mark.parametrize(
    ("override", "error"),
    [
        (
            "core.adc.bits=3",
            r"core\.adc\.bits: found 3, expected 4 to 16 bits, the limits of the model murmann",
        ),
        (
            "clocks.adc.frequency_ghz=200",
            r"core\.adc\.convert_cycles: found 2.*, expected 0 to 9e\+10 samples a second",
        ),
        ("technology_nm=5", r"core\.adc\.model: found 5\.0, expected technology_nm: 7 to 1000 nm"),
        ("core.adc.model.anchor.bits=2", r"core\.adc\.model\.anchor: found 2, expected 4 to 16 bits"),
        (
            f"core.adc.model={{kind: sar, anchor: {ANCHOR}}}",
            r"core\.adc\.convert_cycles: found 1280000000\.0, expected at most 1\.111e\+08, 9 cycles of 1 ns each",
        ),
        (
            "core.adc.model={kind: murman}",
            r"found kind 'murman', expected one of: 'murmann', 'sar', 'point', 'cco', 'flash', 'ramp'",
        ),
        ("core.adc.model={force: true}", r"found kind missing, expected one of"),
        ("core.adc.model=murmann", r"core\.adc\.model: found the text 'murmann', expected keys and values"),
        (
            "core.adc.model={kind: murmann}",
            r"found energy_per_convert_pj beside the model murmann, expected one of",
        ),
        (
            "core.adc.model={kind: cco, lsb_ps: 3, lsb_p: 3}",
            r"unknown key 'lsb_p', .*; did you mean 'lsb_ps'",
        ),
        ("core.adc.model={kind: cco, lsb_ps: 0}", r"core\.adc\.model\.lsb_ps: found 0, expected more than 0"),
        (
            "network.link_mm=2",
            r"network\.link_mm: found 2.*, expected no length without link_energy_per_flit_mm_pj",
        ),
    ],
)
def test_refuses(override: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        load("isaac", override)


def test_an_anchor_without_a_figure_is_refused() -> None:
    with pytest.raises(ConfigError, match="found an anchor of no figure"):
        load("hermes64", f"core.adc.model={{kind: murmann, anchor: {ANCHOR}}}")


def test_force_extrapolates() -> None:
    ratio = murmann.energy_pj(2, 1.28e9, 32) / murmann.energy_pj(8, 1.28e9, 32)
    energy, _ = adc_of(load("isaac", "core.adc.model.force=true", "core.adc.bits=2"))
    assert energy == pytest.approx(1.5625 * ratio)


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_is_documented_and_has_limits(kind: str) -> None:
    anchor = {"bits": 8, "rate_gsps": 0.1, "technology_nm": 32.0}
    needs: dict[str, Any] = {
        "point": {"of": "forms"},
        "cco": {"lsb_ps": 300.0},
        "flash": {"anchor": anchor},
        "ramp": {"anchor": anchor},
    }
    model = MODELS[kind].model_validate({"kind": kind, **needs.get(kind, {})})
    assert model.about
    own = set(type(model).model_fields) - {"kind", "force", "anchor"}
    assert all(field in (type(model).__doc__ or "") for field in own)
    assert all(least <= most for least, most in model.limits())
