"""The event queue against ``heapq``: the same events at every instant, and time that never runs backwards."""

from __future__ import annotations

import heapq
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim_core.event_queue import EventQueue

# Gaps between events: none, small, around each power of two (the queue's buckets), seconds in fs.
GAPS = st.one_of(
    st.integers(0, 4),
    st.integers(0, 61).flatmap(lambda bit: st.integers(max(0, 2**bit - 2), 2**bit + 2)),
    st.integers(0, 10**16),
)
ACTIONS = st.lists(st.one_of(st.tuples(st.just("add"), GAPS), st.just(("take", 0))), max_size=120)
LATEST = 2**63 - 2  # 2**63 - 1 stands for "never"


class HeapModel:
    """The same queue with ``heapq``; which event of an instant comes out first is left open."""

    def __init__(self):
        self.heap = []
        self.at = {}  # time -> multiset of payloads
        self.now = 0

    def add(self, time, payload):
        heapq.heappush(self.heap, time)
        self.at.setdefault(time, Counter())[payload] += 1

    def remove(self, time, payload):
        assert heapq.heappop(self.heap) == time, "not the earliest instant"
        assert self.at[time][payload] > 0, "not an event of this instant"
        self.at[time][payload] -= 1
        self.now = time


@settings(deadline=None)
@given(ACTIONS, st.integers(1, 4))
def test_agrees_with_heapq_in_any_order_of_adding_and_taking(actions, capacity):
    queue, model = EventQueue(capacity), HeapModel()
    for payload, (action, gap) in enumerate(actions):
        if action == "add":
            time = min(model.now + gap, LATEST)
            queue.add(time, payload % 7)  # equal payloads too
            model.add(time, payload % 7)
        elif model.heap:
            model.remove(*queue.take())
        assert len(queue) == len(model.heap)
        assert queue.peek() == (model.heap[0] if model.heap else None)
    while model.heap:
        model.remove(*queue.take())
    assert len(queue) == 0
    assert queue.peek() is None


@settings(deadline=None)
@given(st.lists(st.integers(0, LATEST), max_size=60))
def test_takes_times_in_sorted_order(times):
    queue = EventQueue()
    for payload, time in enumerate(times):
        queue.add(time, payload)
    taken = [queue.take() for _ in times]
    assert [time for time, _ in taken] == sorted(times)
    assert sorted(payload for _, payload in taken) == list(range(len(times)))
    assert all(times[payload] == time for time, payload in taken)


def test_events_added_at_the_instant_under_way_belong_to_it():
    queue = EventQueue()
    queue.add(10, 1)
    queue.add(11, 9)
    assert queue.take() == (10, 1)
    queue.add(10, 2)
    queue.add(10, 3)
    assert queue.peek() == 10
    assert {queue.take(), queue.take()} == {(10, 2), (10, 3)}
    assert queue.take() == (11, 9)


def test_looking_ahead_does_not_move_time():
    queue = EventQueue()
    queue.add(1000, 1)
    assert queue.peek() == 1000
    queue.add(5, 2)  # before what was seen, after what was taken
    assert queue.peek() == 5
    assert queue.take() == (5, 2)


def test_grows_from_one_place_and_uses_its_places_again():
    queue = EventQueue(1)
    for round_ in range(3):
        for i in range(1000):
            queue.add(round_ * 10_000 + i * 7 % 1000, i)
        assert len(queue) == 1000
        times = [queue.take()[0] - round_ * 10_000 for _ in range(1000)]
        assert times == list(range(1000))  # 7 and 1000 have no common divisor


def test_payloads_keep_all_their_bits():
    queue = EventQueue()
    for payload in (-(2**63), -1, 0, 2**63 - 1):
        queue.add(3, payload)
    assert {queue.take()[1] for _ in range(4)} == {-(2**63), -1, 0, 2**63 - 1}


def test_the_past_is_refused_and_nothing_changes():
    queue = EventQueue()
    queue.add(20, 1)
    queue.add(30, 2)
    queue.take()
    with pytest.raises(ValueError, match="19 lies before the last instant taken out, 20"):
        queue.add(19, 3)
    assert len(queue) == 1
    assert queue.take() == (30, 2)


def test_a_time_below_zero_is_refused():
    with pytest.raises(ValueError, match="-1 lies before"):
        EventQueue().add(-1, 0)


def test_a_time_beyond_int64_is_refused():
    with pytest.raises(OverflowError):
        EventQueue().add(2**63, 0)


def test_taking_from_an_empty_queue_is_refused():
    queue = EventQueue()
    queue.add(1, 1)
    queue.take()
    with pytest.raises(IndexError, match="empty"):
        queue.take()
