"""A weight matrix on arrays: what comes out for codes that go in, converter by converter.

Each block of the plan is an array of its own: its rows add up in analog, its sums are converted phase by phase and
slice by slice, and only then added to those of others. Where nothing can be lost or drawn, the product of integers is
the same and is taken (a test holds the two together).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from pimsim.values.coding import Cells, Phases, cells_of, phases_of
from pimsim.values.converter import Converter, converter
from pimsim.values.encoding import Encoding
from pimsim.values.errors import Actual, Effects, actual_of
from pimsim.values.quantize import Codes
from pimsim.values.streams import stream
from pimsim_core.conversion import add_converted

AT_ONCE = 1 << 20
"""Sums that are worked on at once."""
EXACT_BELOW = 1 << 24
"""Whole numbers that a float32 tells apart."""
CALIBRATED_ON = 4096
"""Vectors that a range is taken from, at most."""

Range = Literal["full", "unit", "samples"] | tuple[float, float]
Results = npt.NDArray[np.float64]
Sums = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Form:
    """How a matrix stands on arrays and is read.

    Parameters
    ----------
    weight_bits, input_bits, cell_bits, dac_bits, adc_bits : int
        Widths: of a weight, of an input, that one cell holds, that one phase applies, of a converter's code.
    rows : int
        Of an array.
    encoding : str
        See `pimsim.values.coding`.
    range : str or (float, float)
        Of a converter: ``full`` is all that the rows of an array could add up to, ``unit`` has a step of one level of
        a cell times one step of an input, from 0 or around it; ``samples`` is what the sums of samples reach; or its
        ends, in levels.
    percentile : float
        Of the sums of samples, that are within their range; in percent.
    apart : bool
        Of differential cells: whether inputs above and below 0, and the two of a pair, are read and converted apart.
    """

    weight_bits: int
    input_bits: int
    cell_bits: int
    dac_bits: int
    adc_bits: int
    rows: int
    encoding: Encoding = "offset"
    range: Range = "full"
    percentile: float = 100.0
    apart: bool = False


class Piece(NamedTuple):
    """A block of an array: which rows and outputs of the op's matrix, or matrices, it holds."""

    rows: slice
    outputs: slice


@dataclass(slots=True)
class _Array:
    """A block with its cells as they are."""

    piece: Piece
    cells: Cells
    actual: Actual


def exact(codes: Codes, weights: Codes, pieces: Iterable[Piece]) -> Results:
    """Return the products of integers, block by block: (vectors, rows) by (rows, outputs)."""
    result = np.zeros((codes.shape[0], weights.shape[1]))
    for rows, outputs in pieces:
        result[:, outputs] += codes[:, rows].astype(np.float64) @ weights[rows, outputs].astype(np.float64)
    return result


