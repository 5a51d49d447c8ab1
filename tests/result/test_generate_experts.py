"""Generation with a mixture of experts: who a token does not go to costs nothing, and the figures close."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.machine.generation import Generation, Requests
from pimsim.machine.machine import Machine
from pimsim.mapping.planning.generation import plan_generation, routing_of
from pimsim.result.energy import dynamic_energy
from pimsim.run.generate import generate
from pimsim.trace import Trace
from pimsim.trace.routing import routed
from tests.oracle.test_experts import SMALL_ARRAYS, mixture, roomy
from tests.oracle.test_transformers import small_chip
from tests.transformers import decoder

EXPERT = 2 * 32 * 64  # multiply-accumulates of a token in one expert of one layer
SPREAD = roomy({**SMALL_ARRAYS, "network.multicast": True})


def with_experts(trace, sequence, token):
    """What a step multiplies, from a trace bound for it alone: its experts are those drawn for this token."""
    (drawn,) = {len(set(layer[token].tolist())) for layer in routed(trace, token + 1, sequence=sequence)}
    bound = trace.bind(batch=1, seq=1, kv=token)
    assert sum(op.type == "Dispatch" for op in bound.ops) == 2 * drawn
    return bound.macs


@pytest.mark.parametrize("chip", [small_chip(), SPREAD], ids=["small", "multicast"])
def test_time_and_energy_close(chip):
    result = generate(chip, mixture(2), 3, 5)
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs
    assert sum(row["aj"] for row in result.energy["rows"]) == result.energy["total_aj"]
    for phase in result.phases:
        assert sum(row["fs"] for row in phase["attribution"]) == phase["end_fs"] - phase["begin_fs"]
    assert any("2 of 4 experts" in note for note in result.data["notes"])
    assert result.resources["control"]["visits"] > 0
    assert not [row for row in result.energy["rows"] if row["part"] == "control"]


def test_the_multiplications_are_those_of_the_experts_drawn():
    """As traces bound for each pass alone have them: of the prompt, only the last position's logits."""
    trace, logits = mixture(2), 32 * 20
    result = generate(small_chip(), trace, 6, 4, requests=3)
    passes = 3 * (trace.bind(batch=1, seq=6, kv=0).macs - 5 * logits)
    passes += sum(with_experts(trace, s, 6 + n) for s in range(3) for n in range(3))
    assert result.macs == passes
    for layer in range(2):
        tokens = Counter(routed(trace, 6)[layer].ravel().tolist() * 3)
        for sequence in range(3):
            tokens.update(routed(trace, 9, sequence=sequence)[layer, 6:].ravel().tolist())
        for expert in range(4):
            rows = [row for row in result.ops if row["op"].startswith(f"h{layer}.moe.e{expert}.")]
            assert sum(row["macs"] for row in rows) == tokens[expert] * EXPERT
            assert {row["firings"] for row in rows} == {tokens[expert]}


@pytest.mark.parametrize("chip", [small_chip(), SPREAD], ids=["small", "multicast"])
def test_the_energy_of_the_plan_is_that_of_the_visits(chip):
    """What the engine adds up as visits are over, against the netlist weighed by who went where."""
    trace = mixture(2)
    programs = plan_generation(chip, trace, 2, 4, requests=2, places=2)
    machine = Machine(programs[0].plan, 2, programs=programs)
    asked = Requests(2, 4, (0, 0), 2)
    machine.run(Generation(machine, asked, routing_of(trace, 2, 4)).serve())
    spent = dict(
        zip(machine.energy_parts, machine.engine.time_figures()[1].sum(axis=1).tolist(), strict=True)
    )
    planned: Counter[str] = Counter()
    for (part, _, _), picojoules in dynamic_energy(machine)[0].items():
        planned[part] += picojoules
    assert planned["core.array"] > 0
    for part, picojoules in planned.items():
        assert spent[part] == pytest.approx(picojoules, rel=1e-9)


@pytest.mark.parametrize("chip", [small_chip(), SPREAD], ids=["small", "multicast"])
def test_an_expert_without_a_token_costs_nothing(chip):
    result = generate(chip, mixture(), 1, 2)
    went = set(routed(mixture(), 2)[0].ravel().tolist())
    assert len(went) < 4
    for expert in range(4):
        rows = [row for row in result.ops if row["op"].startswith(f"h0.moe.e{expert}.")]
        arrays = [row for row in result.plan if row["op"].startswith(f"h0.moe.e{expert}.")]
        assert sum(row["arrays"] for row in arrays) > 0  # its weights are there all the same
        for row in rows:
            used = [row["macs"], row["firings"], row["energy_aj"], row["network_bytes_out"], row["bytes_out"]]
            assert any(used) == (expert in went)
            if expert not in went:  # only the router's choice comes, in both passes: two numbers of 8 bits
                assert row["bytes_in"] == (4 if row["op"].endswith(".in") else 0)


def test_a_seed_is_a_run_and_another_seed_another():
    runs = [generate(small_chip(), mixture(2), 3, 4, seed=seed).data for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0]["generation"]["sequences"] != runs[2]["generation"]["sequences"]
    assert runs[0]["identity"]["digest"] != runs[2]["identity"]["digest"]
    shifted = replace(
        mixture(2), header={**mixture(2).header, "routing": {**mixture(2).header["routing"], "seed": 6}}
    )
    again = generate(small_chip(), shifted, 3, 4).data
    assert again["generation"]["sequences"] == runs[0]["generation"]["sequences"]


@pytest.mark.parametrize("tokens", [3, 30])
@pytest.mark.parametrize("chip", [small_chip(), SPREAD], ids=["small", "multicast"])
def test_bounds_hold_and_are_close(chip, tokens):
    """The chain counts as many experts as a token goes to: without them the ratio would be 1.16 to 1.65."""
    result = generate(chip, mixture(2), 1, tokens)
    assert 1 <= result.bounds["latency_over_bound"] < 1.15
    assert all(figures["busiest_fs"] <= result.latency_fs for figures in result.resources.values())


def test_several_sequences_share_the_experts():
    result = generate(small_chip(), mixture(2), 4, 4, requests=4, rate=2e5, places=2)
    assert [len(each["token_fs"]) for each in result.generation["sequences"]] == [4] * 4
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs
    assert result.bounds["latency_over_bound"] >= 1
    assert any("routed like the first" in note for note in result.data["notes"])


def test_refuses_rows_of_an_expert_that_go_past_the_combine():
    trace = mixture()
    odd = Trace.from_ops("odd", trace.ops, ["logits", "h0.moe.e0.down"], trace.header)
    with pytest.raises(MappingError, match="only a Combine"):
        generate(Chip.load("hermes_llm"), odd, 4, 2)


def test_mixtral_generates_on_paper():
    """The plan of the real model is left to a run by hand; what it takes from the trace is seen here."""
    trace = Trace.load("mixtral_8x7b")
    routing = routing_of(trace, 4, 3)
    assert routing is not None
    assert routing(0).shape == (32, 2, 2)
    assert routing_of(decoder(), 4, 3) is None
