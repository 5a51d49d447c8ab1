"""Oracle: attention, caches and generation agree with the twin, which knows nothing of caches that grow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pimsim.chip import Chip
from pimsim.machine.generation import STEP, Generation, Requests
from pimsim.machine.machine import Machine
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.widths import Widths
from pimsim.mapping.lowering.lowering import lower
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.generation import plan_generation
from pimsim.mapping.planning.stationary import MEMORY
from tests.oracle.test_lowered import compare
from tests.oracle.twin import run_twin
from tests.transformers import decoder

NARROW = {"tile.buffer.capacity_kib": 6}  # too little for 200 tokens of a head
BINDINGS = [
    {"batch": 1, "seq": 6, "kv": 0},
    {"batch": 1, "seq": 1, "kv": 9},
    {"batch": 2, "seq": 3, "kv": 4},
]


def small_chip(name="hermes_llm", **changes):
    """Six tiles are enough, and the twin is slow."""
    mesh = {"tile.count": 6, "network.topology": {"kind": "mesh", "width": 3, "height": 2}}
    return Chip.from_dict(Chip.load(name).to_dict(), {**mesh, **changes})


@pytest.mark.parametrize("binding", BINDINGS, ids=str)
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_a_decoder_visit_by_visit(binding, kv_heads):
    trace = decoder(1, heads=4, width=32, vocabulary=20, kv_heads=kv_heads)
    compare(small_chip(), trace.bind(**binding), 1)


@pytest.mark.parametrize("binding", BINDINGS, ids=str)
@pytest.mark.parametrize("skips", [False, True])
def test_causal_attention_visit_by_visit(binding, skips):
    trace = decoder(1, heads=4, width=32, vocabulary=20, kv_heads=2, causal=True)
    compare(small_chip(**{"tile.digital.matrix.skips_masked": skips}), trace.bind(**binding), 1)


@pytest.mark.parametrize("seq", [1, 5])
def test_a_cache_off_the_chip_visit_by_visit(seq):
    trace = decoder(1, heads=4, width=64, vocabulary=20).bind(batch=1, seq=seq, kv=200)
    chip = small_chip(**NARROW)
    assert MEMORY in {op.held_in for op in make_plan(chip, trace).ops}
    compare(chip, trace, 1)


@pytest.mark.parametrize(("changes", "prompt"), [({}, 5), (NARROW, 200)])
def test_each_step_takes_as_long_as_a_machine_built_for_its_cache_alone(changes, prompt):
    """The costs that the host changes from token to token, against a netlist with that step's sizes and the twin.

    Stated before: equal but for the edges that a step begins and ends between, at most two cycles of 1 ns.
    """
    chip, tokens = small_chip(**changes), 60
    trace = decoder(1, heads=4, width=64, vocabulary=20)
    programs = plan_generation(chip, trace, prompt, tokens)
    machine = Machine(programs[0].plan, 1, programs=programs)
    generation = Generation(machine, Requests(prompt, tokens))
    machine.run(generation.serve())
    between = generation.sequences[0].between_fs
    assert between[-1] > between[0]
    for number in (0, 1, 31, 58):
        nodes = build(trace.bind(batch=1, seq=1, kv=prompt + number), Widths(8))
        plan = programs[STEP].plan
        ops = [replace(op, node=node) for op, node in zip(plan.ops, nodes, strict=True)]
        log, finished = run_twin(lower(replace(plan, ops=ops, growth=None), 1).net)
        assert finished
        assert max(leave for *_, leave in log) == pytest.approx(between[number], abs=2_000_000)
