"""Generation: what the figures promise, on a small decoder."""

from __future__ import annotations

import pytest

from pimsim.chip import Chip
from pimsim.errors import ConfigError, MappingError, TraceError
from pimsim.run.generate import generate
from pimsim.run.simulate import simulate
from pimsim.trace import Trace
from tests.transformers import decoder

CHIP = Chip.load("hermes_llm")


def test_time_and_energy_close_and_the_phases_are_told_apart():
    result = generate(CHIP, decoder(), 16, 8)
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs
    assert sum(row["aj"] for row in result.energy["rows"]) == result.energy["total_aj"]
    assert [phase["phase"] for phase in result.phases] == ["prompt", "decode"]
    assert result.phases[0]["end_fs"] == result.first_token_fs
    (sequence,) = result.generation["sequences"]
    assert len(sequence["token_fs"]) == 8
    assert sequence["token_fs"][-1] == result.latency_fs
    for phase in result.phases:
        assert sum(row["fs"] for row in phase["attribution"]) == phase["end_fs"] - phase["begin_fs"]


def test_the_multiplications_are_those_of_each_pass():
    """A prompt's pass computes logits for its last token only; each step has one more token in its cache."""
    trace, logits = decoder(), 64 * 100
    result = generate(CHIP, trace, 16, 5)
    passes = trace.bind(batch=1, seq=16, kv=0).macs - 15 * logits
    passes += sum(trace.bind(batch=1, seq=1, kv=16 + n).macs for n in range(4))
    assert result.macs == passes


@pytest.mark.parametrize("chip", ["isaac", "puma", "hermes64", "hermes_llm"])
def test_a_token_takes_longer_the_more_are_before_it(chip):
    short, long = (generate(Chip.load(chip), decoder(), prompt, 2).token_fs["first"] for prompt in (4, 60))
    assert long > short


def test_no_part_is_busy_for_longer_than_the_run_and_bounds_hold():
    result = generate(CHIP, decoder(), 8, 6, requests=5, rate=2e5, places=2)
    assert result.bounds["latency_over_bound"] >= 1
    assert all(figures["busiest_fs"] <= result.latency_fs for figures in result.resources.values())
    assert [len(each["token_fs"]) for each in result.generation["sequences"]] == [6] * 5
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs


def test_the_same_seed_is_the_same_run():
    runs = [generate(CHIP, decoder(), 8, 3, requests=4, rate=1e5, seed=seed).data for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0]["generation"]["sequences"] != runs[2]["generation"]["sequences"]


def test_a_cache_that_no_buffer_holds_lies_in_the_memory_while_that_has_room():
    tight = {"tile.buffer.capacity_kib": 6}
    chip = Chip.from_dict(CHIP.to_dict(), tight)
    result = generate(chip, decoder(), 200, 4)
    assert {"memory"} == {row["right_matrix_in"] for row in result.plan if row["on"] == "matrix"}
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs
    assert any(row["cause"] == "memory" for row in result.attribution)
    assert result.energy_pj["dynamic"]["memory"] > 0
    full = Chip.from_dict(CHIP.to_dict(), {**tight, "memory.capacity_gib": 1e-6})
    result = generate(full, decoder(), 200, 4, chips=1)
    assert {"several tiles' buffers"} == {
        row["right_matrix_in"] for row in result.plan if row["on"] == "matrix"
    }
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs


def test_a_run_of_an_unbound_trace_says_what_to_bind():
    with pytest.raises(TraceError, match="seq, kv"):
        simulate(CHIP, decoder())


def test_refuses_what_cannot_generate():
    with pytest.raises(MappingError, match="no symbol 'seq'"):
        generate(CHIP, Trace.load("squeezenet"), 4, 4)
    with pytest.raises(ConfigError, match="prompt"):
        generate(CHIP, decoder(), 0, 4)


def test_the_energy_of_prompts_and_of_the_tokens_after_them_add_up():
    for asked in ({}, {"requests": 3, "rate": 1e5, "places": 2}):
        result = generate(CHIP, decoder(), 16, 4, **asked)
        spent, requests = result.generation["energy_aj"], asked.get("requests", 1)
        assert sum(spent.values()) == result.energy["total_aj"]
        assert result.generation["energy_per_prompt_pj"] == spent["prompt"] / 1e6 / requests
        assert result.generation["energy_per_token_pj"] == spent["decode"] / 1e6 / (3 * requests)
    assert generate(CHIP, decoder(), 16, 1).generation["energy_per_token_pj"] is None


def test_each_pass_is_told_what_it_read_and_its_share_of_the_time():
    """By hand: a layer reads its arrays once a token, 16 in the prompt and 5 after it; the logits' once a pass."""
    chip = Chip.from_dict(_only(CHIP.to_dict(), "energy_per_read_pj"), {"tile.buffer.static_power_mw": 2.0})
    result = generate(chip, decoder(), 16, 6)
    rows, share = result.energy["rows"], result.first_token_fs / result.latency_fs
    reads = {row["op"]: row["aj"] for row in rows if row["kind"] == "dynamic"}
    static = sum(row["aj"] for row in rows if row["kind"] == "static")
    expected = sum(aj * (1 / 6 if op == "logits" else 16 / 21) for op, aj in reads.items())
    assert "logits" in reads
    assert static > 0
    assert result.generation["energy_aj"]["prompt"] == pytest.approx(expected + share * static, rel=1e-9)
    assert abs(result.generation["energy_aj"]["other"]) <= 1  # of rounding


def _only(config, name):
    """Return a chip file in which one figure of energy is left."""
    if not isinstance(config, dict):
        return config
    costs = {key for key in config if key.startswith(("energy_per", "static_power")) and key != name}
    return {key: _only(value, name) for key, value in config.items() if key not in costs}
