"""Do ONNX models whose sizes have no values keep them as symbols, and give what the same model gives with values?

What is expected: the export with values, which other tests hold against onnxruntime; shapes from onnxruntime itself;
formulas of the windows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from pimsim.errors import TraceError
from pimsim.trace import Trace
from pimsim.trace.onnx.export import from_onnx
from pimsim.trace.sampled.merge import sizes_of

from .builders import model, zeros

make = helper.make_node

PYRAMID = [
    make("Conv", ["x", "w0"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
    make("Relu", ["a"], ["b"]),
    make("MaxPool", ["b"], ["c"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    make("Conv", ["c", "w1"], ["d"], strides=[2, 2], auto_pad="SAME_UPPER"),
    make("GlobalAveragePool", ["d"], ["y"]),
    make("Flatten", ["c"], ["z"], axis=2),
]
PYRAMID_ARRAYS = {"w0": zeros(4, 3, 3, 3), "w1": zeros(6, 4, 3, 3)}

# skip connections: up again by 2 and added, so only multiples of 4 fit
UNET = [
    make("Conv", ["x", "w0"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
    make("Conv", ["a", "w1"], ["b"], strides=[2, 2], pads=[1, 1, 1, 1]),
    make("Resize", ["b", "", "twice"], ["c"], mode="nearest"),
    make("Add", ["a", "c"], ["d"]),
    make("Resize", ["d", "", "twice"], ["e"], mode="nearest"),
    make("Conv", ["e", "w2"], ["f"]),
    make("Concat", ["x", "f"], ["y"], axis=1),
]
UNET_ARRAYS = {
    "w0": zeros(4, 3, 3, 3),
    "w1": zeros(4, 4, 3, 3),
    "w2": zeros(5, 4, 1, 1),
    "twice": np.array([1, 1, 2, 2], np.float32),
}

# heads apart and together again by shapes that are computed, and padded to a multiple of 7
TOKENS = [
    make("Shape", ["x"], ["s"]),
    make("Gather", ["s", "one"], ["rows"]),
    make("Concat", ["first", "rows", "heads"], ["apart"], axis=0),
    make("Reshape", ["x", "apart"], ["h"]),
    make("Transpose", ["h"], ["t"], perm=[0, 2, 1, 3]),
    make("Transpose", ["t"], ["k"], perm=[0, 1, 3, 2]),
    make("MatMul", ["t", "k"], ["scores"]),
    make("Softmax", ["scores"], ["p"], axis=-1),
    make("MatMul", ["p", "t"], ["m"]),
    make("Transpose", ["m"], ["u"], perm=[0, 2, 1, 3]),
    make("Concat", ["first", "rows", "wide"], ["joined"], axis=0),
    make("Reshape", ["u", "joined"], ["o"]),
    make("MatMul", ["o", "w"], ["y"]),
]
TOKENS_ARRAYS = {
    "one": np.array([1]),
    "first": np.array([1]),
    "heads": np.array([2, 8]),
    "wide": np.array([16]),
    "w": zeros(16, 12),
}

HOPS = [  # frames of sound, and the mean over windows of frames that overlap
    make("Conv", ["x", "w0"], ["a"], strides=[160], pads=[200, 200]),
    make("AveragePool", ["a"], ["b"], kernel_shape=[8], strides=[4]),
    make("Transpose", ["b"], ["c"], perm=[0, 2, 1]),
    make("MatMul", ["c", "w1"], ["y"]),
]

CASES: dict[str, tuple[list[Any], list[Any], dict[str, Any], list[dict[str, int]]]] = {
    "pyramid": (
        PYRAMID,
        [1, 3, "height", "width"],
        PYRAMID_ARRAYS,
        [{"height": h, "width": w} for h, w in ((224, 224), (23, 301), (50, 49), (51, 64))],
    ),
    "unet": (
        UNET,
        [1, 3, "height", "width"],
        UNET_ARRAYS,
        [{"height": h, "width": w} for h, w in ((64, 64), (8, 220))],
    ),
    "tokens": (TOKENS, [1, "seq", 16], TOKENS_ARRAYS, [{"seq": n} for n in (2, 5, 128, 1000)]),
    "sound": (
        HOPS,
        [1, 1, "samples"],
        {"w0": zeros(20, 1, 400), "w1": zeros(20, 5)},
        [{"samples": n} for n in (2_000, 16_000, 16_079, 16_080, 16_081)],
    ),
}


def built(path: Path, name: str) -> tuple[Path, Trace]:
    nodes, shape, arrays, _ = CASES[name]
    outputs = {"y": None, "z": None} if name == "pyramid" else {"y": None}
    file = model(path / f"{name}.onnx", nodes, {"x": shape}, outputs, arrays, opset=13)
    return file, from_onnx(file)


@pytest.mark.parametrize("name", CASES)
def test_bound_it_is_the_export_with_values(tmp_path: Path, name: str) -> None:
    file, trace = built(tmp_path, name)
    points = CASES[name][3]
    assert set(trace.symbols) == set(points[0])
    for point in points:
        same(trace.bind(point), from_onnx(file, bindings=point))


def same(bound: Trace, expected: Trace) -> None:
    assert bound.header["symbols"] == expected.header["symbols"]
    assert [op.type for op in bound.ops] == [op.type for op in expected.ops]
    assert [sizes_of(op) for op in bound.ops] == [sizes_of(op) for op in expected.ops]
    assert (bound.macs, bound.weights) == (expected.macs, expected.weights)


def test_windows_have_their_formulas(tmp_path: Path) -> None:
    """Size after a window: (size + padding - reach) // stride + 1, rounded up with ceil_mode and SAME_UPPER."""
    trace = built(tmp_path, "pyramid")[1]
    first, _, pool, last, *_ = [op for op in trace.ops if op.type != "Input"]
    assert first.output.shape == (1, 4, "(height+1)//2", "(width+1)//2")
    assert pool.output.shape[2] == "(height+1)//4"  # (first - 3 + 1) // 2 + 1
    assert last.output.shape[2] == "(height+5)//8"  # (pool + 1) // 2
    sound = built(tmp_path, "sound")[1]
    assert sound.ops[1].output.shape == (1, 20, "samples//160+1")


