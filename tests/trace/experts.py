"""A layer of experts as PyTorch's ONNX exporter writes it: a router, whose choices pick matrices from stacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper

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
