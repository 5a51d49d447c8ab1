"""Oracle: channels behind ports agree with the plain controller on SimPy's clock, in every start and end."""

from __future__ import annotations

import os
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.chip import Chip
from pimsim.dram.channel import Channel
from pimsim.dram.load import load_standard
from pimsim.dram.policy import Policy
from pimsim.machine.machine import Machine
from pimsim.mapping.lowering.lowering import lower
from pimsim.mapping.mapper import make_plan
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Access, Step
from pimsim.result.freeze import freeze
from pimsim.run.experiment import Experiment
from pimsim.run.options import Options
from pimsim_core.engine import CAUSES
from tests.dram.test_port import NULLS, SMALL
from tests.oracle.machines import connect
from tests.oracle.test_lowered import agree
from tests.oracle.test_reload import TINY, with_writes
from tests.oracle.test_twin import check_closure, run_engine
from tests.oracle.twin import run_twin
from tests.result.test_promises import PROMISES, Run
from tests.transformers import decoder

EXAMPLES = int(os.environ.get("PIMSIM_DRAM_PORT_EXAMPLES", "25"))
STANDARDS = ["ddr4_2400", "hbm2"]
POLICIES = [
    Policy(read_queue=2, write_queue=2, write_high=2, write_low=0),
    Policy(read_queue=8, write_queue=8, write_high=8, page="timed", page_timeout=30, row_hit_cap=1),
    Policy(read_queue=4, refresh="none", controller_cycles=3),
]


@cache
def standard(name):
    """One that is refreshed so often that a run of some microseconds meets it, and whose rows are soon over."""
    short = {"refresh.all_bank.interval": "nRFC + 400", "columns": 4}
    return load_standard(name, short)


@st.composite
def machines(draw):
    """Draw two or three ops in a row whose firings read and write in one or two channels."""
    net = Netlist()
    number = st.integers
    unit = net.add_resource("unit", "unit", 250_000)
    ports = []
    for each in range(draw(number(1, 2))):
        channel = Channel(standard(draw(st.sampled_from(STANDARDS))), draw(st.sampled_from(POLICIES)))
        ports.append(
            net.add_resource(f"m{each}", "memory", channel.period_fs, cause="memory", channel=channel)
        )

    def access():
        port = draw(st.sampled_from(ports))
        asked = Access(draw(st.sampled_from([1, 2, 5, 20])), draw(st.booleans()))
        channel = net.resources[port].channel
        held, after = channel.least_cycles(*asked)
        return Step(port, held * channel.period_fs, after * channel.period_fs, access=asked)

    def path(least):
        steps = [access() for _ in range(draw(number(0, 2)))]
        if least or draw(st.booleans()):
            steps.append(Step(unit, 250_000 * draw(number(1, 40)), 250_000 * draw(number(1, 40))))
        return net.add_path(steps) if steps else None

    inferences, ops = draw(number(1, 2)), []
    for op in range(draw(number(2, 3))):
        positions = draw(number(1, 3))
        replicas = draw(number(1, min(2, positions)))
        actors = []
        for replica in range(replicas):
            own = len(range(replica, positions, replicas))
            name, firings, depth = f"op{op}.{replica}", own * inferences, draw(number(1, 3))
            actors.append(
                net.add_actor(name, f"op{op}", path(1), firings, period=own, depth=depth, milestone=1)
            )
        ops.append((actors, positions))
    for producer, consumer in pairwise(ops):
        connect(draw, net, producer, consumer, lambda: path(0))
    return net


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(machines())
def test_engine_agrees_with_the_plain_controller(net):
    engine = run_engine(net)
    log, finished = run_twin(net)
    assert sorted(engine.visit_log) == sorted(log)
    assert engine.finished == finished
    check_closure(engine, net)
    for row, held in zip(net.resources, engine.resource_figures()[1], strict=True):
        assert held <= row.servers * engine.now


@pytest.mark.parametrize("name", ["ddr4_2400", "hbm2"])
def test_a_decoder_whose_caches_lie_in_memory_agrees(name):
    chip = Chip.load("hermes_llm", {**SMALL, **NULLS, "memory.standard": name, "memory.fidelity": "command"})
    plan = make_plan(chip, decoder(1, 4, 32).bind(batch=1, seq=1, kv=400))
    rows = lower(plan, 1).net.resources
    visits = agree(plan, 1).resource_figures()[0]
    assert all(visits[number] for number, row in enumerate(rows) if row.channel is not None)
    assert sum(row.channel is not None for row in rows) > 1


def test_rounds_whose_weights_and_tokens_go_through_channels_agree_and_keep_every_promise():
    """Reads of weights and of what earlier rounds have written, and writes, through two channels."""
    memory = {"kind": "memory", "count": 2, "capacity_gib": 1, "standard": "hbm2", "fidelity": "command"}
    chip = with_writes(Chip.load("hermes_llm"), **TINY, **{"sites.memory": memory})
    trace = decoder(2, heads=4, width=64, vocabulary=20).bind(batch=1, seq=2, kv=0)
    plan = make_plan(chip, trace, chips=1, reload=True)
    assert plan.rounds == 2
    agree(plan, 1)
    one, two = Machine(plan, 1), Machine(plan, 2)
    one.run()
    two.run()
    asked = Experiment(chip, trace, Options(batch=2, chips=1, reload=True))
    run = Run(two, trace, freeze(two, trace, two, asked.identity), one.host.outputs[-1])
    for promise in PROMISES:
        promise(run)
    assert sum(row["commands"]["WR"] for row in run.result.data["memories"]) > 0


def lone(accesses, gap=0):
    """One actor whose firing does these accesses, one after another."""
    channel, net = Channel(load_standard("ddr4_2400"), Policy()), Netlist()
    port = net.add_resource("m", "memory", channel.period_fs, cause="memory", channel=channel)
    unit = net.add_resource("unit", "unit", channel.period_fs)
    steps = []
    for access in accesses:
        if gap:
            steps.append(Step(unit, gap * channel.period_fs, gap * channel.period_fs))
        steps.append(Step(port, 0, 0, access=access))
    net.add_actor("a", "op", net.add_path(steps), 1, milestone=1)
    engine = run_engine(net)
    sums = engine.charges().sum(axis=(0, 2, 3)) // channel.period_fs
    return channel.standard.cycles, {cause: int(n) for cause, n in zip(CAUSES, sums, strict=True) if n}


def test_a_lone_read_takes_its_row_and_its_data():
    """RCD, and CL with a burst: `docs/memory.md`, a lone read from a closed bank."""
    n, found = lone([Access(1, False)])
    assert found == {"row_miss": n["nRCD"], "memory": n["nCL"] + n["nBL"]}


def test_a_read_behind_a_refresh_waits_for_it():
    """It comes when a refresh has just begun: what is left of tRFC, then as ever."""
    standard = load_standard("ddr4_2400")
    late = 10
    n, found = lone([Access(1, False)], gap=standard.of(standard.refresh["all_bank"].interval) + late)
    assert found == {
        "compute": n["nREFI"] + late,
        "refresh": n["nRFC"] - late,
        "row_miss": n["nRCD"],
        "memory": n["nCL"] + n["nBL"],
    }
