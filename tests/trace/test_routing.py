"""Experts: whose tokens go where, and what is left of a trace when they have gone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.errors import TraceError
from pimsim.trace import Trace
from pimsim.trace.header import check_routing
from pimsim.trace.routing import routed

from .symbolic import attention, mixture


def rows_of(trace: Trace, layer: int) -> list[int]:
    return [
        op.output.shape[0] for op in trace.ops if op.type == "Dispatch" and op.attributes["layer"] == layer
    ]


@settings(deadline=None)
@given(
    batch=st.integers(1, 5),
    seq=st.integers(1, 40),
    seed=st.integers(0, 2**31 - 1),
    zipf=st.booleans(),
)
def test_every_token_is_routed_to_top_experts(batch: int, seq: int, seed: int, zipf: bool) -> None:
    trace = mixture(seed=seed, distribution="zipf" if zipf else "uniform")
    bound = trace.bind(batch=batch, seq=seq)
    drawn = routed(trace, batch * seq)
    assert drawn.shape == (2, batch * seq, 2)
    assert (drawn[..., 0] != drawn[..., 1]).all()
    for layer in range(2):
        rows = rows_of(bound, layer)
        assert sum(rows) == batch * seq * 2
        assert sorted(rows) == sorted(np.bincount(drawn[layer].ravel())[np.unique(drawn[layer])])
    assert bound.macs == 2 * batch * seq * 2 * 36
    again = trace.bind(batch=batch, seq=seq)
    assert again == bound
    assert again.digest == bound.digest


def test_later_tokens_do_not_change_earlier_ones() -> None:
    for trace in (mixture(), mixture(distribution="zipf")):
        assert (routed(trace, 100)[:, :17] == routed(trace, 17)).all()


def test_layers_and_seeds_draw_differently() -> None:
    trace = mixture()
    drawn = routed(trace, 200)
    assert (drawn[0] != drawn[1]).any()
    assert (routed(trace, 200, seed=1) != drawn).any()
    bound = trace.bind(batch=1, seq=200, routing_seed=1)
    assert bound.header["routing"]["seed"] == 1
    assert (routed(bound, 200) == routed(trace, 200, seed=1)).all()


def test_sequences_draw_apart_with_the_same_favourites() -> None:
    trace = mixture(top=1, distribution="zipf", exponent=2)
    draws = [routed(trace, 4000, sequence=sequence)[0].ravel() for sequence in range(4)]
    assert (draws[0] == routed(trace, 4000)[0].ravel()).all()
    assert len({draw.tobytes() for draw in draws}) == 4
    assert len({tuple(np.argsort(np.bincount(draw, minlength=4))) for draw in draws}) == 1
    assert (routed(trace, 9, sequence=3) == routed(trace, 4000, sequence=3)[:, :9]).all()


def test_the_distributions_are_what_they_say() -> None:
    tokens, experts = 40_000, 4
    even = np.bincount(routed(mixture(top=1), tokens)[0].ravel(), minlength=experts) / tokens
    assert np.abs(even - 1 / experts).max() < 4 * math.sqrt(0.25 * 0.75 / tokens)
    steep = np.bincount(routed(mixture(top=1, distribution="zipf", exponent=2), tokens)[0].ravel()) / tokens
    weights = np.array([1 / rank**2 for rank in range(1, experts + 1)])
    expected = weights / weights.sum()
    assert np.abs(np.sort(steep)[::-1] - expected).max() < 4 * math.sqrt(0.25 / tokens)


def test_an_expert_without_a_token_vanishes_and_is_named() -> None:
    bound = mixture().bind(batch=1, seq=1)  # two of four experts a layer
    assert [len(rows_of(bound, layer)) for layer in range(2)] == [2, 2]
    combine = bound.by_name["l1"]
    assert len(combine.inputs) == 3
    assert bound.weights == 4 * 36
    (note,) = bound.header["notes"]
    assert note.startswith("experts that no token was routed to vanish: layer0.expert")


def test_an_expert_without_a_token_can_stay() -> None:
    trace = mixture()
    drawn, kept = trace.bind(batch=1, seq=1), trace.bind(batch=1, seq=1, keep_experts=True)
    assert [op.name for op in kept.ops] == [op.name for op in trace.ops] != [op.name for op in drawn.ops]
    assert rows_of(kept, 0) == rows_of(kept, 1) == [1] * 4
    assert trace.bind(batch=2, seq=20, keep_experts=True) == trace.bind(batch=2, seq=20)
    assert kept.header["notes"] == []


def test_every_expert_can_be_kept() -> None:
    bound = mixture().bind(batch=2, seq=3, every_expert=True)
    assert rows_of(bound, 0) == rows_of(bound, 1) == [6] * 4
    assert bound.weights == 8 * 36
    assert "every expert" in bound.header["notes"][0]


def test_a_file_keeps_the_routing(tmp_path: Path) -> None:
    trace = mixture(distribution="zipf", seed=3)
    trace.save(tmp_path / "t.jsonl")
    again = Trace.load(tmp_path / "t.jsonl")
    assert again == trace
    assert again.header["routing"] == {
        "experts": 4,
        "top": 2,
        "distribution": "zipf",
        "exponent": 1.0,
        "seed": 3,
    }
    assert again.digest == trace.digest != mixture(distribution="zipf", seed=4).digest


@pytest.mark.parametrize(
    ("routing", "message"),
    [
        ([], "found .* expected an object"),
        ({}, "routing.experts: found null"),
        ({"experts": 4, "top": 5}, "routing.top: found 5"),
        ({"experts": 4, "top": 0}, "routing.top: found 0"),
        ({"experts": 4, "top": 1, "distribution": "zip"}, "did you mean 'zipf'"),
        ({"experts": 4, "top": 1, "distribution": "zipf", "exponent": -1}, "routing.exponent: found -1"),
        ({"experts": 4, "top": 1, "exponent": 1}, "only zipf has an exponent"),
        ({"experts": 4, "top": 1, "seed": -1}, "routing.seed: found -1"),
        ({"experts": 4, "top": 1, "sed": 1}, "unknown key 'sed'"),
    ],
)
def test_bad_routing(routing: Any, message: str) -> None:
    with pytest.raises(TraceError, match=message):
        check_routing(routing, "t:1")


def test_rows_of_experts_are_not_for_the_user_to_bind() -> None:
    with pytest.raises(TraceError, match=r"no symbol 'layer0\.expert0'"):
        mixture().bind({"batch": 1, "seq": 1, "layer0.expert0": 1})


def test_a_trace_without_experts_has_no_routing() -> None:
    with pytest.raises(TraceError, match="'head' states no routing"):
        routed(attention(), 4)
