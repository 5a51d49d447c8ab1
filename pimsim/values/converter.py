"""A converter's codes: range, step, clipping; half a step is rounded to the even code, and it clips at its ends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ends = npt.NDArray[np.float64]


class Converter(NamedTuple):
    """What converters make of sums, by slice of the weights.

    Parameters
    ----------
    low : float64 array, shape (slices,)
        The sum that code 0 stands for, in levels of a cell times steps of an input.
    span : float64 array, shape (slices,)
        How far it is from there to the sum of the largest code.
    top : int
        The largest code.
    """

    low: Ends
    span: Ends
    top: int

    def is_exact(self, low: float, high: float) -> bool:
        """Whether each whole sum between two has a code of its own that stands for it."""
        whole = (self.span == self.top).all() and (self.low == np.rint(self.low)).all()
        return bool(whole and (self.low <= low).all() and (self.low + self.span >= high).all())


def converter(bits: int, slices: int, low: object, high: object) -> Converter:
    """Return converters with a range: both ends have a code, and where it is as wide below 0 as above, 0 has one, too.

    Parameters
    ----------
    bits : int
        Of a code.
    slices : int
        Of the weights.
    low, high : float or array of float, shape (slices,)
        The range, `high` above `low`.
    """
    first, last = (np.array(np.broadcast_to(np.asarray(end, np.float64), slices)) for end in (low, high))
    even = bool((first == -last).all()) and bits > 1
    return Converter(first, last - first, (1 << bits) - 1 - even)
