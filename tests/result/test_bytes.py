"""Are the bytes that ops send each other those of their tokens, and does a visit that did not take place bring any?

Oracle: tokens by tokens, their bits times the inferences that were run, from the netlist before anything moves.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from pimsim.chip import Chip
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.netlist.rows import HOST, Carried
from pimsim.result.ops import WAYS, op_rows
from pimsim.trace import Trace


def bytes_by_tokens(net, batch):
    """What each op sends and gets: the tokens of each output in each inference, as wide as its stream says."""
    readers = {row.stream: net.actors[row.actor].op for row in net.inputs}
    found = defaultdict(lambda: dict.fromkeys(WAYS, 0.0))
    outputs = defaultdict(list)
    for out in net.outputs:
        outputs[out.actor].append(out)
        size = int(np.count_nonzero(net.tables[out.token] >= 0)) * net.streams[out.stream].bits * batch / 8
        if out.path is None:
            assert size == 0 or net.actors[out.actor].op == HOST
            continue
        sender, reader = net.actors[out.actor].op, readers[out.stream]
        found[sender]["bytes_out"] += size
        found[reader]["bytes_in"] += size
        links = [net.resources[step.resource].link for step in net.paths[out.path]]
        if out.cast is not None or any(link is not None for link in links):
            found[reader]["network_bytes_in"] += size
            if out.cast is None:
                found[sender]["network_bytes_out"] += size
    for cast in net.casts:
        for number in net.tables[cast.tree]:
            if number >= 0:
                leaf = cast.trees[number].leaves[0]
                bits = net.streams[outputs[cast.actor][leaf.output].stream].bits
                found[net.actors[cast.actor].op]["network_bytes_out"] += bits * batch / 8
    return found


@pytest.mark.parametrize("multicast", [False, True])
@pytest.mark.parametrize("chip", ["hermes64", "isaac"])
def test_visits_bring_the_bytes_of_all_tokens(chip, multicast):
    plan = make_plan(Chip.load(chip, {"network.multicast": multicast}), Trace.load("digits_cnn"))
    machine = Machine(plan, batch=3)
    machine.run()
    expected = bytes_by_tokens(machine.net, 3)
    for row in op_rows(machine, []):
        assert {way: row[way] for way in WAYS} == expected[row["op"]], row["op"]
    assert sum(each["bytes_in"] for each in expected.values()) > 0


def test_what_has_not_been_sent_yet_is_not_counted():
    """Half of a run brings half of the bytes, but for what other inferences have under way."""
    plan = make_plan(Chip.load("isaac"), Trace.load("digits_cnn"))
    machine = Machine(plan, batch=2)
    counts = []
    for _ in range(2):
        machine.env.run(until=machine.host.request())
        counts.append(sum(n * each.bits for each, n in machine.tallied() if isinstance(each, Carried)))
    whole = sum(each["bytes_in"] for each in bytes_by_tokens(machine.net, 1).values())
    assert 0.9 * 8 * whole < counts[0] <= 8 * whole  # pixels that no output waits for may be on their way
    assert 1.8 * 8 * whole < counts[1] <= 16 * whole
