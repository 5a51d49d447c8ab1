"""Real numbers as integer codes: symmetric, one scale a tensor, rounded to even, clipped."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.floating[Any]]
Codes = npt.NDArray[np.int64]


class Scale(NamedTuple):
    """What a code stands for.

    Parameters
    ----------
    step : float
        The value of code 1.
    bits : int
        Of a code.
    signed : bool
        Codes from ``-(2**(bits-1) - 1)`` to ``2**(bits-1) - 1``, else from 0 to ``2**bits - 1``.
    """

    step: float
    bits: int
    signed: bool

    @property
    def top(self) -> int:
        """The largest code."""
        return int((1 << (self.bits - 1 if self.signed else self.bits)) - 1)

    def codes(self, values: Reals) -> Codes:
        """Return the codes of values, those beyond the range at its ends."""
        rounded = np.rint(np.asarray(values, dtype=np.float64) / self.step)
        return np.clip(rounded, -self.top if self.signed else 0, self.top).astype(np.int64)


def scale_of(peak: float, bits: int, *, signed: bool) -> Scale:
    """Return the scale whose largest code is a value, or of step 1 for 0.

    Parameters
    ----------
    peak : float
        The largest magnitude to be told.
    bits : int
        Of a code; a signed one has at least 2.
    signed : bool
        Whether values below 0 have codes.
    """
    bits = max(bits, 2) if signed else bits
    unit = Scale(1.0, bits, signed)
    return unit._replace(step=peak / unit.top) if peak > 0 else unit
