"""One clock for two queues: SimPy's processes run beside the engine, and neither overtakes the other."""

from __future__ import annotations

import pytest
import simpy

from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from tests.random_models import Builder, small_chip

LATE = 10**15


def machine(batch: int = 1) -> Machine:
    model = Builder()
    x = model.conv(model.input(1, 4, 4, 4), 8, (3, 3), pads=(1, 1, 1, 1))
    model.relu(x)
    return Machine(make_plan(small_chip(), model.trace()), batch)


def ended(batch: int = 1) -> int:
    """When the machine is through with nobody beside it."""
    alone = machine(batch)
    alone.run()
    return alone.host.outputs[-1]


def test_a_process_with_timeouts_runs_beside_and_changes_nothing():
    beside = machine(2)
    seen = []

    def monitor():
        while True:
            seen.append((beside.env.now, beside.engine.now, beside.engine.firings))
            yield beside.env.timeout(777_777)

    beside.env.process(monitor())
    beside.run()
    assert beside.host.outputs[-1] == ended(2)
    assert [now for now, _, _ in seen] == [777_777 * k for k in range(len(seen))]
    assert len(seen) == ended(2) // 777_777 + 1
    # The engine has not come to the process's instant yet, nor lags behind the one before.
    assert all(core < now for now, core, _ in seen[1:])
    firings = [done for _, _, done in seen]
    assert firings == sorted(firings)
    assert firings[-1] > firings[len(firings) // 2] > 0


def test_simpys_events_of_an_instant_come_before_the_engines():
    """At the instant of the last firing's end, a process still sees it under way, and what ends beside it."""
    last = ended()
    beside = machine()
    seen = []

    def look():
        yield beside.env.timeout(last)
        seen.append((beside.engine.firings, len(beside.host.outputs)))

    beside.env.process(look())
    beside.run()
    beside.env.run(until=last + 1)
    ((firings, outputs),) = seen
    assert firings < beside.firings
    assert outputs == 0
    assert beside.engine.firings == beside.firings
    assert beside.host.outputs == [last]


@pytest.mark.parametrize("at", [0.5, 1.25, 123_456.789])
def test_a_timeout_between_two_femtoseconds_is_no_trap(at):
    beside = machine()
    seen = []

    def look():
        yield beside.env.timeout(at)
        seen.append(beside.env.now)
        yield beside.host.request()

    beside.env.process(look())
    steps = 0
    while not beside.host.outputs:
        beside.env.step()
        steps += 1
        assert steps < 10_000
    assert seen == [at]
    assert beside.host.outputs[0] >= at


def test_run_until_a_time_stops_both_queues_there():
    half = machine()
    half.host.request()
    middle = ended() // 2
    half.env.run(until=middle)
    assert half.env.now == middle
    assert half.engine.now < middle <= half.engine.next_time
    assert 0 < half.engine.firings < half.firings
    half.env.run(until=LATE)
    assert half.host.outputs == [ended()]
    assert half.env.now == LATE


def test_peek_is_the_next_event_of_either_queue():
    it = machine()
    assert it.env.peek() == 0  # every actor looks whether it can start
    it.env.run()
    assert it.env.peek() == float("inf")
    it.env.timeout(7)
    assert it.env.peek() == 7
    it.host.request()
    while it.env.now < 7:
        it.env.step()
    assert it.engine.next_time > 7
    assert it.env.peek() == it.engine.next_time
    it.env.run()
    assert it.env.peek() == float("inf")


def test_nothing_left_to_do_ends_the_run():
    it = machine()
    it.env.run()
    with pytest.raises(simpy.core.EmptySchedule):
        it.env.step()


def test_reached_tells_of_the_past_and_the_future():
    it = machine(2)
    sink = it.ends[0].sinks[0]
    early = it.env.reached(sink, 1)
    it.run()
    assert early.value == it.host.outputs[0]
    assert it.env.reached(sink, 2).value == it.host.outputs[1]
