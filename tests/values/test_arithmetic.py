"""Is a product on arrays what its cells, phases and codes make it, one by one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.values.arithmetic import Form, Matrix, Piece, exact
from pimsim.values.coding import cells_of, phases_of
from pimsim.values.converter import converter
from pimsim.values.errors import Effects
from pimsim.values.wires import effective_fast_us

Codes = npt.NDArray[np.int64]


def drawn(codes: tuple[int, int], bits: int, signed: bool, seed: int) -> Codes:
    top = 2 ** (bits - signed) - 1
    return np.random.default_rng(seed).integers(-top if signed else 0, top + 1, codes)


def cut(rows: int, outputs: int, high: int, wide: int) -> list[Piece]:
    return [
        Piece(slice(r, min(r + high, rows)), slice(o, min(o + wide, outputs)))
        for o in range(0, outputs, wide)
        for r in range(0, rows, high)
    ]


@st.composite
def forms(draw: st.DrawFn) -> Form:
    return Form(
        weight_bits=draw(st.integers(2, 8)),
        input_bits=draw(st.integers(2, 8)),
        cell_bits=draw(st.integers(1, 4)),
        dac_bits=draw(st.integers(1, 4)),
        adc_bits=draw(st.integers(2, 10)),
        rows=draw(st.integers(1, 9)),
        encoding=draw(st.sampled_from(["offset", "flipped", "differential"])),
        range=draw(st.sampled_from(["full", "unit", (0.0, 40.0), (-20.0, 30.0)])),
        apart=draw(st.booleans()),
    )


def one_by_one(form: Form, matrix: Matrix, codes: Codes, inputs: Codes, pieces: Sequence[Piece]) -> Any:
    """Each array, phase, slice, pair and column in a loop of its own, in Python's numbers."""
    result = np.zeros((len(inputs), codes.shape[1]))
    adc = matrix.converter
    assert adc is not None

    def code(total: float, piece: int) -> float:
        low, span = float(adc.low[piece]), float(adc.span[piece])
        return low + min(max(round((total - low) * adc.top / span), 0), adc.top) * span / adc.top

    for rows, outputs in pieces:
        cells = cells_of(codes[rows, outputs], form.weight_bits, form.cell_bits, form.encoding)
        phases = phases_of(inputs[:, rows], form.input_bits, form.dac_bits, signed=matrix.signed)
        for vector in range(len(inputs)):
            for column in range(cells.levels.shape[3]):
                total = 0.0
                for phase, weight in enumerate(phases.weights.tolist()):
                    digits = phases.digits[phase, vector].tolist()
                    for piece, worth in enumerate(cells.weights.tolist()):
                        pairs = [cells.levels[g, piece, :, column].tolist() for g in range(len(cells.levels))]
                        if len(pairs) > 1 and form.apart:
                            value = 0.0
                            for half in (1, -1) if phases.bipolar else (1,):
                                driven = [max(half * digit, 0) for digit in digits]
                                for sign, levels in zip((1, -1), pairs, strict=False):
                                    value += half * sign * code(np.dot(driven, levels), piece)
                        else:
                            sums = [np.dot(digits, levels) for levels in pairs]
                            value = code(sums[0] - (sums[1] if len(sums) > 1 else 0), piece)
                        if cells.flipped[piece, column]:
                            value = cells.top * sum(digits) - value
                        total += weight * worth * value
                result[vector, outputs.start + column] += total
                result[vector, outputs.start + column] -= cells.offset * inputs[vector, rows].sum()
    return result


@settings(max_examples=60, deadline=None)
@given(forms(), st.integers(1, 12), st.integers(1, 6), st.booleans(), st.integers(0, 2**32 - 1))
def test_sums_are_converted_one_by_one(form: Form, rows: int, outputs: int, signed: bool, seed: int) -> None:
    """Against plain loops: clipping, ties, both directions of the inputs, cells of a pair apart or not."""
    codes = drawn((rows, outputs), form.weight_bits, True, seed)
    inputs = drawn((3, rows), form.input_bits, signed, seed + 1)
    pieces = cut(rows, outputs, form.rows, 4)
    matrix = Matrix(form, codes, pieces, signed=signed)
    wanted = one_by_one(form, matrix, codes, inputs, pieces)
    assert matrix.multiply(inputs) == pytest.approx(wanted, rel=1e-5, abs=1e-3)
    assert (exact(inputs, codes, pieces) == inputs @ codes).all()


