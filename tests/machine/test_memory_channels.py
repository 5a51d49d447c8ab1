"""Memories whose channels run command by command: what a run of a chip makes of them, beside the same by rate."""

from __future__ import annotations

import json

import pytest

from pimsim.chip import Chip
from pimsim.dram.channel import Channel, serve
from pimsim.dram.load import load_standard
from pimsim.dram.patterns import make_requests
from pimsim.dram.policy import Policy
from pimsim.errors import ConfigError
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Access, Step
from pimsim.report.terminal import to_text
from pimsim.result.result import Result
from pimsim.run.generate import generate
from pimsim.run.simulate import simulate
from pimsim_core.dram_ports import StarvedError

from ..analysis.test_closures import closes
from ..dram.test_port import chip
from ..oracle.test_twin import run_engine
from ..random_models import Builder, small_chip
from ..result.test_promises import PROMISES, run_both
from ..transformers import decoder

COMMAND = {"memory.fidelity": "command"}
MEMORY = {"kind": "memory", "source": "a test", "count": 2, "capacity_gib": 1, "standard": "hbm2"}


def by_cause(result):
    found = {}
    for row in result.attribution:
        found[row["cause"]] = found.get(row["cause"], 0) + row["fs"]
    return found


@pytest.mark.parametrize("name", ["hbm2", "ddr4_2400"])
@pytest.mark.parametrize(("bursts", "firings"), [(2000, 1), (50, 40)])
def test_a_stream_through_a_port_takes_as_long_as_the_memory_on_its_own(name, bursts, firings):
    """Bursts of one visit, or of many that come as soon as they can, are the requests of `pimsim memory`."""
    channel, net = Channel(load_standard(name), Policy()), Netlist()
    port = net.add_resource("m", "memory", channel.period_fs, cause="memory", channel=channel)
    path = net.add_path([Step(port, 0, 0, access=Access(bursts, write=False))])
    net.add_actor("a", "op", path, firings, period=firings, depth=firings, milestone=firings)
    alone = serve(channel.standard, channel.policy, make_requests(channel.standard, "stream", 2000))
    assert run_engine(net).now == alone.cycles * channel.period_fs


def test_a_generation_closes_and_says_what_its_memory_waited_for():
    result = generate(chip("ddr4_2400", **COMMAND), decoder(1, 4, 32), 48, 3, requests=2, places=2)
    closes(result)
    assert by_cause(result)["row_miss"] > 0
    (note,) = [note for note in result.notes if note.startswith("memory:")]
    assert "each port is a channel of ddr4_2400, command by command" in note


def test_the_result_has_what_each_channel_moved_and_lost():
    """Bursts are bytes of what went through the ports; requests come to one thing each; commands fit them."""
    result = generate(chip("ddr4_2400", **COMMAND), decoder(1, 4, 32), 48, 3, requests=2, places=2)
    rows = result.data["memories"]
    assert [row["standard"] for row in rows] == ["ddr4_2400"] * len(rows)
    assert rows
    for row in rows:
        assert row["bursts"] == row["hit"] + row["miss"] + row["conflict"]
        assert row["bursts"] == row["commands"]["RD"] + row["commands"]["WR"]
        assert row["commands"]["ACT"] >= row["miss"] + row["conflict"] > 0
        assert row["commands"]["REF"] == pytest.approx(result.latency_fs / 7_800e6, abs=2)
        assert 0 < row["gb_per_s"] < row["peak_gb_per_s"]
        lost = [row[f"{name}_fs"] for name in ("row_miss", "bank_conflict", "refresh", "turnaround")]
        assert 0 < sum(lost) < result.latency_fs
    text = to_text(result)
    assert "Memories, command by command" in text
    assert max(map(len, text.splitlines())) <= 80
    again = Result(json.loads(json.dumps(result.data)))
    assert again.data["memories"] == rows
    assert "memories" not in generate(chip("ddr4_2400"), decoder(1, 4, 32), 48, 2).data