def test_shapes_are_those_of_onnxruntime(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="a run needs the package onnxruntime")
    file, trace = built(tmp_path, "pyramid")
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for height, width in ((33, 40), (62, 47), (100, 101)):
        found = session.run(None, {"x": zeros(1, 3, height, width)})
        bound = trace.bind(height=height, width=width)
        assert [bound.by_name[name].output.shape for name in bound.outputs] == [each.shape for each in found]


def test_a_size_that_fits_is_remembered_and_told(tmp_path: Path) -> None:
    trace = built(tmp_path, "unet")[1]
    examples = trace.header["examples"]
    assert set(examples) == {"height", "width"}
    assert all(value % 4 == 0 for value in examples.values())
    trace.bind(examples)
    trace.save(tmp_path / "t.jsonl")
    assert '"pimsim-trace/3"' in (tmp_path / "t.jsonl").read_text()
    again = Trace.load(tmp_path / "t.jsonl")
    assert again == trace
    fit = f"height={examples['height']}, width={examples['width']}"
    with pytest.raises(TraceError, match=rf"say --bind height=N --bind width=N \(for example {fit}\)"):
        again.require_bound()
    assert "examples" not in again.bind(examples).header


def test_a_size_that_does_not_fit_is_refused_when_it_is_bound(tmp_path: Path) -> None:
    """64 / 4 is whole, 66 / 4 is not: the skip connection has other sizes than what is added to it."""
    trace = built(tmp_path, "unet")[1]
    with pytest.raises(TraceError, match="with height=66, width=64: "):
        trace.bind(height=66, width=64)


