"""What ONNX's domain for classical learning becomes: figures by formula; trees are refused with their reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx import helper

import pimsim
from pimsim.errors import TraceError
from pimsim.trace.onnx.export import from_onnx

from .builders import model, zeros

make = helper.make_node


def exported(path: Path, nodes: list[Any], **arrays: Any) -> pimsim.Trace:
    file = model(path / "m.onnx", nodes, {"x": [4, 6]}, {"y": None}, arrays, domains=("ai.onnx.ml",))
    return from_onnx(file)


@pytest.mark.parametrize("count", [1, 6])
def test_a_scaler_takes_off_and_multiplies(tmp_path: Path, count: int) -> None:
    scaler = make("Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=[0.5] * count, scale=[2.0] * count)
    trace = exported(tmp_path, [scaler, make("MatMul", ["s", "w"], ["y"])], w=zeros(6, 3))
    assert [op.type for op in trace.ops] == ["Input", "Sub", "Mul", "MatMul"]
    assert all(op.output.shape == (4, 6) for op in trace.ops[:3])
    assert (trace.macs, trace.weights, trace.unknown) == (4 * 6 * 3, 18, {})
    assert pimsim.simulate(pimsim.Chip.load("isaac"), trace).latency_fs > 0


def test_what_changes_nothing_is_no_op(tmp_path: Path) -> None:
    scaler = make("Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=[0.0], scale=[1.0])
    trace = exported(tmp_path, [scaler, make("MatMul", ["s", "w"], ["y"])], w=zeros(6, 3))
    assert [op.type for op in trace.ops] == ["Input", "MatMul"]


def test_a_linear_regressor_is_a_product(tmp_path: Path) -> None:
    linear = make(
        "LinearRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        targets=2,
        coefficients=[1.0] * 12,
        intercepts=[1.0, 2.0],
    )
    trace = exported(tmp_path, [linear])
    assert [op.type for op in trace.ops] == ["Input", "MatMul", "Add"]
    assert (trace.macs, trace.weights) == (4 * 6 * 2, 12)


def test_coefficients_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    linear = make("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", targets=2, coefficients=[1.0] * 11)
    with pytest.raises(TraceError, match="it has 11 coefficients for 2 targets"):
        exported(tmp_path, [linear])


@pytest.mark.parametrize("kind", ["TreeEnsembleClassifier", "TreeEnsembleRegressor"])
def test_trees_are_refused_with_the_reason(tmp_path: Path, kind: str) -> None:
    outputs = ["y", "z"][: 2 if "Classifier" in kind else 1]
    with pytest.raises(TraceError, match=f"{kind} .*decision trees compare and branch on data"):
        exported(tmp_path, [make(kind, ["x"], outputs, domain="ai.onnx.ml", nodes_featureids=[0])])
