"""Patterns that are one op: found where they are whole, and left where they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from pimsim.trace import Trace
from pimsim.trace.onnx.export import from_onnx

from .builders import model, zeros

node = helper.make_node


def export(path: Path, nodes: list[Any], **arrays: Any) -> Trace:
    numbers = {name: np.float32(value) for name, value in arrays.items() if isinstance(value, float)}
    return from_onnx(model(path, nodes, {"x": [2, 5, 8]}, {"y": None}, {**arrays, **numbers}))


def types(trace: Trace) -> list[str]:
    return [op.type for op in trace.ops if op.type != "Input"]


def test_swish(tmp_path: Path) -> None:
    nodes = [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])]
    assert types(export(tmp_path / "m.onnx", nodes)) == ["Swish"]
    nodes = [node("Exp", ["x"], ["e"]), node("Sigmoid", ["x"], ["s"]), node("Mul", ["e", "s"], ["y"])]
    assert types(export(tmp_path / "m.onnx", nodes)) == ["Exp", "Sigmoid", "Mul"]


@pytest.mark.parametrize(("cube", "found"), [(0.044715, ["Gelu"]), (0.5, None)])
def test_gelu_by_its_formula(tmp_path: Path, cube: float, found: list[str] | None) -> None:
    nodes = [
        node("Mul", ["x", "half"], ["h"]),
        node("Pow", ["x", "three"], ["p"]),
        node("Mul", ["p", "cube"], ["c"]),
        node("Add", ["x", "c"], ["t"]),
        node("Mul", ["t", "root"], ["r"]),
        node("Tanh", ["r"], ["n"]),
        node("Add", ["n", "one"], ["o"]),
        node("Mul", ["h", "o"], ["y"]),
    ]
    trace = export(tmp_path / "m.onnx", nodes, half=0.5, three=3.0, cube=cube, root=0.7978845608, one=1.0)
    assert types(trace) == (found or [each.op_type for each in nodes])


@pytest.mark.parametrize("power", [2.0, 3.0])
def test_root_mean_square(tmp_path: Path, power: float) -> None:
    nodes = [
        node("Pow", ["x", "power"], ["p"]),
        node("ReduceMean", ["p"], ["m"], axes=[-1]),
        node("Add", ["m", "eps"], ["a"]),
        node("Sqrt", ["a"], ["q"]),
        node("Reciprocal", ["q"], ["r"]),
        node("Mul", ["x", "r"], ["n"]),
        node("Mul", ["w", "n"], ["y"]),
    ]
    trace = export(tmp_path / "m.onnx", nodes, power=power, eps=1e-5, w=zeros(8))
    if power != 2:
        assert types(trace) == [each.op_type for each in nodes]
        return
    assert types(trace) == ["RMSNormalization"]
    assert trace.ops[1].attributes == {"axis": 2, "epsilon": pytest.approx(1e-5)}


def test_a_row_of_a_softmax_that_is_all_masked(tmp_path: Path) -> None:
    nodes = [
        node("Softmax", ["x"], ["s"]),
        node("IsNaN", ["s"], ["n"]),
        node("Where", ["n", "zero", "s"], ["w"]),
        node("Relu", ["w"], ["y"]),
    ]
    assert types(export(tmp_path / "m.onnx", nodes, zero=0.0)) == ["Softmax", "Relu"]


def test_scores_are_scaled_once(tmp_path: Path) -> None:
    """Queries and keys, each by the root, are as many Muls of as many elements; both exporters write one of scores."""
    nodes = [
        node("Mul", ["x", "root"], ["q"]),
        node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        node("Mul", ["t", "root"], ["k"]),
        node("MatMul", ["q", "k"], ["y"]),
    ]
    trace = export(tmp_path / "m.onnx", nodes, root=0.5)
    assert types(trace) == ["Transpose", "MatMul", "Mul"]
    assert trace.by_name[trace.outputs[0]].output.shape == (2, 5, 5)
    assert trace.macs == 2 * 5 * 5 * 8


def test_transpositions_are_joined(tmp_path: Path) -> None:
    """Keys by heads, turned: as the exporter writes it, with the heads flattened around the second one."""
    nodes = [
        node("Reshape", ["x", "apart"], ["a"]),
        node("Transpose", ["a"], ["h"], perm=[0, 2, 1, 3]),
        node("Reshape", ["h", "flat"], ["f"]),
        node("Transpose", ["f"], ["t"], perm=[0, 2, 1]),
        node("Reshape", ["t", "back"], ["b"]),
        node("Relu", ["b"], ["y"]),
    ]
    shapes = {"apart": [2, 5, 4, 2], "flat": [8, 5, 2], "back": [2, 4, 2, 5]}
    trace = export(tmp_path / "m.onnx", nodes, **{name: np.array(shape) for name, shape in shapes.items()})
    assert types(trace) == ["Reshape", "Transpose", "Relu"]
    assert trace.ops[-2].attributes == {"perm": (0, 2, 3, 1)}
    assert trace.ops[-2].output.shape == (2, 4, 2, 5)


@pytest.mark.parametrize("turned", [0, 1])
def test_rows_that_are_flattened_around_a_product(tmp_path: Path, turned: int) -> None:
    nodes = [
        node("Reshape", ["x", "flat"], ["f"]),
        node("Gemm", ["f", "w", "b"], ["g"], transB=turned),
        node("Reshape", ["g", "back"], ["r"]),
        node("Relu", ["r"], ["y"]),
    ]
    arrays = {
        "flat": np.array([10, 8]),
        "back": np.array([2, 5, 3]),
        "w": zeros(*((3, 8) if turned else (8, 3))),
    }
    trace = export(tmp_path / "m.onnx", nodes, **arrays, b=zeros(3))
    assert types(trace) == ["MatMul", "Add", "Relu"]
    (product,) = (op for op in trace.ops if op.macs)
    assert product.inputs[1].tensor.shape == (8, 3)
    assert (trace.macs, trace.weights) == (2 * 5 * 8 * 3, 24)


def test_one_index_that_is_known_is_a_slice(tmp_path: Path) -> None:
    nodes = [node("Gather", ["x", "i"], ["g"], axis=1), node("Relu", ["g"], ["y"])]
    trace = export(tmp_path / "m.onnx", nodes, i=np.int64(-1))
    assert types(trace) == ["Slice", "Reshape", "Relu"]
    assert trace.by_name[trace.outputs[0]].output.shape == (2, 8)