def test_one_size_may_be_bound_when_it_is_exported(tmp_path: Path) -> None:
    file = built(tmp_path, "pyramid")[0]
    trace = from_onnx(file, bindings={"height": 57})
    assert trace.symbols == ("width",)
    same(trace.bind(width=31), from_onnx(file, bindings={"height": 57, "width": 31}))


def test_a_size_that_is_written_as_a_sum_of_others_is_that(tmp_path: Path) -> None:
    nodes = [make("MatMul", ["q", "k"], ["s"]), make("Add", ["s", "mask"], ["y"])]
    inputs = {
        "q": [1, 2, "seq", 8],
        "k": [1, 2, 8, "past + seq"],
        "mask": [1, 1, "seq", "past + seq"],
        "p": [1, "past"],
    }
    nodes.append(make("Neg", ["p"], ["z"]))
    file = model(tmp_path / "m.onnx", nodes, inputs, {"y": None, "z": None})
    trace = from_onnx(file)
    assert set(trace.symbols) == {"seq", "past"}
    assert trace.by_name["y"].output.shape == (1, 2, "seq", "past+seq")
    assert trace.bind(seq=3, past=4).macs == 2 * 3 * 7 * 8
    assert from_onnx(file, bindings={"seq": 3, "past": 4}).macs == 2 * 3 * 7 * 8


def test_two_names_of_one_size_are_one_symbol(tmp_path: Path) -> None:
    nodes = [make("Add", ["a", "b"], ["c"]), make("MatMul", ["c", "w"], ["y"])]
    inputs: dict[str, list[Any]] = {"a": [2, "rows_1", 8], "b": [2, "lines_1", 8]}
    trace = from_onnx(model(tmp_path / "m.onnx", nodes, inputs, {"y": None}, {"w": zeros(8, 4)}))
    assert trace.symbols == ("rows_1",)
    assert "symbol 'rows_1' is the dimension 'lines_1'" in trace.header["notes"]
    assert trace.bind(rows_1=5).macs == 2 * 5 * 8 * 4


def test_a_name_that_no_symbol_may_have_becomes_one(tmp_path: Path) -> None:
    nodes = [make("MatMul", ["x", "w"], ["y"])]
    trace = from_onnx(
        model(tmp_path / "m.onnx", nodes, {"x": [3, "text length", 8]}, {"y": None}, {"w": zeros(8, 4)})
    )
    assert trace.symbols == ("text_length",)
    assert trace.header["notes"] == ["symbol 'text_length' is the dimension 'text length'"]


def test_sizes_that_decide_which_ops_there_are_must_be_bound(tmp_path: Path) -> None:
    cell = make("GRU", ["x", "w", "r"], ["", "h"], hidden_size=4)
    inputs: dict[str, list[Any]] = {"x": ["frames", 1, 8], "v": [2, "cells", 4]}
    nodes = [cell, make("Relu", ["v"], ["z"])]
    arrays = {"w": zeros(1, 12, 8), "r": zeros(1, 12, 4)}
    file = model(tmp_path / "m.onnx", nodes, inputs, {"h": None, "z": None}, arrays)
    message = r"value: frames: which ops there are depends on that; say --bind frames=N"
    with pytest.raises(TraceError, match=message):
        from_onnx(file)
    trace = from_onnx(file, bindings={"frames": 6})
    assert trace.symbols == ("cells",)
    assert trace.bind(cells=3).macs == 6 * (8 + 4) * 12


def test_what_no_size_mends_is_said_at_once(tmp_path: Path) -> None:
    nodes = [make("Mystery", ["x"], ["y"], domain="lab")]
    file = model(tmp_path / "m.onnx", nodes, {"x": ["a", "b"]}, {"y": ["a", "b"]}, domains=("lab",))
    with pytest.raises(TraceError, match=r"ops that a trace does not know: lab:Mystery \(1\)"):
        from_onnx(file)
