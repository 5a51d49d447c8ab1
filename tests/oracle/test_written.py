"""Oracle: right matrices written into arrays agree with the twin, visit by visit and step by step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pimsim.machine.generation import STEP, Generation, Requests
from pimsim.machine.machine import Machine
from pimsim.mapping.dataflow import build
from pimsim.mapping.generation import plan_generation
from pimsim.mapping.lowering import lower
from pimsim.mapping.plan import ARRAYS
from pimsim.mapping.planner import make_plan
from tests.oracle.test_reload import agree
from tests.oracle.test_transformers import small_chip
from tests.oracle.twin import run_twin
from tests.transformers import decoder

WRITE = {"products": "write", "core.array.write_ns": 40}
BINDINGS = [
    {"batch": 1, "seq": 6, "kv": 0},
    {"batch": 2, "seq": 3, "kv": 0},
    {"batch": 2, "seq": 3, "kv": 4},
    {"batch": 1, "seq": 1, "kv": 400},
]


@pytest.mark.parametrize("binding", BINDINGS, ids=str)
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_a_decoder_visit_by_visit(binding, kv_heads):
    """With 400 tokens before, values take two arrays from top to bottom, whose sums a digital unit adds."""
    trace = decoder(1, heads=4, width=64, vocabulary=20, kv_heads=kv_heads).bind(**binding)
    plan = make_plan(small_chip(**WRITE), trace)
    assert {op.held_in for op in plan.ops if op.node.right is not None} == {ARRAYS}
    agree(plan, 2)


def test_arrays_that_share_converters_are_set_aside_by_whole_banks():
    chip = small_chip(**WRITE, **{"core.adc.banks": 16})
    plan = make_plan(chip, decoder(1, heads=4, width=64, vocabulary=20).bind(**BINDINGS[0]))
    agree(plan, 1)


def test_each_step_takes_as_long_as_a_machine_built_for_its_cache_alone():
    """Stated before: equal but for the edges that a step begins and ends between, at most two cycles of 1 ns."""
    chip, prompt, tokens = small_chip(**WRITE), 300, 60
    trace = decoder(1, heads=4, width=64, vocabulary=20)
    programs = plan_generation(chip, trace, prompt, tokens)
    machine = Machine(programs[0].plan, 1, programs=programs)
    generation = Generation(machine, Requests(prompt, tokens))
    machine.run(generation.serve())
    between = generation.sequences[0].between_fs
    for number in (0, 1, 31, 58):
        nodes = build(trace.bind(batch=1, seq=1, kv=prompt + number))
        plan = programs[STEP].plan
        ops = [replace(op, node=node) for op, node in zip(plan.ops, nodes, strict=True)]
        log, finished = run_twin(lower(replace(plan, ops=ops, growth=None), 1).net)
        assert finished
        assert max(leave for *_, leave in log) == pytest.approx(between[number], abs=2_000_000)
