"""Time bins hold what a plain sum over every femtosecond gives, in a number of bins that does not grow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim_core.time_bins import TimeBins

spreads = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3000), st.integers(0, 500), st.floats(0, 100)), max_size=20
)


@settings(deadline=None)
@given(spreads, st.sampled_from([2, 4, 8, 32]))
def test_bins_are_sums_over_their_femtoseconds(amounts, bins):
    compiled = TimeBins(3, bins)
    plain = np.zeros((3, 4096))
    for row, begin, length, amount in amounts:
        compiled.spread(row, begin, begin + length, amount)
        if length:
            plain[row, begin : begin + length] += amount / length
        else:
            plain[row, begin] += amount
    width = compiled.width
    expected = np.zeros((3, bins))
    for b in range(bins):
        expected[:, b] = plain[:, b * width : (b + 1) * width].sum(axis=1)
    assert compiled.rebinned(width) == pytest.approx(expected)
    wider = compiled.rebinned(4 * width)
    assert wider.shape == (3, bins)
    assert wider.sum(axis=1) == pytest.approx(plain.sum(axis=1))
    for b in range(bins // 4):
        assert wider[:, b] == pytest.approx(expected[:, 4 * b : 4 * b + 4].sum(axis=1))


def test_bins_that_nothing_was_added_to_have_the_width_of_any_others():
    """A width of 1 fs against one of hours: no memory for what lies between."""
    bins = TimeBins(2, 8)
    assert bins.rebinned(2**50).tolist() == [[0.0] * 8] * 2
    bins.spread(1, 0, 8, 5.0)
    assert bins.rebinned(2**50).tolist() == [[0.0] * 8, [5.0] + [0.0] * 7]


def test_the_width_doubles_until_time_fits_and_more_than_half_of_the_bins_are_in_use():
    bins = TimeBins(1, 8)
    for time in range(1, 1000):
        bins.spread(0, time - 1, time, 1.0)
        assert bins.width * 8 >= time
        assert bins.width == 1 or bins.width * 4 < time
    assert bins.rebinned(bins.width).sum() == pytest.approx(999)


def test_bins_that_are_wider_than_all_time_so_far_hold_everything_in_the_first():
    """The widest of several tables says the width; one that nothing was added to has kept 1 fs: 2^50 is 18 minutes."""
    empty, early = TimeBins(2, 8), TimeBins(2, 8)
    early.spread(1, 3, 6, 2.0)
    assert empty.rebinned(2**50).tolist() == [[0.0] * 8] * 2
    assert early.rebinned(2**50).tolist() == [[0.0] * 8, [2.0] + [0.0] * 7]


@pytest.mark.parametrize("bins", [0, 1, 3])
def test_an_odd_number_of_bins_is_refused(bins):
    with pytest.raises(ValueError, match="expected an even number from 2"):
        TimeBins(1, bins)
