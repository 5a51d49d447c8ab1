"""Replication, against every choice that there is."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.mapping.planning.replication import balance, pace_fs

LAYERS = st.lists(st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=4)


@settings(max_examples=300, deadline=None)
@given(LAYERS, st.integers(0, 20))
def test_no_other_choice_within_the_budget_has_a_faster_pace(layers, spare):
    positions, steps, arrays = (list(column) for column in zip(*layers, strict=True))
    budget = sum(arrays) + spare
    chosen = balance(positions, steps, arrays, {"tile": budget}, ["tile"] * len(arrays))
    assert all(1 <= r <= p for r, p in zip(chosen, positions, strict=True))
    assert sum(r * a for r, a in zip(chosen, arrays, strict=True)) <= budget
    everything = itertools.product(*(range(1, p + 1) for p in positions))
    within = (r for r in everything if sum(n * a for n, a in zip(r, arrays, strict=True)) <= budget)
    assert pace_fs(positions, steps, chosen) == min(pace_fs(positions, steps, r) for r in within)


def test_no_copy_is_made_that_would_be_idle():
    """Ten positions in 4 copies take 3 rounds, and so they do in 5, but not in 3 (4 rounds)."""
    assert balance([10], [1], [1], {"tile": 4}, ["tile"]) == [4]
    assert balance([10], [1], [1], {"tile": 5}, ["tile"]) == [5]
    assert balance([10], [1], [1], {"tile": 6}, ["tile"]) == [5]  # 6 copies take 2 rounds as well


def test_each_sites_arrays_are_spent_on_its_own_layers_only():
    """Ten positions in two copies take 5 rounds: with none left of theirs, eight in two (4 rounds) are fast enough.

    The other way round the eight stay at 4 rounds, and the ten, with arrays enough, take 4 copies to be below that.
    """
    assert balance([10, 8], [1, 1], [1, 1], {"a": 2, "b": 100}, ["a", "b"]) == [2, 2]
    assert balance([10, 8], [1, 1], [1, 1], {"a": 100, "b": 2}, ["a", "b"]) == [4, 2]


def test_the_floor_of_something_else_stops_replication():
    assert balance([100], [1], [1], {"tile": 100}, ["tile"], floor_fs=50) == [2]


def test_nothing_on_arrays_has_no_pace():
    assert balance([], [], [], {"tile": 0}, []) == []
    assert pace_fs([], [], []) == 0
