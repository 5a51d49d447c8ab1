"""How integers become cells and read phases, and how sums are put together again, exactly.

Weights: *offset* adds half of the range, so that all are positive, and takes that times the sum of the inputs away;
*flipped* is the same, where columns of cells that hold more than half of what they could are stored as the complement
(ISAAC, ISCA 2016: the sums then need a bit less); *differential* has two cells, for what is above 0 and below, whose
currents are subtracted before the converter. Inputs: bits, or slices of them, one after another; of signed inputs the
top bit counts negative where a phase applies one bit (two's complement), and where it applies more, rows are driven
either way by slices of the magnitude.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pimsim.values.encoding import Encoding
from pimsim.values.quantize import Codes

Levels = npt.NDArray[np.float32]


class Cells(NamedTuple):
    """The cells of a block of weights.

    Parameters
    ----------
    levels : float32 array, shape (pairs, slices, rows, outputs)
        What each cell holds, from 0 to `top`; with two of a pair, the second one counts negative.
    weights : float64 array, shape (slices,)
        What a level of each slice is worth.
    offset : int
        What was added to each weight.
    flipped : bool array, shape (slices, outputs)
        Which columns of cells hold the complement.
    top : int
        The largest level.
    """

    levels: Levels
    weights: npt.NDArray[np.float64]
    offset: int
    flipped: npt.NDArray[np.bool_]
    top: int


class Phases(NamedTuple):
    """Inputs one read after another.

    Parameters
    ----------
    digits : float32 array, shape (phases, vectors, rows)
        What is applied.
    weights : float64 array, shape (phases,)
        What a digit of each phase is worth.
    top : int
        The largest digit.
    bipolar : bool
        Whether there are digits below 0.
    """

    digits: Levels
    weights: npt.NDArray[np.float64]
    top: int
    bipolar: bool


def cells_of(codes: Codes, bits: int, cell_bits: int, encoding: Encoding) -> Cells:
    """Return the cells that hold signed codes.

    Parameters
    ----------
    codes : int64 array, shape (rows, outputs)
        Weights, from ``-(2**(bits-1) - 1)`` to ``2**(bits-1) - 1``.
    bits : int
        Of a weight.
    cell_bits : int
        Of a cell; of a differential pair, with the sign.
    encoding : str
        ``offset``, ``flipped`` or ``differential``.
    """
    slices = -(-bits // cell_bits)
    if encoding == "differential":
        each = max(1, -(-(bits - 1) // slices))
        parts = np.stack([np.maximum(codes, 0), np.maximum(-codes, 0)])
        offset = 0
    else:
        each, offset = cell_bits, 1 << (bits - 1)
        parts = (codes + offset)[np.newaxis]
    top = (1 << each) - 1
    shifts = each * np.arange(slices)
    levels = ((parts[:, np.newaxis] >> shifts[:, np.newaxis, np.newaxis]) & top).astype(np.float32)
    flipped = np.zeros((slices, codes.shape[1]), dtype=np.bool_)
    if encoding == "flipped":
        flipped = levels[0].sum(axis=1, dtype=np.float64) * 2 > top * codes.shape[0]
        levels = np.where(flipped[np.newaxis, :, np.newaxis], top - levels, levels).astype(np.float32)
    return Cells(levels, np.exp2(shifts), offset, flipped, top)


def phases_of(codes: Codes, bits: int, dac_bits: int, *, signed: bool) -> Phases:
    """Return the read phases of inputs.

    Parameters
    ----------
    codes : int64 array, shape (vectors, rows)
        Inputs.
    bits : int
        Of an input.
    dac_bits : int
        That a phase applies.
    signed : bool
        Whether codes below 0 can occur.
    """
    bipolar = signed and dac_bits > 1
    small = codes.astype(np.int32) if bits < 32 else codes  # half of the work
    magnitudes = np.abs(small) if bipolar else small
    count = max(1, -(-(bits - bipolar) // dac_bits))
    shifts = dac_bits * np.arange(count)
    top = (1 << dac_bits) - 1
    digits = np.empty((count, *codes.shape), dtype=np.float32)
    for digit, shift in zip(digits, shifts.tolist(), strict=True):
        digit[...] = (magnitudes >> shift) & top
    weights = np.exp2(shifts)
    if bipolar:
        digits *= np.sign(small).astype(np.float32)
    elif signed:
        weights[-1] = -weights[-1]
    return Phases(digits, weights, top, bipolar)