class Matrix:
    """One copy of an op's weights on arrays.

    Parameters
    ----------
    form : Form
        How it stands there.
    codes : int64 array, shape (rows, outputs)
        The weights; of grouped convolutions all groups below one another, and side by side.
    pieces : sequence of Piece
        Its blocks.
    signed : bool
        Whether inputs can be below 0.
    effects : Effects, optional
        What devices make of the cells; without, they are as written.
    name : tuple of str or int
        Whose it is: with the seed of the effects, what is drawn depends on this alone.
    ranges : pair of float64 arrays, shape (slices,), optional
        Of a range by samples: what `calibrated` has returned.
    """

    def __init__(
        self,
        form: Form,
        codes: Codes,
        pieces: Sequence[Piece],
        *,
        signed: bool,
        effects: Effects | None = None,
        name: tuple[str | int, ...] = (),
        ranges: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None,
    ) -> None:
        self.form, self.signed, self.codes = form, signed, codes
        self.effects, self.name = effects or Effects(), name
        self.arrays = [self._array(number, piece) for number, piece in enumerate(pieces)]
        self.converter = self._converter(ranges)
        self.factor = self._compensation()

    def _array(self, number: int, piece: Piece) -> _Array:
        form = self.form
        cells = cells_of(
            self.codes[piece.rows, piece.outputs], form.weight_bits, form.cell_bits, form.encoding
        )
        return _Array(piece, cells, actual_of(cells, self.effects, (*self.name, number)))

    def _compensation(self) -> float:
        """What results are multiplied by so that all cells together conduct as much as they should."""
        if not self.effects.compensated:
            return 1.0
        should = sum(float(array.cells.levels.sum(dtype=np.float64)) for array in self.arrays)
        found = sum(float(array.actual.levels.sum(dtype=np.float64)) for array in self.arrays)
        return should / found if found > 0 else 1.0

    # -- converters --------------------------------------------------------------------------------------------

    @property
    def apart(self) -> bool:
        """Whether there are pairs that are read apart."""
        return self.form.apart and self.form.encoding == "differential"

    @property
    def bipolar(self) -> bool:
        """Whether a sum can be below 0."""
        form = self.form
        return not self.apart and (form.encoding == "differential" or (self.signed and form.dac_bits > 1))

    def _most(self, rows: int) -> float:
        """The largest sum of so many rows, all cells and inputs at their most."""
        top = self.arrays[0].cells.top if self.arrays else 1
        return float(rows) * top * ((1 << self.form.dac_bits) - 1)

    def _converter(
        self, ranges: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None
    ) -> Converter | None:
        form = self.form
        slices = len(self.arrays[0].cells.weights) if self.arrays else 1
        if form.range == "samples":
            return None if ranges is None else converter(form.adc_bits, slices, *ranges)
        if form.range == "full":
            high = self._most(form.rows)
            low = -high if self.bipolar else 0.0
        elif form.range == "unit":
            codes = (1 << form.adc_bits) - 1
            low, high = (-(codes // 2), codes // 2) if self.bipolar else (0, codes)
        else:
            low, high = form.range
        return converter(form.adc_bits, slices, low, high)

    @cached_property
    def is_exact(self) -> bool:
        """Whether results are the product of integers: cells as written, and a code for each sum there can be."""
        if self.converter is None or self.effects.any:
            return False
        most = max((self._reach(array) for array in self.arrays), default=0.0)
        return self.converter.is_exact(-most if self.bipolar else 0.0, most)

    def _reach(self, array: _Array) -> float:
        """The largest sum of a block: what stands in a column of cells, all inputs at their most."""
        levels = array.cells.levels
        columns = levels.sum(axis=2, dtype=np.float64).max() if levels.size else 0.0
        return float(columns) * ((1 << self.form.dac_bits) - 1)

    # -- products ----------------------------------------------------------------------------------------------

    def multiply(self, codes: Codes, sample: int = 0) -> Results:
        """Return the products of input codes, shape (vectors, rows), in units of both codes: (vectors, outputs).

        Parameters
        ----------
        codes : int64 array, shape (vectors, rows)
            Inputs.
        sample : int
            Which of the inputs of a run this is: read noise depends on it.
        """
        if self.is_exact:
            return exact(codes, self.codes, [array.piece for array in self.arrays])
        result = np.zeros((codes.shape[0], self.codes.shape[1]))
        for number, array in enumerate(self.arrays):
            noise = None
            if array.actual.sigma is not None:
                noise = stream(self.effects.seed, "read", *self.name, number, sample)
            outputs = array.piece.outputs
            for part, phases in self._phases(codes[:, array.piece.rows], array):
                self._add(result[part, outputs], array, phases, noise)
        return result * self.factor if self.factor != 1.0 else result

    def calibrated(self, codes: Codes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the range of each slice that holds the asked share of the sums of some inputs."""
        form = self.form
        found: list[list[Sums]] = [[] for _ in self.arrays[0].cells.weights]
        for array in self.arrays:
            for _, phases in self._phases(codes[:, array.piece.rows], array):
                for sums, _ in self._sums(array, phases, None):
                    for number, each in enumerate(found):
                        each.append(sums[..., number, :].ravel())
        joined = [np.concatenate(each) for each in found]
        if self.bipolar:
            high = np.array([np.percentile(np.abs(each), form.percentile) for each in joined])
            high = np.where(high > 0, high, 1.0)
            return -high, high
        high = np.array([np.percentile(each, form.percentile) for each in joined])
        return np.zeros_like(high), np.where(high > 0, high, 1.0)

    def _phases(self, codes: Codes, array: _Array) -> Iterator[tuple[slice, Phases]]:
        """Yield inputs of a block phase by phase, some vectors at a time."""
        form = self.form
        phases = -(-form.input_bits // form.dac_bits)
        each = max(1, phases * len(array.cells.weights) * array.cells.levels.shape[3])
        size = max(1, AT_ONCE // each)
        for first in range(0, len(codes), size):
            part = slice(first, first + size)
            yield part, phases_of(codes[part], form.input_bits, form.dac_bits, signed=self.signed)

    def _sums(
        self, array: _Array, phases: Phases, noise: np.random.Generator | None
    ) -> Iterator[tuple[Sums, int]]:
        """Yield what the columns bring to the converters, (phases, vectors, slices, outputs), and its sign."""
        levels = array.actual.levels
        pairs, slices, rows, outputs = levels.shape
        digits = phases.digits
        if self.apart:
            halves = [(np.maximum(digits, 0), 1), (np.maximum(-digits, 0), -1)]
            halves = halves if phases.bipolar else halves[:1]
            sets = [(levels[pair], array.actual.variance(pair), 1 - 2 * pair) for pair in range(pairs)]
        else:
            halves = [(digits, 1)]
            both = levels[0] - levels[1] if pairs == 2 else levels[0]
            sets = [(both, array.actual.variance(), 1)]
        exact = not self.effects.any and self._most(rows) >= EXACT_BELOW
        for inputs, sign in halves:
            flat = inputs.reshape(-1, rows)
            for level, variance, pair_sign in sets:
                across = np.ascontiguousarray(level.transpose(1, 0, 2)).reshape(rows, slices * outputs)
                if exact:
                    sums = (flat.astype(np.float64) @ across.astype(np.float64)).astype(np.float32)
                else:
                    sums = flat @ across
                if noise is not None and variance is not None:
                    spread = variance.transpose(1, 0, 2).reshape(rows, slices * outputs)
                    sums += np.sqrt((flat * flat) @ spread) * noise.standard_normal(sums.shape, np.float32)
                yield sums.reshape(*digits.shape[:2], slices, outputs), sign * pair_sign

    def _add(self, result: Results, array: _Array, phases: Phases, noise: np.random.Generator | None) -> None:
        """Convert the sums of a block and add them to results, shape (vectors, outputs)."""
        assert self.converter is not None
        cells = array.cells
        rows = phases.digits.shape[2]
        few = rows * phases.top < EXACT_BELOW
        applied = (phases.digits @ np.ones(rows, np.float32 if few else np.float64)).astype(np.float64)
        added = np.zeros((phases.digits.shape[1], cells.levels.shape[3]))
        for sums, sign in self._sums(array, phases, noise):
            add_converted(
                sums,
                *self.converter,
                sign * phases.weights,
                cells.weights,
                cells.flipped.view(np.uint8),
                cells.top,
                applied,
                added,
            )
        result += added - cells.offset * (phases.weights @ applied)[:, np.newaxis]
