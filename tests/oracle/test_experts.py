"""Oracle: tokens that go to some experts and pass the others by, against the twin and against the traces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pimsim.machine.generation import PROMPT, STEP, Generation, Requests
from pimsim.machine.machine import Machine
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.widths import Widths
from pimsim.mapping.lowering.lowering import lower_programs
from pimsim.mapping.planning.generation import plan_generation, routing_of
from tests.oracle.machines import engine_of
from tests.oracle.test_transformers import small_chip
from tests.oracle.test_twin import check_closure
from tests.oracle.twin import run_twin
from tests.transformers import decoder

ROUTING = {"experts": 4, "top": 2, "seed": 5}
SMALL_ARRAYS = {  # so that experts, and what sends rows to them, lie in several tiles
    "core.array.rows": 16,
    "core.array.columns": 16,
    "core.arrays": 2,
    "core.adc.banks": 1,
    "tile.cores": 2,
    "tile.buffer.capacity_kib": 1,
    "network.energy_per_flit_pj": 1,
}
CHIPS = [
    {},
    {"network.fidelity": "packet"},
    SMALL_ARRAYS,
    {**SMALL_ARRAYS, "network.multicast": True},
    {**SMALL_ARRAYS, "network.reduction": {"lanes": 4, "latency_cycles": 1}},
]
IDS = ["as it is", "by packet", "small arrays", "multicast", "reduction"]


def mixture(layers=1):
    return decoder(layers, heads=4, width=32, vocabulary=20, routing=ROUTING)


def roomy(changes):
    mesh = {"tile.count": 30, "network.topology": {"kind": "mesh", "width": 6, "height": 5}}
    return small_chip(**({**mesh, **changes} if "tile.cores" in changes else changes))


def chosen_for(ends, routes):
    """Which way each inference takes, by selector, from the experts (layers, top) that each goes to."""
    return {
        selector: [int(expert in inference[layer]) for inference in routes]
        for (layer, expert), selector in ends.experts.items()
    }


def compare(lowered, selected):
    """Run a netlist on both; the host allows everything at time 0."""
    engine = engine_of(lowered.net)
    for selector, choices in selected.items():
        for inference, choice in enumerate(choices):
            engine.select(selector, inference, choice)
    while engine.next_time is not None:
        engine.run(deaf=True)
    log, finished = run_twin(lowered.net, selected)
    assert finished
    assert engine.finished
    assert sorted(engine.visit_log) == sorted(log)
    check_closure(engine, lowered.net)
    return engine


@pytest.mark.parametrize("changes", CHIPS, ids=IDS)
def test_steps_to_different_experts_visit_by_visit(changes):
    chip, trace = roomy(changes), mixture()
    programs = plan_generation(chip, trace, 3, 2, requests=5)
    lowered = lower_programs([programs[STEP]])
    routing = routing_of(trace, 3, 2)
    routes = [routing(sequence)[:, 0] for sequence in range(5)]
    assert len({tuple(sorted(route[0])) for route in routes}) > 1
    selected = chosen_for(lowered.ends[0], routes)
    if changes.get("network.multicast"):
        check_casts(lowered.net, set(selected))
    compare(lowered, selected)


def check_casts(net, experts):
    """A packet that branches goes to none or all of its ends: who may be passed by alone gets one of his own."""
    outputs = [[out for out in net.outputs if out.actor == number] for number in range(len(net.actors))]
    for cast in net.casts:
        leaves = {outputs[cast.actor][leaf.output].selector for tree in cast.trees for leaf in tree.leaves}
        assert leaves & experts == {net.actors[cast.actor].selector} & experts
    assert {net.actors[cast.actor].selector for cast in net.casts} & experts
    alone = [out for out in net.outputs if out.selector in experts and net.actors[out.actor].selector is None]
    assert {net.actors[out.actor].op for out in alone} == {"h0.ln2"}
    assert any(step.route is not None for out in alone for step in net.paths[out.path + 1])


@pytest.mark.parametrize("changes", CHIPS, ids=IDS)
def test_a_prompt_that_leaves_experts_idle_visit_by_visit(changes):
    programs = plan_generation(roomy(changes), mixture(), 1, 2, requests=2)
    lowered = lower_programs([programs[PROMPT]])
    assert len(lowered.ends[0].experts) == 2
    compare(lowered, {})


def test_each_step_takes_as_long_as_a_machine_built_for_its_cache_and_experts_alone():
    """Stated before: equal but for the edges that a step begins and ends between, at most two cycles of 1 ns."""
    chip, prompt, tokens = small_chip(), 5, 12
    trace = mixture(2)
    programs = plan_generation(chip, trace, prompt, tokens)
    machine = Machine(programs[0].plan, 1, programs=programs)
    routing = routing_of(trace, prompt, tokens)
    generation = Generation(machine, Requests(prompt, tokens), routing)
    machine.run(generation.serve())
    for number in (0, 1, 5, 10):
        nodes = build(trace.bind(batch=1, seq=1, kv=prompt + number, every_expert=True), Widths(8))
        plan = programs[STEP].plan
        ops = [replace(op, node=node) for op, node in zip(plan.ops, nodes, strict=True)]
        alone = replace(programs[STEP], plan=replace(plan, ops=ops, growth=None), inferences=1)
        lowered = lower_programs([alone])
        selected = chosen_for(lowered.ends[0], [routing(0)[:, number]])
        log, finished = run_twin(lowered.net, selected)
        assert finished
        between = generation.sequences[0].between_fs[number]
        assert max(leave for *_, leave in log) == pytest.approx(between, abs=2_000_000)


@pytest.mark.parametrize(
    "changes", [{}, {**SMALL_ARRAYS, "network.multicast": True}], ids=["plain", "multicast"]
)
def test_who_is_passed_by_holds_no_array_bus_or_port(changes):
    """Of a run of one step, whoever neither prompt nor step goes to is not there but for a cycle of control."""
    chip, trace = roomy(changes), mixture()
    programs = plan_generation(chip, trace, 1, 2)
    machine = Machine(programs[0].plan, 1, programs=programs, record=True)
    routing = routing_of(trace, 1, 2)
    machine.run(Generation(machine, Requests(1, 2), routing).serve())
    net = machine.net
    control = next(n for n, row in enumerate(net.resources) if row.part == "control")
    steps = [{step.resource for step in net.paths[actor.path]} for actor in net.actors]
    went = {(0, expert) for expert in routing(0)[0, 0].tolist()}
    for program, ends in zip(machine.programs, machine.ends, strict=True):
        assert len(ends.experts) == (2 if program is programs[PROMPT] else 4)
    for expert, selector in machine.ends[STEP].experts.items():
        own = [n for n, actor in enumerate(net.actors) if actor.selector == selector]
        assert own
        visits = [row for row in machine.engine.visit_log if row[0] in own and row[3] >= 0]
        if expert in went:
            assert len(visits) > len(own)
        else:  # a visit a firing, none of a packet
            assert [row[2] for row in visits] == [-1] * sum(net.actors[n].firings for n in own)
            assert all(steps[n] == {control} for n in own)
            assert {row[5] - row[4] for row in visits} == {net.resources[control].period_fs}
    assert np.array(list(machine.went.values())).sum() == 2
