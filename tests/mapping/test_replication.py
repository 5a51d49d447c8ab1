"""Replication, against every choice that there is."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.mapping.planning.replication import Layer, balance, pace_fs

LAYERS = st.lists(st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=4)


def layers_of(*rows, site="tile"):
    return [
        Layer(positions, step, arrays, site, per_site=100, most=positions) for positions, step, arrays in rows
    ]


@settings(max_examples=300, deadline=None)
@given(LAYERS, st.integers(0, 20))
def test_no_other_choice_within_the_budget_has_a_faster_pace(rows, spare):
    layers = layers_of(*rows)
    budget = sum(layer.arrays for layer in layers) + spare
    chosen = balance(layers, {"tile": budget})
    assert all(1 <= n <= layer.positions for n, layer in zip(chosen, layers, strict=True))
    assert sum(n * layer.arrays for n, layer in zip(chosen, layers, strict=True)) <= budget
    everything = itertools.product(*(range(1, layer.positions + 1) for layer in layers))
    within = (
        numbers
        for numbers in everything
        if sum(n * layer.arrays for n, layer in zip(numbers, layers, strict=True)) <= budget
    )
    assert pace_fs(layers, chosen) == min(pace_fs(layers, numbers) for numbers in within)


def test_no_copy_is_made_that_would_be_idle():
    """Ten positions in 4 copies take 3 rounds, and so they do in 5, but not in 3 (4 rounds)."""
    ten = layers_of((10, 1, 1))
    assert balance(ten, {"tile": 4}) == [4]
    assert balance(ten, {"tile": 5}) == [5]
    assert balance(ten, {"tile": 6}) == [5]  # 6 copies take 2 rounds as well


def test_each_sites_arrays_are_spent_on_its_own_layers_only():
    """Ten positions in two copies take 5 rounds: with none left of theirs, eight in two (4 rounds) are fast enough.

    The other way round the eight stay at 4 rounds, and the ten, with arrays enough, take 4 copies to be below that.
    """
    both = layers_of((10, 1, 1), site="a") + layers_of((8, 1, 1), site="b")
    assert balance(both, {"a": 2, "b": 100}) == [2, 2]
    assert balance(both, {"a": 100, "b": 2}) == [4, 2]


def test_the_floor_of_something_else_stops_replication():
    assert balance(layers_of((100, 1, 1)), {"tile": 100}, floor_fs=50) == [2]


def test_copies_go_on_to_a_further_site_where_the_link_of_one_binds():
    """Sites of 4 arrays share 60 fs of a link: one takes 60, two 30, three 20; the arrays alone would do with less."""
    layer = Layer(8, 5, 1, "tile", per_site=4, most=8, port_fs=60)
    assert [layer.time_fs(n) for n in (1, 4, 5, 8)] == [60, 60, 30, 30]
    assert layer.next(4) == 5
    assert balance([layer], {"tile": 4}) == [1]  # more copies in one site would be idle
    assert balance([layer], {"tile": 8}) == [5]


def test_what_a_site_takes_in_whole_is_not_shared():
    layer = Layer(8, 5, 1, "tile", per_site=1, most=8, tensor_fs=30)
    assert balance([layer], {"tile": 8}) == [2]  # 4 rounds of 5 fs are below 30


def test_no_more_stripes_than_pay_for_what_the_host_sends_twice():
    """A site more takes a fifth of the input again: it gets no faster once that takes longer than the arrays."""
    layer = Layer(60, 1, 1, "tile", per_site=1, most=60, host_fs=10, again=0.2)
    chosen = balance([layer], {"tile": 60})
    times = [layer.time_fs(n) for n in range(1, 61)]
    assert times[chosen[0] - 1] == min(times)


def test_nothing_on_arrays_has_no_pace():
    assert balance([], {"tile": 0}) == []
    assert pace_fs([], []) == 0
