"""Data types of tensor units, and 2:4 sparsity: rates, bytes and energy by type, and what is refused.

Expected cycles, bits and energies are formulas, said at each test.
"""

from __future__ import annotations

from typing import Any

import pytest

from pimsim.chip import Chip
from pimsim.chip.peak import tops_at
from pimsim.errors import MappingError
from pimsim.kinds.processor.schedule import schedule
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.widths import Widths
from pimsim.run.simulate import simulate
from tests.analysis.test_closures import closes
from tests.cli.runner import call
from tests.kinds.processors import attention, matmul
from tests.kinds.test_tensor import gpu
from tests.oracle.test_lowered import compare

TYPES: dict[str, Any] = {
    "tf32": {"bits": 32, "speed": 0.5},
    "bf16": {"bits": 16, "speed": 1.0, "energy_per_element_pj": 0.5},
    "int8": {"bits": 8, "speed": 2.0, "energy_per_element_pj": 0.125},
    "int4": {"bits": 4, "speed": 4.0},
}
OP = "matmul1"


def cycles_and_bits(chip: Chip, bits: int, m: int = 256, n: int = 256, k: int = 512) -> tuple[int, int, str]:
    """Cycles of a product, bits that it reads from the memory, and its type."""
    site: Any = chip.config.sites["tile"]
    (kernel,) = schedule(site, build(matmul(m, n, k), Widths(bits))[1], bits, bits, alone=True)
    cycles = sum(piece.times * piece.cycles for piece in kernel.pieces)
    return cycles, sum(piece.times * piece.loaded for piece in kernel.pieces), kernel.type


@pytest.mark.parametrize(
    ("bits", "type_", "speed"),
    [(32, "tf32", 0.5), (16, "bf16", 1), (12, "bf16", 1), (8, "int8", 2), (4, "int4", 4), (3, "int4", 4)],
)
def test_the_fastest_type_that_is_as_wide_is_taken(bits: int, type_: str, speed: float) -> None:
    """M N K / (4 cores of 256 lanes) at the type's speed; each matrix once, as wide as it is."""
    chip = gpu(types=TYPES, feed_bits=1 << 16, scratchpad_kib=512.0)
    cycles, loaded, name = cycles_and_bits(chip, bits)
    assert name == type_
    assert cycles == pytest.approx(256 * 256 * 512 / (4 * 256 * speed), rel=0.01)
    assert loaded == bits * (256 * 512 + 512 * 256)


def test_a_slower_type_is_not_taken_for_narrow_elements() -> None:
    """int4 that is no faster than int8: the narrower one is not better for it, and the first of equals is taken."""
    types = {**TYPES, "int4": {"bits": 4, "speed": 1.0}}
    assert cycles_and_bits(gpu(types=types), 4)[2] == "int8"
    assert cycles_and_bits(gpu(types={**TYPES, "int4": None}), 4)[2] == "int8"


def test_energy_is_the_types_or_not_modelled() -> None:
    """M N K multiply-accumulates at 0.125 pJ in 8 bits; none is known in 4."""
    results = {
        bits: simulate(gpu(types=TYPES), matmul(64, 64, 64), weight_bits=bits, input_bits=bits)
        for bits in (8, 4)
    }
    rows = {
        bits: {row["part"]: row["aj"] for row in result.energy["rows"] if row["kind"] == "dynamic"}
        for bits, result in results.items()
    }
    assert rows[8]["tile.digital.matrix"] == 64**3 * 125_000
    assert not rows[4].get("tile.digital.matrix")
    for result in results.values():
        closes(result)


def test_two_of_four_weights_left_out() -> None:
    """Half of the cycles and of the energy, and of 16 bits 9 are read: 8 and an index of 2 for each of the half."""
    dense, sparse = (gpu(types=TYPES, feed_bits=1 << 16, sparse_weights=each) for each in (False, True))
    cycles, loaded, _ = cycles_and_bits(dense, 16)
    half, less, _ = cycles_and_bits(sparse, 16)
    assert half == pytest.approx(cycles / 2, rel=0.01)
    assert loaded - less == 512 * 256 * (16 - 9)
    assert tops_at(sparse.config, 16) == 2 * tops_at(dense.config, 16)
    pair = [simulate(chip, matmul(64, 64, 64)) for chip in (dense, sparse)]
    energies = [
        next(row["aj"] for row in each.energy["rows"] if row["part"] == "tile.digital.matrix")
        for each in pair
    ]
    assert energies[1] == energies[0] / 2
    assert pair[0].macs == pair[1].macs
    compare(sparse, matmul(64, 64, 64), 2)
    written = {"tile.attention": "written"}  # products of two activations have no weights
    took = [
        simulate(gpu(written, types=TYPES, sparse_weights=each), attention(1, 2, 2, 64, 64, 32)).latency_fs
        for each in (False, True)
    ]
    assert took[0] == took[1]


@pytest.mark.parametrize(
    ("preset", "tops"),
    [
        ("a100", {32: 156, 16: 312, 8: 624, 4: 1248}),
        ("h100", {32: 495, 16: 989, 8: 1979, 4: 1979}),
        ("rtx3090", {32: 35.6, 16: 71, 8: 284, 4: 568}),
        ("l40s", {32: 183, 16: 362, 8: 733, 4: 733}),
    ],
)
def test_presets_have_the_rates_of_their_data_sheets(preset: str, tops: dict[int, float]) -> None:
    """NVIDIA's data sheets, dense."""
    config = Chip.load(preset).config
    for bits, published in tops.items():
        assert tops_at(config, bits) == pytest.approx(published, rel=0.015)


def test_a_run_is_held_against_the_peak_of_its_type() -> None:
    result = simulate(gpu(types=TYPES), matmul(512, 512, 512), weight_bits=8, input_bits=8)
    assert result.peak["tops"] == 2 * simulate(gpu(types=TYPES), matmul(16, 16, 16)).peak["tops"]
    assert result.tops["achieved"] <= result.peak["tops"]


def test_a_type_that_no_unit_has_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        MappingError, match=r"elements of 64 bits, .* has tf32 \(32 bits\), bf16 \(16 bits\), int8"
    ):
        simulate(gpu(types=TYPES), matmul(16, 16, 16), weight_bits=64, input_bits=64)
    done = call(capsys, monkeypatch, "run", "h100", "digits_cnn", "--weight-bits", "48", "--input-bits", "48")
    assert done.code == 2
    assert "it multiplies elements of 48 bits" in done.err
    assert "Traceback" not in done.err
