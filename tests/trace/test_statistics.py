"""Statistics of values: by formula on cases worked out by hand, and laws that hold for all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pimsim.errors import TraceError
from pimsim.trace.observed import Statistics, quantize


def of(*values: float, **how: object) -> Statistics:
    return Statistics.of(np.array(values, np.float32), origin="test", **how)  # type: ignore[arg-type]


def test_signed_values_by_hand() -> None:
    """127/127 is a step of 1: codes 0, 1, -1, 127 of 8 bits."""
    found = of(0, 1, -1, 127)
    assert (found.count, found.minimum, found.maximum, found.signed) == (4, -1.0, 127.0, True)
    assert found.zeros == 0.25
    assert found.bit_density == pytest.approx((0 + 1 + 8 + 7) / (4 * 8))  # -1 is 1111 1111
    assert found.bit_density_signmag == pytest.approx((0 + 1 + 1 + 7) / (4 * 7), abs=1e-6)
    assert found.per_bit == (0.75, *[0.5] * 6, 0.25)
    assert found.per_bit_signmag == (0.75, *[0.25] * 6)
    histogram = [0] * 16
    histogram[7], histogram[8], histogram[15] = 1, 2, 1  # bins of 16 codes from -128 on
    assert found.histogram == tuple(histogram)


def test_values_that_are_not_negative_use_all_bits_for_magnitude() -> None:
    found = of(0, 1, 255)
    assert found.signed is False
    assert found.bit_density == found.bit_density_signmag == pytest.approx((0 + 1 + 8) / (3 * 8))
    assert found.per_bit == found.per_bit_signmag
    assert len(found.per_bit_signmag) == 8
    assert found.histogram == (2, *[0] * 14, 1)


def test_zero_slices_by_hand() -> None:
    """Rows of 2: (1, 0), (2, 2), (3, 0); of bits 0 and 1, one is zero in the first two; the odd value is left over."""
    found = of(1, 0, 2, 2, 3, 0, 3, bits=2, rows=2)
    assert found.zero_slices == pytest.approx(2 / 6, abs=1e-6)
    assert of(1, 0, 3, bits=2, rows=4).zero_slices is None


def test_arrays_follow_each_other() -> None:
    parts = [np.array([[1.0], [0.0]]), np.array([2.0, 2.0])]
    whole = Statistics.of(np.array([1.0, 0, 2, 2]), origin="test", rows=2)
    assert Statistics.of(parts, origin="test", rows=2) == whole


def test_a_percentile_clips_what_is_beyond() -> None:
    """-128 is a code of its own in two's complement; as a magnitude it is cut to 127."""
    values = np.array([*np.linspace(-1, 1, 201), -50, 50])
    codes = quantize(values, 8, 99.0)
    step = np.percentile(np.abs(values), 99.0) / 127
    assert codes.min() == -128
    assert codes.max() == 127
    assert codes[0] == round(-1 / step)
    found = Statistics.of(values, origin="test", calibration=99.0)
    assert (found.minimum, found.maximum) == (-50, 50)
    assert found.histogram[0] + found.histogram[-1] >= 2


def test_a_percentile_of_zero_falls_back_on_the_maximum() -> None:
    values = np.zeros(1000)
    values[0] = 4.0
    assert quantize(values, 8, 99.0)[0] == 255


def test_nothing_but_zeros() -> None:
    found = of(0, 0, 0, rows=3)
    assert (found.zeros, found.bit_density, found.zero_slices) == (1.0, 0.0, 1.0)


def test_rounding_is_half_to_even() -> None:
    assert quantize(np.array([0.5, 1.5, 2.5, 255]), 8, "max").tolist() == [0, 2, 2, 255]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"bits": 1}, "bits: found 1, expected 2 to 16 bits"),
        ({"bits": 17}, "bits: found 17"),
        ({"calibration": 0.0}, "calibration: found 0.0, expected max or a percentile"),
        ({"calibration": 100.5}, "calibration: found 100.5"),
        ({"calibration": float("nan")}, "calibration: found nan"),
        ({"rows": 0}, "rows: found 0"),
    ],
)
def test_how_is_checked(how: dict[str, object], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        of(1.0, **how)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_must_be_finite(value: float) -> None:
    with pytest.raises(TraceError, match="infinite or not a number"):
        of(1.0, value)


def test_there_must_be_values() -> None:
    with pytest.raises(TraceError, match="no values"):
        of()


VALUES = arrays(
    np.float32,
    st.integers(1, 200),
    elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False),
)


@settings(deadline=None, max_examples=150)
@given(
    values=VALUES,
    positive=st.booleans(),
    bits=st.integers(2, 12),
    calibration=st.sampled_from(["max", 50.0, 99.9, 100.0]),
    rows=st.integers(1, 64),
)
def test_laws(values: np.ndarray, positive: bool, bits: int, calibration: float | str, rows: int) -> None:
    values = np.abs(values) if positive else values
    found = of(*values.tolist(), bits=bits, calibration=calibration, rows=rows)
    codes = quantize(values, bits, calibration)  # type: ignore[arg-type]
    width = bits - 1 if found.signed else bits
    assert found.signed == bool((values < 0).any())
    assert sum(found.histogram) == found.count == len(values)
    assert found.zeros == pytest.approx(np.mean(codes == 0), abs=1e-6)
    assert found.bit_density == pytest.approx(np.mean(found.per_bit), abs=2e-6)
    assert found.bit_density_signmag == pytest.approx(np.mean(found.per_bit_signmag), abs=2e-6)
    assert (len(found.per_bit), len(found.per_bit_signmag)) == (bits, width)
    twos = [[int(bit) for bit in format(int(code) % 2**bits, f"0{bits}b")] for code in codes]
    assert found.per_bit == pytest.approx(np.mean(twos, axis=0)[::-1], abs=1e-6)
    magnitudes = np.minimum(np.abs(codes), 2**width - 1)
    slices = [
        not any((int(code) >> bit) & 1 for code in magnitudes[start : start + rows])
        for start in range(0, len(values) - rows + 1, rows)
        for bit in range(width)
    ]
    if slices:
        assert found.zero_slices == pytest.approx(np.mean(slices), abs=1e-6)
    else:
        assert found.zero_slices is None
    if found.zero_slices is not None and rows == 1:
        assert found.zero_slices == pytest.approx(1 - found.bit_density_signmag, abs=2e-6)


@settings(deadline=None, max_examples=60)
@given(values=VALUES, bits=st.integers(2, 16))
def test_a_code_is_within_half_a_step(values: np.ndarray, bits: int) -> None:
    real = values.astype(np.float64)
    codes = quantize(values, bits, "max")
    largest = 2 ** (bits - 1) - 1 if (real < 0).any() else 2**bits - 1
    step = np.abs(real).max() / largest
    assert np.all(np.abs(codes * step - real) <= step / 2 * (1 + 1e-9))
    assert np.abs(codes).max(initial=0) in (0, largest)
