"""What every result promises, on the shipped transformers and on decoders that generate."""

from __future__ import annotations

import pytest

from pimsim.chip import Chip
from pimsim.machine.generation import Generation, Requests
from pimsim.machine.machine import Machine
from pimsim.mapping.planning.generation import plan_generation
from pimsim.result.freeze import freeze
from pimsim.run.experiment import Experiment
from pimsim.run.options import Options
from pimsim.trace import Trace
from tests.result import test_promises as promises
from tests.transformers import decoder

CHIPS = ["isaac", "puma", "hermes64", "hermes_llm"]
BOUND = {  # short, since every inference is flit by flit
    "bert_base": {"batch": 1, "seq": 16},
    "gpt2": {"batch": 1, "seq": 16, "kv": 16},
    "vit_b16": {"batch": 1},
    "whisper_tiny": {"batch": 1, "seq": 16},
}
# All but those of a batch of equal inferences, which count outputs, firings and positions.
OF_BATCHES = {
    promises.all_work_is_done,
    promises.positions_are_dealt_out,
    promises.outputs_come_in_order,
    promises.more_inferences_take_longer,
}
GENERATED = [promise for promise in promises.PROMISES if promise not in OF_BATCHES]


@pytest.mark.parametrize("name", [*BOUND, "minilm"])
def test_a_transformer_keeps_every_promise(name: str) -> None:
    trace = Trace.load(name)
    run = promises.run_both(Chip.load("hermes_llm"), trace.bind(BOUND[name]) if name in BOUND else trace)
    assert run is not None
    for promise in promises.PROMISES:
        promise(run)


def generated(chip: Chip, trace: Trace, prompt: int, tokens: int, requests: int, places: int) -> promises.Run:
    """Generate as `pimsim.generate` does, and keep the machine."""
    programs = plan_generation(chip, trace, prompt, tokens, requests=requests, places=places)
    machine = Machine(programs[0].plan, requests, programs=programs)
    generation = Generation(machine, Requests(prompt, tokens, (0,) * requests, places))
    machine.run(generation.serve())
    options = Options(prompt=prompt, tokens=tokens, requests=requests, places=places)
    result = freeze(machine, trace, machine, Experiment(chip, trace, options).identity)
    first = max(sequence.first_token_fs for sequence in generation.sequences)
    return promises.Run(machine, trace, result, first)


def macs_of(trace: Trace, prompt: int, tokens: int, logits: int) -> int:
    """Of a sequence: a prompt's logits are those of its last token; each step has one more token in its cache."""
    macs = trace.bind(batch=1, seq=prompt, kv=0).macs - (prompt - 1) * logits
    return macs + sum(trace.bind(batch=1, seq=1, kv=prompt + n).macs for n in range(tokens - 1))


@pytest.mark.parametrize(("requests", "places"), [(1, 1), (3, 2)])
@pytest.mark.parametrize("name", CHIPS)
def test_generation_keeps_every_promise_on_every_preset(name: str, requests: int, places: int) -> None:
    prompt, tokens, words = 12, 4, 100
    trace = decoder(vocabulary=words)
    run = generated(Chip.load(name), trace, prompt, tokens, requests, places)
    for promise in GENERATED:
        if (
            requests == 1 or promise is not promises.phases_and_interval_close
        ):  # many sequences have no phases
            promise(run)
    assert run.machine.engine.firings_done().tolist() == [a.firings for a in run.machine.net.actors]
    assert run.result.macs == requests * macs_of(trace, prompt, tokens, 64 * words)
    assert len(run.result.outputs_fs) == requests


def test_generation_with_its_cache_in_the_memory_keeps_every_promise() -> None:
    chip = Chip.load("hermes_llm", ("tile.buffer.capacity_kib=6",))
    run = generated(chip, decoder(), 200, 4, requests=1, places=1)
    assert "memory" in run.machine.net.parts
    for promise in GENERATED:
        promise(run)


def test_gpt2_keeps_every_promise_when_it_generates() -> None:
    trace = Trace.load("gpt2")
    run = generated(Chip.load("hermes_llm"), trace, 16, 3, requests=1, places=1)
    for promise in GENERATED:
        promise(run)
    assert run.result.macs == macs_of(trace, 16, 3, 768 * 50257)
