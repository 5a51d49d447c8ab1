"""Stripes of columns: every position once, all copies as many, neighbours together, all busy with the same rows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.layout import Layout
from pimsim.mapping.planning.curve import curve
from pimsim.mapping.planning.stripes import are_striped, reach, stripes


def node(images, high, wide):
    layout = Layout((images, 3, high, wide), (0, 2, 3))
    each = np.arange(layout.positions)
    return Node("op", "Conv", None, layout.positions, 3, layout.positions, each, 1.0, layout)


SIZES = st.tuples(st.integers(1, 2), st.integers(1, 12), st.integers(1, 12))


@settings(max_examples=300, deadline=None)
@given(SIZES, st.data())
def test_every_position_is_in_one_stripe_and_all_have_as_many(sizes, data):
    op = node(*sizes)
    copies = data.draw(st.integers(1, op.positions))
    parts = stripes(op, copies)
    assert bool(parts) == (copies > 1 and are_striped(op))
    if parts:
        assert sorted(np.concatenate(parts).tolist()) == list(range(op.positions))
        assert {len(part) for part in parts} <= {op.positions // copies, -(-op.positions // copies)}
        assert all((np.diff(part) > 0).all() for part in parts)


@settings(max_examples=300, deadline=None)
@given(st.tuples(st.just(1), st.integers(2, 12), st.integers(2, 12)), st.data())
def test_a_stripe_is_no_wider_than_its_share_and_a_column_at_each_side(sizes, data):
    """Of `W` columns in `R` stripes each has `W / R`; in another row it begins and ends up to a column elsewhere."""
    op = node(*sizes)
    copies = data.draw(st.integers(2, op.positions))
    wide = sizes[2]
    for part in stripes(op, copies):
        columns = part % wide
        assert columns.max() - columns.min() + 1 <= wide / copies + 2


@settings(max_examples=300, deadline=None)
@given(st.tuples(st.just(1), st.integers(2, 12), st.integers(2, 12)), st.data())
def test_copies_are_never_far_apart(sizes, data):
    """At any time all copies have done as many positions, but for one: so they are at most `reach` positions apart."""
    op = node(*sizes)
    copies = data.draw(st.integers(2, op.positions))
    parts = stripes(op, copies)
    fewest = min(len(part) for part in parts)
    for done in range(fewest):
        at = [part[done] for part in parts]
        assert max(at) - min(at) <= 2 * reach(op, copies)


def test_rows_of_tokens_have_no_columns():
    layout = Layout((1, 7, 5), (0, 1))
    tokens = Node("op", "MatMul", None, 7, 5, 7, np.arange(7), 1.0, layout)
    assert stripes(tokens, 3) == ()
    assert not are_striped(tokens)
    assert reach(tokens, 3) == 6  # two each


def test_fourteen_columns_in_four_stripes():
    """Worked by hand: 3.5 columns each, so a row gives 3 and the next one 4, and two rows give 7."""
    parts = stripes(node(1, 2, 14), 4)
    assert [len(part) for part in parts] == [7, 7, 7, 7]
    assert parts[0].tolist() == [0, 1, 2, 14, 15, 16, 17]


def test_the_curve_goes_through_every_place_of_any_rectangle():
    for wide in range(1, 20):
        for high in range(1, 20):
            places = curve(wide, high)
            assert sorted(places) == [(x, y) for x in range(wide) for y in range(high)]
            steps = [(abs(a - c), abs(b - d)) for (a, b), (c, d) in pairwise(places)]
            assert steps.count((1, 1)) <= 1
            assert all(step in ((0, 1), (1, 0), (1, 1)) for step in steps)


def test_the_curve_of_a_square_of_four_is_hilberts():
    assert curve(2, 2) == [(0, 0), (0, 1), (1, 1), (1, 0)]
