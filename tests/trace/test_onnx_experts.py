"""Experts in ONNX files, as matrices that choices pick from stacks: MACs and weights by formula; the rest is left.

With H features, I inner ones, E experts of which a token goes to k: 3·H·I multiply-accumulates for each choice, and as
many weights for each expert.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from pimsim import Chip, simulate
from pimsim.trace import Trace
from pimsim.trace.onnx.export import from_onnx

from .builders import model

make = helper.make_node
TOKENS, TOP, EXPERTS, H, INNER = 6, 2, 4, 8, 12
ROUTER = TOKENS * H * EXPERTS


def stack(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).random(shape, np.float32)


def layer(
    path: Path, gather: str = "Gather", tokens: int | str = TOKENS, right: bool = True, **more: Any
) -> Path:
    """A router and its experts: gated, by matrices that stand to the right of a column, or of a row."""
    pick = ["chosen"] if gather == "Gather" else ["chosen1"]
    column, row = ([-1, H, 1], [-1, INNER, 1]) if right else ([-1, 1, H], [-1, 1, INNER])
    up, down = ((2 * INNER, H), (H, INNER)) if right else ((H, 2 * INNER), (INNER, H))

    def product(x: str, w: str, y: str) -> Any:
        return make("MatMul", [w, x] if right else [x, w], [y])

    nodes = [
        make("MatMul", ["x", "router"], ["logits"]),
        make("Softmax", ["logits"], ["odds"], axis=1),
        make("TopK", ["odds", "k"], ["gates", "which"], axis=1),
        make("Reshape", ["which", "flat"], ["chosen"]),
        make("Reshape", ["which", "pairs"], ["chosen1"]),
        make("Unsqueeze", ["x", "one"], ["x1"]),
        make("Expand", ["x1", "twice"], ["x2"]),
        make("Reshape", ["x2", "column"], ["rows"]),
        make(gather, ["up", *pick], ["ups"]),
        make(gather, ["down", *pick], ["downs"]),
        product("rows", "ups", "u"),
        make("Reshape", ["u", "wide"], ["u2"]),
        make("Split", ["u2"], ["a", "b"], axis=1),
        make("Sigmoid", ["a"], ["s"]),
        make("Mul", ["a", "s"], ["t"]),
        make("Mul", ["t", "b"], ["m"]),
        make("Reshape", ["m", "row"], ["m1"]),
        product("m1", "downs", "d"),
        make("Reshape", ["d", "back"], ["d2"]),
        make("Reshape", ["gates", "pairs"], ["g1"]),
        make("Mul", ["d2", "g1"], ["weighed"]),
        make("Reshape", ["weighed", "by_token"], ["v"]),
        make("ReduceSum", ["v", "one"], ["y"], keepdims=0),
    ]
    arrays = {
        **{"router": stack(H, EXPERTS), "k": np.array([TOP]), "one": np.array([1]), "flat": np.array([-1])},
        **{"pairs": np.array([-1, 1]), "twice": np.array([1, TOP, 1]), "column": np.array(column)},
        **{"up": stack(EXPERTS, *up), "down": stack(EXPERTS, *down), "wide": np.array([-1, 2 * INNER])},
        **{"row": np.array(row), "back": np.array([-1, H]), "by_token": np.array([-1, TOP, H])},
    }
    return model(
        path,
        [*nodes, *more.get("nodes", ())],
        {"x": [tokens, H]},
        {"y": None, **more.get("outputs", {})},
        arrays,
    )


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
