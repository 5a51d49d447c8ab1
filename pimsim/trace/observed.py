"""What the values of a tensor are like once they are quantized: how many zeros, how many bits set, and where.

A crossbar's time and energy depend on its data's bits; a trace holds these figures instead of the data. They are
defined in ``docs/statistics.md``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pimsim.errors import TraceError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Calibration = float | Literal["max"]

BINS = 16
MAX_BITS = 16
DECIMALS = 6
"""Shares are kept to so many decimals: in memory as in a file, so that reading gives back what was written."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of one tensor's values, quantized to whole numbers; make them with `of`.

    Parameters
    ----------
    count : int
        Values seen.
    minimum, maximum : float
        Of the real values.
    signed : bool
        Whether there are negative values: then a code has a sign, else all its bits are magnitude.
    zeros : float
        Share of values whose code is 0.
    bit_density : float
        Share of ones among all bits of the codes in two's complement.
    bit_density_signmag : float
        Share of ones among the magnitude's bits of the codes in sign-magnitude; the sign is not counted.
    per_bit, per_bit_signmag : tuple of float
        The same for each bit, the least significant first.
    histogram : tuple of int
        Codes in 16 bins of equal width over the whole range of codes.
    zero_slices : float or None
        Share of slices without a one, a slice being one bit of the magnitudes of `rows` consecutive values; None
        if there are fewer values than that.
    bits : int
        Bits of a code.
    calibration : float or "max"
        What the largest code stands for: the largest absolute value, or this percentile of the absolute values.
    rows : int
        Length of a slice.
    origin : str
        Where the data come from.
    """

    count: int
    minimum: float
    maximum: float
    signed: bool
    zeros: float
    bit_density: float
    bit_density_signmag: float
    per_bit: tuple[float, ...]
    per_bit_signmag: tuple[float, ...]
    histogram: tuple[int, ...]
    zero_slices: float | None
    bits: int
    calibration: Calibration
    rows: int
    origin: str

    @classmethod
    def of(
        cls,
        values: Array | Iterable[Array],
        *,
        origin: str,
        bits: int = 8,
        calibration: Calibration = "max",
        rows: int = 128,
    ) -> Statistics:
        """Quantize values and count.

        Parameters
        ----------
        values : array or iterable of arrays
            Real and finite. Slices take them in the order they stand in, array after array.
        origin : str
            Where they come from.
        bits : int
            Bits of a code, 2 to 16.
        calibration : float or "max"
            A percentile above 0, up to 100, or ``"max"``.
        rows : int
            Length of a slice.

        Raises
        ------
        TraceError
            If there are no values or one is not finite.
        """
        import numpy as np

        check_how(bits, calibration, rows)
        parts = [np.ravel(part) for part in ([values] if isinstance(values, np.ndarray) else values)]
        flat = np.concatenate(parts) if len(parts) != 1 else parts[0]
        if flat.size == 0:
            raise TraceError("there are no values to make statistics of")
        if not np.isfinite(flat).all():
            raise TraceError("a value is infinite or not a number")
        low, high = _shortest(flat.min()), _shortest(flat.max())
        signed = low < 0
        codes = quantize(flat, bits, calibration)
        counts = np.bincount(codes + (1 << bits - 1 if signed else 0), minlength=1 << bits)
        numbers = np.arange(1 << bits) - (1 << bits - 1 if signed else 0)
        width = bits - 1 if signed else bits
        magnitudes = np.minimum(np.abs(numbers), (1 << width) - 1)
        twos = _per_bit(numbers & ((1 << bits) - 1), counts, bits)
        signmag = _per_bit(magnitudes, counts, width)
        return cls(
            count=int(flat.size),
            minimum=low,
            maximum=high,
            signed=bool(signed),
            zeros=_share(counts[numbers == 0].sum() / flat.size),
            bit_density=_share(sum(twos) / bits),
            bit_density_signmag=_share(sum(signmag) / width),
            per_bit=tuple(map(_share, twos)),
            per_bit_signmag=tuple(map(_share, signmag)),
            histogram=_histogram(counts),
            zero_slices=_zero_slices(np.minimum(np.abs(codes), (1 << width) - 1), width, rows),
            bits=bits,
            calibration=calibration,
            rows=rows,
            origin=origin,
        )


def quantize(values: Array, bits: int, calibration: Calibration) -> Array:
    """Return the codes of real values: signed if one is negative, else unsigned; symmetric about 0 either way.

    A code is the value over the step, rounded half to even, and clipped to what the bits hold. The step is what the
    calibration gives over the largest code. Where the percentile is 0 (nearly all values are), it is the maximum.
    """
    import numpy as np

    real = values.astype(np.float64)
    signed = bool(real.min() < 0)
    largest = (1 << bits - 1) - 1 if signed else (1 << bits) - 1
    absolute = np.abs(real)
    reach = 0.0 if calibration == "max" else float(np.percentile(absolute, calibration))
    reach = reach or float(absolute.max()) or 1.0
    codes = np.rint(
        np.clip(real / reach, -2.0, 2.0) * largest
    )  # clipped first: far outliers are no whole numbers
    return np.clip(codes, -largest - 1 if signed else 0, largest).astype(np.int64)


def check_how(bits: int, calibration: Calibration, rows: int) -> None:
    """Check how values are to be quantized and cut into slices.

    Raises
    ------
    TraceError
        If that makes no sense; names the parameter.
    """
    if not 2 <= bits <= MAX_BITS:
        raise TraceError(f"found {bits}, expected 2 to {MAX_BITS} bits", where="bits")
    if calibration != "max" and not 0 < calibration <= 100:
        message = f"found {calibration}, expected max or a percentile above 0, up to 100"
        raise TraceError(message, where="calibration", mend="for example 99.9")
    if rows < 1:
        raise TraceError(f"found {rows}, expected a number of rows from 1", where="rows")


def _per_bit(codes: Array, counts: Array, width: int) -> list[float]:
    """Return the share of ones in each bit of the codes, each of which was seen so many times."""
    total = int(counts.sum())
    return [float((((codes >> bit) & 1) * counts).sum() / total) for bit in range(width)]


def _histogram(counts: Array) -> tuple[int, ...]:
    """Sum the counts of all codes in bins; with fewer codes than bins, bins that no code falls in stay empty."""
    import numpy as np

    bins = np.arange(len(counts)) * BINS // len(counts)
    return tuple(np.bincount(bins, counts, BINS).astype(int).tolist())


def _zero_slices(magnitudes: Array, width: int, rows: int) -> float | None:
    import numpy as np

    slices = magnitudes[: len(magnitudes) // rows * rows].reshape(-1, rows)
    if not len(slices):
        return None
    ones = np.bitwise_or.reduce(slices, axis=1)  # which bits are set in any of the rows
    return _share(sum(1 - ((ones >> bit) & 1).mean() for bit in range(width)) / width)


def _share(value: float) -> float:
    return round(float(value), DECIMALS)


def _shortest(value: float) -> float:
    """Return the shortest number that is the same in 32 bits."""
    import numpy as np

    return float(str(np.float32(value)))
