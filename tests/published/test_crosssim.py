"""Does an array compute what CrossSim computes? Weights of 1152 x 64, 16 vectors, 8 bits, 2-bit slices.

`crosssim.npz` holds W (64 x 1152, signed), X (1152 x 16, unsigned) and what CrossSim 3.2 (sandialabs/cross-sim)
returned: the first outputs and vectors of a product of 1152 x 256 by 64 vectors. Its parameters: OFFSET weights of 8
bits in 4 slices, NrowsMax 128, infinite on/off ratio, 8 bits of input one by one, digital offset; no converter, one of
8 bits with a step of one level (``CALIBRATED``, 0 to 255 levels), and one from 0 to 384 levels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pimsim.values.arithmetic import Form, Matrix, Piece, Range

Array = npt.NDArray[Any]

WITHIN = 1e-8  # of sums up to 1e7: what float64 leaves of them
BLOCKS = [slice(first, first + 128) for first in range(0, 1152, 128)]


@pytest.fixture(scope="module")
def case() -> dict[str, Array]:
    with np.load(Path(__file__).with_name("crosssim.npz")) as file:
        return dict(file)


def ours(case: dict[str, Array], adc: Range, monkeypatch: pytest.MonkeyPatch) -> Array:
    """Cell by cell, also where nothing is lost."""
    monkeypatch.setattr(Matrix, "is_exact", False)
    form = Form(weight_bits=8, input_bits=8, cell_bits=2, dac_bits=1, adc_bits=8, rows=128, range=adc)
    pieces = [Piece(rows, slice(0, 64)) for rows in BLOCKS]
    matrix = Matrix(form, case["W"].T.astype(np.int64), pieces, signed=False)
    return matrix.multiply(case["X"].T.astype(np.int64)).T


@pytest.mark.parametrize("name", ["no_converter", "step_1"])
def test_what_loses_nothing_is_the_same(
    case: dict[str, Array], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sum here exceeds 255 levels, so a step of one level loses as little as no converter."""
    found = ours(case, (0.0, 255.0), monkeypatch)
    assert np.abs(found - case[name]).max() < WITHIN
    assert (found == case["W"].astype(np.int64) @ case["X"].astype(np.int64)).all()


def in_fractions(case: dict[str, Array], *, ties_as_they_fall: bool) -> tuple[Array, Array]:
    """The case from 0 to 384 in plain numpy, and how far ties can move each result.

    CrossSim adds up conductances, levels / 3, in float64: a sum half way between two codes falls where rounding leaves
    it. In whole levels it is a tie, and goes to the even code.
    """
    weights, inputs = case["W"].T.astype(np.int64) + 128, case["X"].T.astype(np.int64)
    result = np.zeros((len(inputs), weights.shape[1]))
    reach = np.zeros_like(result)
    step = 384 / 255
    for rows in BLOCKS:
        for bit in range(8):
            digits = (inputs[:, rows] >> bit) & 1
            for piece in range(4):
                levels = (weights[rows] >> (2 * piece)) & 3
                sums = digits @ levels
                if ties_as_they_fall:
                    codes = np.rint((digits.astype(float) @ (levels / 3)) / (128 / 255))
                else:
                    codes = np.rint(sums * 255 / 384)
                result += 2.0**bit * 4.0**piece * step * codes
                reach += 2.0**bit * 4.0**piece * step * (sums * 255 % 384 == 192)
    return (result - 128 * inputs.sum(axis=1, keepdims=True)).T, reach.T


def test_what_a_coarse_converter_loses_is_the_same_but_for_ties(
    case: dict[str, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = case["to_384"]
    as_they_fall, _ = in_fractions(case, ties_as_they_fall=True)
    assert np.abs(as_they_fall - theirs).max() < WITHIN
    even, reach = in_fractions(case, ties_as_they_fall=False)
    found = ours(case, (0.0, 384.0), monkeypatch)
    assert np.abs(found - even).max() < WITHIN
    off = np.abs(found - theirs)
    assert (off <= reach + WITHIN).all()  # nothing but ties
    lost = theirs - case["no_converter"]
    assert np.sqrt(np.mean(off**2)) < 0.05 * np.sqrt(np.mean(lost**2))