def test_what_commands_cost_stands_beside_a_streams_energy():
    """O'Connor's energies: 0.11 pJ for each of 8192 bits of a row, and 3.48 for each bit of a burst of 32 bytes."""
    step = decoder(1, 4, 32).bind(batch=1, seq=1, kv=300)
    result = simulate(chip("hbm2", **COMMAND), step, 1)
    total = 0.0
    for row in result.data["memories"]:
        commands = row["commands"]
        expected = 901.12 * commands["ACT"] + 3.48 * 256 * (commands["RD"] + commands["WR"])
        assert row["commands_aj"] == pytest.approx(expected * 1e6)
        total += expected
    assert result.energy_pj["dynamic"]["memory"] == pytest.approx(
        total, rel=0.2
    )  # rows of a short run are not used up


@pytest.mark.parametrize("policy", ["", "page=closed,read_queue=1,write_queue=2", "refresh=none"])
@pytest.mark.parametrize("name", ["ddr4_2400", "hbm3"])
def test_every_promise_is_kept(name, policy):
    """All of `tests/result/test_promises.py`, on a step whose cache is read from memory."""
    step = decoder(1, 4, 32).bind(batch=1, seq=1, kv=300)
    run = run_both(chip(name, **COMMAND, **{"memory.policy": policy}), step)
    assert run is not None
    assert run.result.data["memories"]
    for promise in PROMISES:
        promise(run)


def test_weights_that_come_cold_are_read_from_the_channels():
    """Ports that nothing but the loading of weights uses are channels, too; their rows are opened."""
    model = Builder()
    model.gemm(model.input(1, 64), 96)
    trace = model.trace("one")
    cold = {"core.array.write_ns": 100.0, "sites.memory": {**MEMORY, "fidelity": "command"}}
    result = simulate(small_chip(cold), trace, 1, cold=True)
    closes(result)
    assert by_cause(result)["row_miss"] > 0
    rate = simulate(small_chip({**cold, "sites.memory": MEMORY}), trace, 1, cold=True)
    assert "row_miss" not in by_cause(rate)


def reading_and_writing(policy):
    """The end of three actors that read and write through one port; rows are short, so that they are in the way."""
    channel, net = Channel(load_standard("ddr4_2400", {"columns": 4}), policy), Netlist()
    port = net.add_resource("m", "memory", channel.period_fs, cause="memory", channel=channel)
    for name, bursts, write in (("reads", 300, False), ("writes", 90, True), ("looks", 7, False)):
        path = net.add_path([Step(port, 0, 0, access=Access(bursts, write))])
        net.add_actor(name, name, path, 20, period=20, depth=3, milestone=20)
    return run_engine(net).now


@pytest.mark.parametrize(
    "policy",
    [
        Policy(controller_cycles=9),
        Policy(read_queue=1),
        Policy(write_queue=4, write_high=4, write_low=0),
        Policy(write_high=16),
        Policy(write_low=20),
        Policy(row_hit_cap=1),
        Policy(page="closed"),
        Policy(page="timed", page_timeout=20),
        Policy(refresh="none"),
    ],
    ids=str,
)
def test_every_key_of_the_policy_changes_the_time(policy):
    assert reading_and_writing(policy) != reading_and_writing(Policy())


def test_refresh_that_leaves_no_time_ends_with_a_message():
    busy = load_standard("hbm2", {"refresh.all_bank.interval": "nRFC + 1"})
    channel, net = Channel(busy, Policy()), Netlist()
    port = net.add_resource("m", "memory", channel.period_fs, cause="memory", channel=channel)
    net.add_actor("a", "op", net.add_path([Step(port, 0, 0, access=Access(1000, write=False))]), 1)
    with pytest.raises(StarvedError, match="does refresh leave time for a row to be opened"):
        run_engine(net)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"memory.policy": "page=closed"},
            "policy: found 'page=closed', expected nothing, or 'fidelity: command'",
        ),
        ({**COMMAND, "memory.policy": "page=shut"}, "expected a policy of hbm2: policy: page: found 'shut'"),
        ({**COMMAND, "memory.policy": "read_queue=0"}, "policy: read_queue: found 0"),
        ({"memory.fidelity": "exact"}, "fidelity"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ConfigError) as caught:
        chip("hbm2", **changes)
    assert message in str(caught.value)


def test_commands_without_a_standard_are_refused():
    with pytest.raises(
        ConfigError, match="fidelity: found 'command', expected 'rate', or the key 'standard'"
    ):
        Chip.load("hermes_llm", COMMAND)
