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
