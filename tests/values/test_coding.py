"""Do cells and phases hold exactly the integers that they were made of?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimsim.values.coding import cells_of, phases_of
from pimsim.values.encoding import Encoding
from pimsim.values.quantize import scale_of

ENCODINGS: list[Encoding] = ["offset", "flipped", "differential"]


@given(st.integers(2, 16), st.integers(1, 8), st.sampled_from(ENCODINGS), st.integers(0, 2**32 - 1))
def test_cells_hold_the_weights(bits: int, cell_bits: int, encoding: Encoding, seed: int) -> None:
    top = 2 ** (bits - 1) - 1
    codes = np.random.default_rng(seed).integers(-top, top + 1, (5, 3))
    cells = cells_of(codes, bits, cell_bits, encoding)
    assert cells.levels.shape == (2 if encoding == "differential" else 1, -(-bits // cell_bits), 5, 3)
    assert cells.levels.min() >= 0
    assert cells.levels.max() <= cells.top < 2**cell_bits
    levels = np.where(cells.flipped[np.newaxis, :, np.newaxis], cells.top - cells.levels, cells.levels)
    signs = np.array([1, -1])[: len(levels)]
    found = np.einsum("gsro,g,s->ro", levels.astype(float), signs, cells.weights) - cells.offset
    assert (found == codes).all()


@given(st.integers(2, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_no_flipped_column_holds_more_than_half(bits: int, cell_bits: int, seed: int) -> None:
    """ISAAC: so that the sum of a column needs a bit less."""
    top = 2 ** (bits - 1) - 1
    codes = np.random.default_rng(seed).integers(-top, top + 1, (8, 4))
    cells = cells_of(codes, bits, cell_bits, "flipped")
    assert (cells.levels[0].sum(axis=1) <= cells.top * 8 / 2).all()


@given(st.integers(2, 16), st.integers(1, 8), st.booleans(), st.integers(0, 2**32 - 1))
def test_phases_apply_the_inputs(bits: int, dac_bits: int, signed: bool, seed: int) -> None:
    top = 2 ** (bits - signed) - 1
    codes = np.random.default_rng(seed).integers(-top if signed else 0, top + 1, (4, 6))
    phases = phases_of(codes, bits, dac_bits, signed=signed)
    assert np.abs(phases.digits).max() <= phases.top == 2**dac_bits - 1
    assert len(phases.digits) <= -(-bits // dac_bits)  # no more than the chip takes time for
    assert (phases.digits.min() >= 0) or phases.bipolar
    found = np.einsum("pvr,p->vr", phases.digits.astype(float), phases.weights)
    assert (found == codes).all()


@pytest.mark.parametrize(
    ("peak", "bits", "signed", "values", "codes"),
    [
        (1.0, 8, False, [0.0, 1.0, 2.0, -1.0], [0, 255, 255, 0]),
        (
            1.27,
            8,
            True,
            [0.01, -1.27, -9.0, 0.015, 0.025],
            [1, -127, -127, 2, 2],
        ),  # half a step: to the even code
        (0.0, 4, True, [0.0, 3.4], [0, 3]),
    ],
)
def test_codes(peak: float, bits: int, signed: bool, values: list[float], codes: list[int]) -> None:
    assert scale_of(peak, bits, signed=signed).codes(np.array(values)).tolist() == codes