@settings(max_examples=60, deadline=None)
@given(forms(), st.integers(1, 20), st.integers(1, 6), st.booleans(), st.integers(0, 2**32 - 1))
def test_lossless_converters_give_the_product_of_integers(
    form: Form, rows: int, outputs: int, signed: bool, seed: int
) -> None:
    """Enough codes of one level each: bit for bit, cell by cell, over shapes, blocks, slices and signs."""
    form = replace(form, adc_bits=16, range="unit")
    codes = drawn((rows, outputs), form.weight_bits, True, seed)
    inputs = drawn((4, rows), form.input_bits, signed, seed + 1)
    matrix = Matrix(form, codes, cut(rows, outputs, form.rows, 3), signed=signed)
    assert matrix.is_exact
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Matrix, "is_exact", False)
        assert (matrix.multiply(inputs) == inputs @ codes).all()
    assert (matrix.multiply(inputs) == inputs @ codes).all()


@settings(max_examples=80, deadline=None)
@given(forms(), st.booleans(), st.integers(0, 2**32 - 1))
def test_what_is_called_exact_is(form: Form, signed: bool, seed: int) -> None:
    codes = drawn((form.rows, 4), form.weight_bits, True, seed)
    inputs = drawn((6, form.rows), form.input_bits, signed, seed + 1)
    matrix = Matrix(form, codes, [Piece(slice(0, form.rows), slice(0, 4))], signed=signed)
    if matrix.is_exact:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Matrix, "is_exact", False)
            assert matrix.multiply(inputs) == pytest.approx(inputs @ codes, rel=1e-12, abs=1e-6)


def test_isaacs_eight_bits_lose_nothing() -> None:
    """128 rows of 2-bit cells, one bit of the input at a time: 384 levels, and complements leave no more than 192."""
    form = Form(16, 16, 2, 1, 8, 128, "flipped", "unit")
    codes = drawn((128, 16), 16, True, 1)
    pieces = [Piece(slice(0, 128), slice(0, 16))]
    assert Matrix(form, codes, pieces, signed=True).is_exact
    assert not Matrix(replace(form, encoding="offset"), codes, pieces, signed=True).is_exact or (
        cells_of(codes, 16, 2, "offset").levels.sum(axis=2).max() <= 255
    )
    assert not Matrix(replace(form, adc_bits=7), codes, pieces, signed=True).is_exact


def test_wide_sums_of_whole_numbers_stay_whole() -> None:
    """1024 rows x 255 x 127 exceed what float32 tells apart: the sums are taken in float64."""
    form = Form(8, 8, 8, 8, 16, 1024, "differential", (0.0, 2.0**16 - 1), 100.0)
    codes = np.full((1024, 1), 127)
    inputs = np.zeros((1, 1024), dtype=np.int64)
    inputs[0, :2] = 255, 1
    matrix = Matrix(form, codes, [Piece(slice(0, 1024), slice(0, 1))], signed=False)
    assert matrix.multiply(inputs)[0, 0] == 256 * 127


@pytest.mark.parametrize(
    ("bits", "low", "high", "top", "step"),
    [
        (8, 0.0, 255.0, 255, 1.0),
        (8, -127.0, 127.0, 254, 1.0),
        (1, -1.0, 1.0, 1, 2.0),
        (4, 2.0, 32.0, 15, 2.0),
    ],
)
def test_a_range_has_codes_at_its_ends(bits: int, low: float, high: float, top: int, step: float) -> None:
    made = converter(bits, 2, low, high)
    assert (made.top, (made.span / made.top).tolist()) == (top, [step, step])


def test_a_range_by_samples_holds_their_sums() -> None:
    """Each slice has its own; what was seen is not clipped, and of half of it half is."""
    form = Form(8, 8, 2, 8, 8, 16, "differential", "samples", 100.0)
    codes, inputs = drawn((16, 5), 8, True, 3), drawn((40, 16), 8, True, 4)
    pieces = [Piece(slice(0, 16), slice(0, 5))]
    low, high = Matrix(form, codes, pieces, signed=True).calibrated(inputs)
    cells = cells_of(codes, 8, 2, "differential")
    for piece in range(4):
        sums = inputs @ (cells.levels[0, piece] - cells.levels[1, piece])
        assert (low[piece], high[piece]) == (-np.abs(sums).max(), np.abs(sums).max())
        (half,) = Matrix(replace(form, percentile=75.0), codes, pieces, signed=True).calibrated(inputs)[1][
            piece : piece + 1
        ]
        assert half == pytest.approx(np.percentile(np.abs(sums), 75.0))


class Noisy:
    """A made-up device: sigma is a tenth of the conductance in a read, a twentieth in programming; it decays."""

    kind, g_min_us, g_max_us = "noisy", 2.0, 12.0
    models = ("programming", "drift", "read")

    def programmed_us(self, target: Any, normal: Any) -> Any:
        return target * (1 + 0.05 * normal)

    def drifted_us(self, programmed: Any, target: Any, seconds: float, normal: Any) -> Any:
        return programmed / (1 + seconds)

    def read_sigma_us(self, conductance: Any, target: Any, seconds: float, programmed: Any = None) -> Any:
        return 0.1 * conductance


