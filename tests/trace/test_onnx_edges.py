"""Values and sizes at their edges in ONNX files: limits, windows beyond the map, empty caches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from pimsim import Chip, simulate
from pimsim.errors import TraceError
from pimsim.trace import Trace
from pimsim.trace.onnx.export import from_onnx

from .builders import model

make = helper.make_node
LEAST = np.array(0, np.float32)


def exported(path: Path, nodes: list[Any], inputs: dict[str, Any], arrays: Any = None, **more: Any) -> Trace:
    bindings = more.pop("bindings", None)
    return from_onnx(
        model(path / "m.onnx", nodes, inputs, {"y": None}, arrays or {}, **more), bindings=bindings
    )


def limits(trace: Trace) -> tuple[Any, Any]:
    (op,) = (op for op in trace.ops if op.type == "Clip")
    return op.attributes["min"], op.attributes["max"]


class TestLimits:
    @pytest.mark.parametrize("most", [np.inf, np.finfo(np.float32).max])
    def test_one_that_no_number_reaches_is_none(self, tmp_path: Path, most: float) -> None:
        arrays = {"low": LEAST, "high": np.array(most, np.float32)}
        assert limits(
            exported(tmp_path, [make("Clip", ["x", "low", "high"], ["y"])], {"x": [2, 8]}, arrays)
        ) == (0, None)

    def test_likewise_as_an_attribute(self, tmp_path: Path) -> None:
        node = make("Clip", ["x"], ["y"], min=-np.inf, max=6.0)
        assert limits(exported(tmp_path, [node], {"x": [2, 8]}, opset=9)) == (None, 6)

    @pytest.mark.parametrize("type_", ["Max", "Min"])
    @pytest.mark.parametrize("first", [True, False])
    def test_the_larger_or_smaller_of_a_number_is_one(self, tmp_path: Path, type_: str, first: bool) -> None:
        """PyTorch's exporter writes `clamp(min=0)` as Max."""
        node = make(type_, ["x", "low"] if first else ["low", "x"], ["y"])
        expected = (0, None) if type_ == "Max" else (None, 0)
        assert limits(exported(tmp_path, [node], {"x": [2, 8]}, {"low": LEAST})) == expected

    def test_a_number_that_spreads_what_it_is_compared_with_is_none(self, tmp_path: Path) -> None:
        trace = exported(
            tmp_path, [make("Max", ["x", "low"], ["y"])], {"x": [8]}, {"low": LEAST.reshape(1, 1)}
        )
        assert [op.type for op in trace.ops[1:]] == ["Max"]

    NODES = (
        *(make("Shape", ["x"], ["sizes"]), make("Gather", ["sizes", "one"], ["n"])),
        *(make("Cast", ["n"], ["high"], to=1), make("Clip", ["x", "low", "high"], ["y"])),
    )

    def test_one_that_follows_from_a_size(self, tmp_path: Path) -> None:
        arrays = {"low": LEAST, "one": np.array(1)}
        assert limits(exported(tmp_path, list(self.NODES), {"x": [2, 8]}, arrays)) == (0, 8)
        free = exported(tmp_path, list(self.NODES), {"x": [2, "n"]}, arrays)
        assert limits(free) == (0, None)
        assert free.bind(n=300).ops[-1].output.shape == (2, 300)

    @pytest.mark.parametrize(("at", "expected"), [(1, "Max"), (2, "Min")])
    def test_one_that_is_computed(self, tmp_path: Path, at: int, expected: str) -> None:
        nodes = [
            make("ReduceMean", ["x"], ["m"], keepdims=0),
            make("Clip", ["x", *[""] * (at - 1), "m"], ["y"]),
        ]
        trace = exported(tmp_path, nodes, {"x": [2, 8]}, opset=13)
        assert [op.type for op in trace.ops[1:]] == ["ReduceMean", expected]
        assert simulate(Chip.load("isaac"), trace).latency_fs > 0

    def test_one_that_is_an_input(self, tmp_path: Path) -> None:
        trace = exported(tmp_path, [make("Clip", ["x", "", "h"], ["y"])], {"x": [2, 8], "h": []})
        assert trace.ops[-1].type == "Min"


