"""Sound files, from which mutated ones are made."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from onnx import helper

from pimsim import Chip, Trace, generate, saved_plan, simulate
from pimsim.report.html.page import report_page
from pimsim.trace import Op, Operand, Tensor
from pimsim.trace.statistics.attach import How, attach
from pimsim.trace.writer import lines

from ..trace import experts
from ..trace.builders import model, small_rows, small_trace, zeros
from ..trace.symbolic import attention
from ..transformers import decoder

TABLES = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
    "one, 8, 8, 3, 3, 2, 4, 1,\ntwo, 3, 3, 1, 1, 4, 8, 1,\nthree, 6, 6, 1, 1, 5, 8, 1,",
    "Layer, M, N, K, batch size, sparsity\none, 4, 8, 16,,\ntwo, 4, 8, 8, 2, 1:2\n",
)


@cache
def traces() -> list[list[Any]]:
    """Return the rows of small traces."""
    symbolic = [[json.loads(line) for line in lines(each)] for each in (attention(), strided())]
    return [small_rows(), *symbolic, observed()]


def strided() -> Trace:
    """Return a convolution by strides over an image of any size."""
    window = {
        "kernel_shape": (3, 3),
        "strides": (2, 2),
        "pads": (1, 1, 1, 1),
        "dilations": (1, 1),
        "group": 1,
    }
    image = Tensor((1, 3, "height", "width"))  # type: ignore[arg-type]
    half = Tensor((1, 4, "(height+1)//2", "(width+1)//2"))  # type: ignore[arg-type]
    flat = Tensor((1, "4*((height+1)//2)*((width+1)//2)"))  # type: ignore[arg-type]
    ops = [
        Op("x", "Input", (), (image,)),
        Op(
            "a",
            "Conv",
            (Operand("activation", image, "x"), Operand("weight", Tensor((4, 3, 3, 3)))),
            (half,),
            window,
        ),
        Op("y", "Flatten", (Operand("activation", half, "a"),), (flat,), {"axis": 1}),
    ]
    symbols = {"height": None, "width": None}
    return Trace.from_ops(
        "strided", ops, header={"symbols": symbols, "examples": {"height": 40, "width": 31}}
    )


@cache
def observed() -> list[Any]:
    """Return the rows of a small trace with statistics."""
    rng = np.random.default_rng(0)
    trace = small_trace()
    trained = Trace.from_ops(trace.model, trace.ops, trace.outputs, {**trace.header, "weights": "trained"})
    values = {("conv", 0): [rng.normal(size=(1, 4, 6, 6))]}
    made = attach(trained, values, {"conv": rng.normal(size=(4, 3, 3, 3))}, How(), "runs", "weights")
    return [json.loads(line) for line in lines(made)]


@cache
def results() -> list[dict[str, Any]]:
    """Return the data of small runs: one, several with controllers, and one that generates."""
    isaac = Chip.load("isaac")
    power = {"tile.power": {"idle_after_ns": 100, "gate_after_ns": 1000, "wake_ns": 50, "wake_energy_pj": 3}}
    runs = [
        simulate(isaac, small_trace()),
        simulate(
            Chip.load("isaac", {**power, "core.array.write_ns": 100.0}), small_trace(), batch=3, cold=True
        ),
        generate(Chip.load("hermes_llm"), decoder(layers=1), 4, 3, requests=2, rate=2e5),
    ]
    report_page(
        runs[:1]
    )  # makes the pages' library, which takes long, here and not in each process of the loop
    return [json.loads(run.to_json()) for run in runs]


@cache
def plans() -> list[tuple[Chip, Trace, dict[str, Any]]]:
    """Return plans of small models, one cut by heads, with what they are for."""
    pairs = [
        (Chip.load("isaac"), small_trace()),
        (Chip.load("hermes_llm"), decoder(layers=1).bind(batch=1, seq=4, kv=4)),
        (Chip.load("a100"), small_trace()),
    ]
    return [(chip, trace, saved_plan(chip, trace).to_dict()) for chip, trace in pairs]


@cache
def models() -> list[bytes]:
    """Return small ONNX models: convolutions, an attention, shapes that are computed, ops that are unknown, experts."""
    node = helper.make_node
    made = [
        (
            [
                node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
                node("BatchNormalization", ["c", "s", "s", "s", "s"], ["n"]),
                node("Relu", ["n"], ["r"]),
                node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
                node("Flatten", ["p"], ["f"], axis=1),
                node("Gemm", ["f", "g"], ["y"], transB=1),
            ],
            {"x": ["batch", 3, 8, 8]},
            {"y": None},
            {"w": zeros(4, 3, 3, 3), "s": np.ones(4, np.float32), "g": zeros(5, 64)},
        ),
        (
            [
                node("Shape", ["x"], ["shape"]),
                node("Gather", ["shape", "two"], ["last"], axis=0),
                node("Concat", ["one", "last"], ["to"], axis=0),
                node("MatMul", ["x", "w"], ["q"]),
                node("Transpose", ["q"], ["k"], perm=[0, 2, 1]),
                node("MatMul", ["q", "k"], ["a"]),
                node("Softmax", ["a"], ["b"], axis=-1),
                node("MatMul", ["b", "q"], ["z"]),
                node("Reshape", ["z", "to"], ["y"]),
            ],
            {"x": ["batch", 4, 8]},
            {"y": None},
            {"w": zeros(8, 8), "two": np.array([2]), "one": np.array([-1])},
        ),
        (
            [
                node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2),
                node("Resize", ["a", "", "scales"], ["c"], mode="nearest"),
                node("Odd", ["b"], ["d"], domain="mine"),
                node("Slice", ["c", "begin", "end"], ["e"]),
                node("ReduceMean", ["e", "axes"], ["f"]),
                node("Cast", ["f"], ["y"], to=10),
            ],
            {"x": [1, 4, 4, 4]},
            {"y": None, "d": None},
            {
                "scales": np.array([1, 1, 2, 2], np.float32),
                "begin": np.array([0, 0, 1, 1]),
                "end": np.array([1, 2, 5, 9]),
                "axes": np.array([2, 3]),
            },
        ),
    ]
    made.append((made[1][0], {"x": ["batch", "seq", 8]}, *made[1][2:]))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        plain = [model(path, *parts, opset=18, domains=("mine",)).read_bytes() for parts in made]
        ways: tuple[dict[str, Any], ...] = ({}, {"gather": "GatherND", "right": False}, {"tokens": "tokens"})
        return plain + [experts.layer(path, **way).read_bytes() for way in ways]