FORM = Form(4, 4, 4, 4, 16, 8, "differential", (-4000.0, 4000.0))
PIECES = [Piece(slice(0, 8), slice(0, 2)), Piece(slice(8, 12), slice(0, 2))]


def noisy(of: set[str], seed: int = 1, seconds: float = 0.0, compensated: bool = False) -> Matrix:
    effects = Effects(Noisy(), frozenset(of), seconds, seed, compensated=compensated)
    return Matrix(FORM, drawn((12, 2), 4, True, 5), PIECES, signed=True, effects=effects, name=("op", 0))


def test_the_noise_of_a_column_is_that_of_its_cells() -> None:
    """Against a draw for every cell and read: the same mean, and the same spread within 4 standard errors."""
    inputs = drawn((1, 12), 4, True, 6)
    matrix, reads = noisy({"read"}), 4000
    found = np.array([matrix.multiply(inputs, sample)[0] for sample in range(reads)])
    random = np.random.default_rng(7)
    cells = [cells_of(matrix.codes[rows], 4, 4, "differential") for rows in (slice(0, 8), slice(8, 12))]
    levels = np.concatenate([each.levels[:, 0] for each in cells], axis=1)
    span = 10.0 / cells[0].top
    sigma = 0.1 * (2.0 + span * levels) / span
    draws = levels + sigma * random.standard_normal((reads, *levels.shape))
    each = np.einsum("r,nro->no", inputs[0].astype(float), draws[:, 0] - draws[:, 1])
    error = each.std(axis=0) / np.sqrt(2 * reads)
    assert np.abs(found.std(axis=0) - each.std(axis=0)).max() < 4 * np.sqrt(2) * error.max()
    assert np.abs(found.mean(axis=0) - inputs[0] @ matrix.codes).max() < 4 * each.std() / np.sqrt(reads) + 0.2


def test_what_is_drawn_depends_on_what_it_is_for() -> None:
    """Not on what was computed before, nor on what is computed beside it; and it does depend on the seed."""
    inputs = drawn((3, 12), 4, True, 8)
    alone = noisy({"programming", "read"}).multiply(inputs, 7)
    other = noisy({"programming", "read"})
    other.multiply(inputs, 3)
    assert (other.multiply(inputs, 7) == alone).all()
    assert (other.multiply(inputs, 8) != alone).any()
    assert (noisy({"programming", "read"}, seed=2).multiply(inputs, 7) != alone).any()


def test_drift_shrinks_and_a_factor_makes_up_for_it() -> None:
    """All cells at 0.8 of their conductance, also those at the least: pairs differ by 0.8 of what they did."""
    inputs = drawn((3, 12), 4, True, 9)
    whole = inputs @ drawn((12, 2), 4, True, 5)
    assert noisy({"drift"}, seconds=0.25).multiply(inputs) == pytest.approx(0.8 * whole, abs=0.2)
    levels = [array.cells.levels.astype(float) for array in noisy(set()).arrays]
    span = 10.0 / 7
    left = sum(((2.0 + span * each) * 0.8 - 2.0).sum() / span for each in levels)
    matrix = noisy({"drift"}, seconds=0.25, compensated=True)
    assert matrix.factor == pytest.approx(sum(each.sum() for each in levels) / left, rel=1e-5)
    assert matrix.factor > 1.25
    assert matrix.multiply(inputs) == pytest.approx(0.8 * matrix.factor * whole, abs=0.5)


def test_wires_take_from_what_is_far() -> None:
    """One block, all cells at their most: as `pimsim.values.wires` has the array, slices of a weight side by side."""
    form = Form(4, 4, 2, 4, 16, 8, "offset", (0.0, 65535.0))
    codes = np.full((8, 3), 7)
    effects = Effects(Noisy(), frozenset({"wires"}), wire_ohm=100.0)
    matrix = Matrix(form, codes, [Piece(slice(0, 8), slice(0, 3))], signed=False, effects=effects)
    cells = np.full((8, 6), 12.0)
    assert cells_of(codes, 4, 2, "offset").levels.min() == 3
    seen = (effective_fast_us(cells, 100.0) - 2.0) / (10.0 / 3)
    found = matrix.arrays[0].actual.levels
    assert found[0].transpose(1, 2, 0).reshape(8, 6) == pytest.approx(seen, rel=1e-6)
    assert found[0, 0, 0, 2] < found[0, 0, 7, 0]  # far from the driver and from the converter, and near both
