"""Experts in ONNX files, as matrices that choices pick from stacks: MACs and weights by formula; the rest is left.

With H features, I inner ones, E experts of which a token goes to k: 3·H·I multiply-accumulates for each choice, and as
many weights for each expert.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pimsim import Chip, simulate
from pimsim.trace import Trace
from pimsim.trace.onnx.export import from_onnx

from .experts import EXPERTS, INNER, ROUTER, TOKENS, TOP, H, layer, make


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("gather", ["Gather", "GatherND"])
def test_every_expert_has_weights_of_its_own(tmp_path: Path, gather: str, right: bool) -> None:
    trace = from_onnx(layer(tmp_path / "m.onnx", gather, right=right))
    assert trace.header["routing"] | {"experts": EXPERTS, "top": TOP} == trace.header["routing"]
    assert trace.weights == H * EXPERTS + EXPERTS * 3 * H * INNER
    bound = trace.bind()
    assert bound.macs == ROUTER + TOKENS * TOP * 3 * H * INNER
    kinds = [op.type for op in trace.ops if "expert0" in op.name]
    assert kinds == ["Dispatch", "Gemm", "Gemm", "Swish", "Mul", "Gemm"]
    assert trace.ops[-1].type == "Combine"
    for preset in ("isaac", "hermes64"):
        assert simulate(Chip.load(preset), bound).macs == bound.macs


def test_tokens_may_be_a_symbol(tmp_path: Path) -> None:
    trace = from_onnx(layer(tmp_path / "m.onnx", tokens="tokens"))
    assert trace.symbols == ("tokens",)
    assert trace.bind(tokens=9).macs == 9 * (H * EXPERTS + TOP * 3 * H * INNER)


def test_what_is_picked_otherwise_is_left_and_said(tmp_path: Path) -> None:
    """The matrices leave the model, too: no expert has them alone."""
    path = layer(tmp_path / "m.onnx", nodes=[make("Relu", ["ups"], ["z"])], outputs={"z": None})
    trace: Trace = from_onnx(path)
    assert "routing" not in trace.header
    assert not any(op.type == "Dispatch" for op in trace.ops)
    assert sum("picks matrices from a stack by data" in note for note in trace.header["notes"]) == 2
    assert trace.macs == ROUTER + TOKENS * TOP * 3 * H * INNER
