"""``pimsim run`` of models that generate, that are bound, reloaded, or write products into arrays."""

from __future__ import annotations

import json

import pytest

from tests.transformers import decoder

from .runner import call

ONE_TILE = ["--set", "tile.count=1", "--set", "network.topology={kind: ring, nodes: 1}"]
ONE_TILE += ["--set", "core.arrays=4", "--set", "core.adc.banks=4"]
REFUSED = {
    "one of two": (["--prompt", "8"], "--prompt: needs --generate N, too"),
    "the other": (["--generate", "8"], "--generate: needs --prompt N, too"),
    "requests alone": (["--requests", "2"], "--requests, --rate and --places need --prompt and --generate"),
    "batch": (["--prompt", "8", "--generate", "2", "--batch", "2"], "does not go with --batch or --bind"),
    "no tokens": (["--prompt", "8", "--generate", "0"], "tokens: found 0, expected a whole number from 1"),
    "rate": (["--prompt", "8", "--generate", "2", "--rate", "-1"], "rate: found -1"),
    "unbound": ([], "symbols without a value: seq, kv; say --bind seq=N"),
    "unknown symbol": (["--bind", "seq=1", "--bind", "sq=1"], "no symbol 'sq'"),
    "nonsense": (["--bind", "seq=x"], "found 'seq=x', expected NAME=N"),
    "reload in places": (
        [*ONE_TILE, "--prompt", "8", "--generate", "2", "--requests", "2", "--reload", "--chips", "1"],
        "one sequence is under way at a time",
    ),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("trace") / "decoder.jsonl"
    decoder(1).save(path)
    return str(path)


@pytest.fixture
def run(capsys, monkeypatch, model):
    return lambda *options, chip="hermes_llm": call(capsys, monkeypatch, "run", chip, model, *options)


def test_tokens_are_told_with_their_times(run):
    done = run("--prompt", "8", "--generate", "3")
    assert (done.code, done.err) == (0, "")
    assert "1 request, 8-bit weights" in done.out
    for name in ("first token", "next token", "tokens", "energy a token"):
        assert f"\n{name} " in done.out, name
    assert max(map(len, done.out.splitlines())) <= 80


def test_json_has_the_figures_of_generation(run):
    data = json.loads(run("--prompt", "8", "--generate", "4", "--json").out)
    (sequence,) = data["generation"]["sequences"]
    times = sequence["token_fs"]
    assert data["first_token_fs"] == times[0]
    assert data["token_fs"]["first"] == times[1] - times[0]
    assert data["token_fs"]["last"] == times[3] - times[2] == data["latency_fs"] - times[2]
    assert data["tokens_per_s"] == pytest.approx(4e15 / data["latency_fs"])
    assert [phase["phase"] for phase in data["phases"]] == ["prompt", "decode"]


def test_many_requests_have_percentiles_and_a_seed(run):
    asked = [
        "--prompt",
        "8",
        "--generate",
        "2",
        "--requests",
        "4",
        "--rate",
        "1e6",
        "--places",
        "2",
        "--json",
    ]
    first, again, other = (json.loads(run(*asked, "--seed", seed).out) for seed in "112")
    assert first == again
    assert first["generation"]["sequences"] != other["generation"]["sequences"]
    assert set(first["generation"]["token_percentiles_fs"]) == {"50", "90", "95", "99"}
    assert "90 % next" in run(*asked[:-1]).out


def test_the_plan_says_where_caches_are_and_products_are_done(run):
    done = run("--prompt", "8", "--generate", "4", "--plan")
    assert "2 products of two activations, with their caches: in\ntile.buffer." in done.out
    writing = ("--set", "products=write", "--set", "core.array.write_ns=10")
    done = run("--prompt", "8", "--generate", "4", "--plan", *writing)
    assert "written into arrays (products: write)" in " ".join(done.out.split())
    assert "worn out after" in run("--prompt", "8", "--generate", "4", *writing).out


def test_weights_that_take_turns_are_told(run):
    small = [
        "--set",
        "tile.count=2",
        "--set",
        "network.topology={kind: ring, nodes: 2}",
        "--set",
        "core.arrays=2",
    ]
    asked = ["--bind", "batch=1", "--bind", "seq=4", "--bind", "kv=0", "--chips", "1", *small]
    asked += ["--set", "core.adc.banks=2"]
    done = run(*asked)
    assert (done.code, done.out) == (2, "")
    assert "give --chips 2 or more, leave it out, or add --reload" in done.err
    assert "in 2 rounds on 4 arrays" in run(*asked, "--reload", "--plan").out
    done = run(*asked, "--reload")
    assert done.code == 0
    assert "\nweights written anew in 2 rounds of each inference\n" in done.out
    assert "programming: arrays being written" in done.out


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_gets_one_message(name, run):
    options, message = REFUSED[name]
    done = run(*options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1
