"""Generation on processors: a step takes what one alone with so many tokens in the cache does, and the twin agrees."""

from __future__ import annotations

import itertools

import pytest

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.machine.generation import Generation, Requests
from pimsim.machine.machine import Machine
from pimsim.mapping.lowering.lowering import lower_programs
from pimsim.mapping.planning.generation import plan_generation
from pimsim.run.generate import generate
from pimsim.run.simulate import simulate
from pimsim.trace.bind import bind
from tests.analysis.test_closures import closes
from tests.kinds.processors import processor
from tests.kinds.test_tensor import gpu
from tests.oracle.test_experts import mixture
from tests.oracle.twin_host import GeneratingTwin
from tests.transformers import decoder

SMALL = decoder(1, heads=4, width=32, vocabulary=20)
CHIPS = {"systolic": processor(), "tensor": gpu()}


@pytest.mark.parametrize("chip", CHIPS.values(), ids=CHIPS)
@pytest.mark.parametrize("places", [1, 2])
def test_a_generation_visit_by_visit(chip: Chip, places: int) -> None:
    prompt, tokens, arrivals = 4, 5, [0, 0]
    programs = plan_generation(chip, SMALL, prompt, tokens, requests=2, places=places)
    machine = Machine(programs[0].plan, 2, record=True, programs=programs)
    generation = Generation(machine, Requests(prompt, tokens, tuple(arrivals), places), None)
    machine.run(generation.serve())
    twin = GeneratingTwin(lower_programs(programs), prompt, tokens, arrivals, places, None)
    log = twin.run()
    assert twin.finished
    assert twin.token_times == [sequence.token_fs for sequence in generation.sequences]
    assert sorted(machine.engine.visit_log) == sorted(log)


@pytest.mark.parametrize("chip", CHIPS.values(), ids=CHIPS)
def test_a_step_takes_what_a_step_alone_takes(chip: Chip) -> None:
    """With 400 and with 409 tokens in the cache: the same kernels, but for where they are cut."""
    closes(generate(chip, SMALL, 400, 11))
    programs = plan_generation(chip, SMALL, 400, 11)
    machine = Machine(programs[0].plan, 1, programs=programs)
    generation = Generation(machine, Requests(400, 11, (0,), 1), None)
    machine.run(generation.serve())
    steps = [after - before for before, after in itertools.pairwise(generation.sequences[0].token_fs)]
    for cached, step in ((400, steps[0]), (409, steps[-1])):
        alone = simulate(chip, bind(SMALL, {"batch": 1, "seq": 1, "kv": cached})).latency_fs
        assert step == pytest.approx(alone, rel=0.02)


def test_a_longer_cache_takes_longer_and_more_memory() -> None:
    """Its keys and values are read in each step, and lie in the memory beside the weights."""
    chip = processor({"tile.memory.width_bits": 64})
    short, long = (simulate(chip, bind(SMALL, {"batch": 1, "seq": 1, "kv": kv})) for kv in (64, 1024))
    read = [sum(row["bytes_in"] for row in result.ops) for result in (short, long)]
    assert read[1] - read[0] >= 2 * 960 * 32 * 2  # keys and values, 32 features of two bytes
    assert long.latency_fs > short.latency_fs
    with pytest.raises(MappingError, match=r"tile\.memory\.capacity_kib"):
        generate(processor({"tile.memory.capacity_kib": 300.0}), SMALL, 16, 2000, chips=1)


def test_experts_that_each_token_chooses_are_refused() -> None:
    with pytest.raises(MappingError, match="chooses anew"):
        generate(processor(), mixture(), 3, 4)
