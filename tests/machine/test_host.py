"""Requests one by one: the machine waits for them, and the waiting is charged to the host."""

from __future__ import annotations

import re

import pytest

from pimsim.errors import SimulationError
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim_core.kernel import CAUSES
from tests.random_models import Builder, small_chip

GAP = 50_000_000_000  # 50 us, longer than an inference


def plan():
    model = Builder()
    x = model.conv(model.input(1, 4, 4, 4), 8, (3, 3), pads=(1, 1, 1, 1))
    model.sum(x, model.conv(x, 8, (1, 1)))
    return make_plan(small_chip(), model.trace())


def test_three_requests_at_three_times():
    machine = Machine(plan(), 3)
    alone = Machine(plan(), 1)
    alone.run()
    latency = alone.host.outputs[0]
    assert latency < GAP
    sent = []

    def user():
        for k in range(3):
            yield machine.env.timeout(GAP - machine.env.now % GAP if k else 0)
            sent.append(machine.env.now)
            yield machine.host.request(1)

    machine.env.run(until=machine.env.process(user()))
    assert sent == [0, GAP, 2 * GAP]
    # The machine is idle in between; only the clocks stand otherwise at each request: less than a cycle a visit.
    delays = [out - at for out, at in zip(machine.host.outputs, sent, strict=True)]
    assert delays[0] == latency
    assert all(abs(delay - latency) < latency / 10 for delay in delays)
    charges = machine.engine.charges().sum(axis=0)
    assert charges.sum() == machine.host.outputs[-1] == machine.engine.last_end
    waiting = charges[CAUSES.index("dependence"), machine.parts.index("host")].sum()
    assert waiting == pytest.approx(2 * GAP, abs=3 * latency)
    assert waiting <= 2 * GAP


def test_requests_of_all_at_once_and_one_after_another_at_time_0_are_the_same():
    together, apart = Machine(plan(), 3), Machine(plan(), 3)
    together.run()
    last = [apart.host.request(1) for _ in range(3)][-1]
    apart.env.run(until=last)
    assert apart.host.outputs == together.host.outputs


def test_more_requests_than_the_machine_was_built_for_are_refused():
    machine = Machine(plan(), 2)
    machine.host.request(2)
    with pytest.raises(ValueError, match="3 inferences requested of a machine built for 2"):
        machine.host.request()


def test_a_machine_that_cannot_go_on_names_who_waits_for_what():
    """The second convolution needs 3 rows of 3 pixels of the first; a buffer of one token never holds them."""
    model = Builder()
    x = model.conv(model.input(1, 4, 3, 3), 16, (1, 1))
    model.conv(x, 16, (3, 3))
    small = make_plan(small_chip(), model.trace())
    for number, op in enumerate(small.ops):
        if op.node.name == "conv2":
            for tile in op.buffer_tiles:
                small.places[number, 0, tile] = 1
    with pytest.raises(SimulationError) as caught:
        Machine(small, 1).run()
    text = str(caught.value)
    assert text.startswith("the machine cannot go on at ")
    assert "after 0 of 1 inferences" in text
    # The stream holds one token of the nine that the second one needs, and the first has no room for the next.
    assert re.search(
        r"conv1\.\d+\S* at firing \d+ waits for room in 'conv1 -> conv2 at tile \d' \(all 1 places full\)",
        text,
    )
    assert re.search(
        r"conv2\.0\S* at firing 0 waits for token 9 of 'conv1 -> conv2 at tile \d', which has had 1", text
    )


def test_a_process_that_goes_on_for_ever_does_not_hide_that_the_machine_cannot():
    model = Builder()
    x = model.conv(model.input(1, 4, 6, 6), 8, (3, 3), pads=(1, 1, 1, 1))
    model.conv(x, 8, (3, 3))
    small = make_plan(small_chip(), model.trace())
    for key in small.places:
        small.places[key] = 1
    machine = Machine(small, 1)

    def monitor():
        for _ in range(10_000):
            yield machine.env.timeout(1_000_000)

    machine.env.process(monitor())
    with pytest.raises(SimulationError):
        machine.run()
