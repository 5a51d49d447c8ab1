"""The critical path charges what a plain tree that forgets nothing does, and forgets what it may."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim_core.critical_path import CriticalPath

LABELS = 4


class PlainTree:
    """Every start there ever was, as (parent, begin, label), and how often each is held."""

    def __init__(self):
        self.nodes = [(None, 0, None)]
        self.held = {0: 1}

    def start(self, parent, begin, label):
        self.nodes.append((parent, begin, label))
        self.held[len(self.nodes) - 1] = 1
        return len(self.nodes) - 1

    def release(self, node):
        self.held[node] -= 1
        if not self.held[node]:
            del self.held[node]

    def way(self, node):
        """The nodes from a node back to time 0, both included."""
        found = []
        while node is not None:
            found.append(node)
            node = self.nodes[node][0]
        return found

    def charges(self, node):
        sums = [0] * LABELS
        for each in self.way(node)[:-1]:
            parent, begin, label = self.nodes[each]
            sums[label] += begin - self.nodes[parent][1]
        return sums

    def needed(self):
        """The nodes still needed: those on the way of a held one, without the stem that all ways share."""
        ways = [self.way(node)[::-1] for node in self.held]
        stem = 0
        while (
            ways[0][stem] not in self.held
            and all(len(way) > stem + 1 for way in ways)
            and len({way[stem + 1] for way in ways}) == 1
        ):
            stem += 1
        return {node for way in ways for node in way[stem:]}, ways[0][stem]


@settings(deadline=None)
@given(st.data(), st.integers(1, 70))
def test_charges_what_a_tree_that_forgets_nothing_charges(data, length):
    plain, compiled = PlainTree(), CriticalPath(LABELS, capacity=2)
    index = {0: 0}  # node of the plain tree -> of the compiled one
    for _ in range(length):
        node = data.draw(st.sampled_from(sorted(plain.held)))
        action = data.draw(st.sampled_from(["start", "start", "start, then release", "keep", "release"]))
        if action.startswith("start"):
            begin = plain.nodes[node][1] + data.draw(st.integers(0, 9))
            label = data.draw(st.integers(0, LABELS - 1))
            index[plain.start(node, begin, label)] = compiled.start(index[node], begin, label)
        elif action == "keep":
            plain.held[node] += 1
            compiled.keep(index[node])
        if action.endswith("release") and sum(plain.held.values()) > 1:
            plain.release(node)
            compiled.release(index[node])
        for held in plain.held:
            charges = compiled.charges(index[held])[0]
            assert charges.tolist() == plain.charges(held)
            assert charges.sum() == plain.nodes[held][1]  # from time 0 to its begin, all of it
        needed, root = plain.needed()
        assert compiled.live == len(needed)
        assert compiled.charges()[0].tolist() == plain.charges(root)
        assert compiled.peak >= compiled.live
        live_indices = [index[node] for node in needed]
        assert len(set(live_indices)) == len(live_indices)  # no place is given out twice


def test_a_long_chain_folds_into_its_totals_as_it_grows():
    path = CriticalPath(2, capacity=2)
    node = path.start(0, 0, 0)
    path.release(0)
    for step in range(1, 50_001):
        following = path.start(node, 3 * step, step % 2)
        path.release(node)
        node = following
        assert path.live <= 2
    assert path.peak <= 3
    assert path.charges(node)[0].tolist() == [75_000, 75_000]  # 3 a step, every second step each


def test_a_held_start_keeps_its_branch_and_letting_go_folds_the_rest():
    path = CriticalPath(3, capacity=2)
    slow = path.start(0, 5, 0)
    node = path.start(slow, 6, 1)
    path.release(0)
    for begin in range(7, 1007):
        following = path.start(node, begin, 1)
        path.release(node)
        node = following
    assert path.live == 1002  # slow and what came of it; time 0 is folded
    assert path.charges(slow)[0].tolist() == [5, 0, 0]
    path.release(slow)
    assert path.live == 1
    assert path.charges()[0].tolist() == path.charges(node)[0].tolist() == [5, 1001, 0]


def test_a_branch_that_nothing_reaches_is_freed_to_the_last_start():
    path = CriticalPath(1, capacity=2)
    node = 0
    for begin in range(1, 1001):  # time 0 stays held: nothing folds, and the places grow
        following = path.start(node, begin, 0)
        if node:
            path.release(node)
        node = following
    assert path.live == 1001
    path.release(node)
    assert path.live == 1


def test_a_start_counts_how_often_it_is_held():
    path = CriticalPath(1)
    node = path.start(0, 4, 0)
    path.keep(node)
    path.release(node)
    assert path.live == 2
    path.release(node)
    assert path.live == 1


def test_charges_are_a_copy_and_int64():
    path = CriticalPath(2)
    node = path.start(0, 2**62, 1)
    charges = path.charges(node)[0]
    assert charges.dtype == np.int64
    charges[:] = 0
    assert path.charges(node)[0].tolist() == [0, 2**62]


@pytest.mark.parametrize("capacity", [0, 1, 2, 3])
def test_any_capacity_to_begin_with(capacity):
    path = CriticalPath(1, capacity)
    nodes = [path.start(0, 1, 0) for _ in range(9)]
    assert len(set(nodes)) == 9
    assert path.live == 10


def test_phases_split_what_spans_them_and_sum_to_the_whole():
    path = CriticalPath(2, capacity=2)
    first = path.start(0, 10, 0)
    path.release(0)
    path.open_phase(15)
    second = path.start(first, 20, 1)  # 5 before the phase began and 5 behind
    path.release(first)
    path.open_phase(30)
    third = path.start(second, 33, 0)
    assert path.charges(third).tolist() == [[10, 5], [10, 5], [3, 0]]
    path.release(second)
    assert path.charges(third).tolist() == [[10, 5], [10, 5], [3, 0]]  # the same once it is folded


def test_stretches_are_the_way_itself_and_follow_one_another():
    path = CriticalPath(3, record=True)
    node = path.start(0, 4, 0)
    path.release(0)
    for begin, label in ((9, 1), (9, 2), (12, 2)):
        following = path.start(node, begin, label)
        path.release(node)
        node = following
    rows = path.stretches(node)[["begin", "end", "label"]].tolist()
    assert rows == [(0, 4, 0), (4, 9, 1), (9, 12, 2)]