@pytest.mark.parametrize("type_", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad"),
    [
        (8, 1, 2, 0),
        (8, 2, 5, 0),
        (5, 1, 3, 0),
        (7, 2, 3, 0),
        (7, 3, 2, 1),
        (5, 2, 4, 1),
        (9, 3, 4, 1),
        (3, 4, 2, 1),
    ],
)
def test_windows_rounded_up_beyond_the_map(
    tmp_path: Path, type_: str, size: int, kernel: int, stride: int, pad: int
) -> None:
    """ONNX: ceil((n + 2p - k) / s) + 1, without a window that starts behind the map and its padding on the left."""
    window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "ceil_mode": 1}
    trace = exported(tmp_path, [make(type_, ["x"], ["y"], **window)], {"x": [1, 3, size, size]}, opset=19)
    expected = min(-(-(size + 2 * pad - kernel) // stride) + 1, -(-(size + pad) // stride))
    assert trace.ops[-1].output.shape == (1, 3, expected, expected)
    assert simulate(Chip.load("isaac"), trace).latency_fs > 0


class TestEmptyCaches:
    NODES = (
        *(make("Concat", ["pk", "k"], ["ks"], axis=2), make("Concat", ["pv", "v"], ["vs"], axis=2)),
        *(make("Transpose", ["ks"], ["kt"], perm=[0, 1, 3, 2]), make("MatMul", ["q", "kt"], ["s"])),
        *(make("Softmax", ["s"], ["a"]), make("MatMul", ["a", "vs"], ["y"])),
    )

    @pytest.mark.parametrize("past", [0, "past"])
    def test_what_is_joined_with_nothing_is_itself(self, tmp_path: Path, past: Any) -> None:
        """Two heads of 4 queries and 4 keys of 8: 2 x 2 x 4 x 4 x 8 MACs."""
        new = {name: [1, 2, 4, 8] for name in ("q", "k", "v")}
        inputs = {**new, "pk": [1, 2, past, 8], "pv": [1, 2, past, 8]}
        trace = exported(tmp_path, list(self.NODES), inputs, bindings={"past": 0} if past else None)
        assert [op.type for op in trace.ops[3:]] == ["Transpose", "MatMul", "Softmax", "MatMul"]
        assert trace.macs == 2 * 2 * 4 * 4 * 8
        assert simulate(Chip.load("hermes_llm"), trace).macs == trace.macs

    @pytest.mark.parametrize("way", ["stored", "computed", "cut"])
    def test_whatever_it_comes_from(self, tmp_path: Path, way: str) -> None:
        made = {
            "stored": ([], {"e": np.zeros((1, 0), np.float32)}),
            "computed": ([make("ConstantOfShape", ["size"], ["e"])], {"size": np.array([1, 0])}),
            "cut": (
                [make("Slice", ["x", "two", "two", "one"], ["e"])],
                {"two": np.array([2]), "one": np.array([1])},
            ),
        }[way]
        nodes = [*made[0], make("Concat", ["e", "x"], ["c"], axis=1), make("Relu", ["c"], ["y"])]
        trace = exported(tmp_path, nodes, {"x": [1, 4]}, made[1])
        assert [op.type for op in trace.ops] == ["Input", "Relu"]

    def test_of_attention_ops(self, tmp_path: Path) -> None:
        """Expected: the MACs of the same op without a cache."""
        macs = set[int]()
        rows, past = {name: [1, 4, 16] for name in "qkv"}, {"pk": [1, 2, 0, 8], "pv": [1, 2, 0, 8]}
        heads = {"q_num_heads": 2, "kv_num_heads": 2}
        for names, inputs in ([], rows), (["", "pk", "pv"], {**rows, **past}):
            node = make("Attention", [*"qkv", *names], ["y"], **heads)
            macs.add(exported(tmp_path, [node], inputs, opset=23).macs)
        assert macs == {2 * 2 * 4 * 4 * 8}


@pytest.mark.parametrize("scalar", ["left", "right"])
@pytest.mark.parametrize("constant", [True, False])
def test_a_product_by_a_scalar_is_refused(tmp_path: Path, scalar: str, constant: bool) -> None:
    """Found by the fuzzer; the ONNX library lets it through where it knows no shapes."""
    inputs = {"x": [2, 3, 4]} if constant else {"x": [2, 3, 4], "w": []}
    nodes = [make("MatMul", ["x", "w"] if scalar == "right" else ["w", "x"], ["y"])]
    with pytest.raises(TraceError, match="MatMul"):
        exported(tmp_path, nodes, inputs, {"w": LEAST} if constant else {})


@pytest.mark.parametrize("way", ["plain", "turned", "scaled"])
def test_a_gemm_of_two_activations_is_a_product(tmp_path: Path, way: str) -> None:
    """Arrays hold no weight of it, so any chip with MatMul does it: 3 x 4 x 5 MACs."""
    kind = {"plain": {}, "turned": {"transA": 1, "transB": 1}, "scaled": {"alpha": 0.5, "beta": 2.0}}[way]
    inputs: dict[str, Any] = {"a": [3, 4], "b": [4, 5], "c": [5]}
    if way == "turned":
        inputs |= {"a": [4, 3], "b": [5, 4]}
    trace = exported(tmp_path, [make("Gemm", ["a", "b", "c"], ["y"], **kind)], inputs)
    assert (trace.macs, trace.weights, trace.ops[-1].output.shape) == (3 * 4 * 5, 0, (3, 5))
    assert sum(op.type == "Mul" for op in trace.ops) == (2 if way == "scaled" else 0)
    for chip in ("isaac", "hermes_llm"):
        assert simulate(Chip.load(chip), trace).macs == trace.macs


@pytest.mark.parametrize("opset", [6, 7])
def test_a_slope_for_each_channel(tmp_path: Path, opset: int) -> None:
    """ONNX's documentation: a slope of C elements is one of each channel before opset 7, and broadcast since."""
    shape = (3,) if opset < 7 else (3, 1, 1)
    trace = exported(
        tmp_path,
        [make("PRelu", ["x", "s"], ["y"])],
        {"x": [1, 3, 4, 5]},
        {"s": np.ones(shape, np.float32)},
        opset=opset,
    )
    assert [op.type for op in trace.ops] == ["Input", "PRelu"]
    assert trace.ops[-1].output.shape == (1, 3, 4, 5)


def test_a_weight_whose_shape_follows_from_an_activation(tmp_path: Path) -> None:
    nodes = [
        make("Shape", ["x"], ["sizes"], start=-1),
        make("Concat", ["sizes", "rest"], ["to"], axis=0),
        make("Reshape", ["w", "to"], ["matrix"]),
        make("MatMul", ["x", "matrix"], ["y"]),
    ]
    arrays = {"w": np.ones(24, np.float32), "rest": np.array([-1])}
    trace = exported(tmp_path, nodes, {"x": [2, 4]}, arrays)
    assert (trace.macs, trace.weights, trace.header["weights"]) == (2 * 4 * 6, 24, "trained")


def test_a_constant_that_is_read_before_and_behind_a_cast(tmp_path: Path) -> None:
    arrays = {"low": np.ones((8,), np.float16)}
    nodes = [
        make("Cast", ["low"], ["wide"], to=1),
        make("Add", ["x", "wide"], ["a"]),
        make("Cast", ["a"], ["b"], to=10),
        make("Sub", ["b", "low"], ["c"]),
        make("Mul", ["c", "low"], ["y"]),
    ]
    trace = exported(tmp_path, nodes, {"x": [2, 8]}, arrays)
    assert [op.type for op in trace.ops] == ["Input", "Add", "Sub", "Mul"]
    assert [op.inputs[1].tensor.dtype for op in trace.ops[1:]] == ["float32", "float16", "float16"]
