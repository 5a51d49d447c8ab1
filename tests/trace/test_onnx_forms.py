"""Has every value its form, where ONNX's own inference gives none?"""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import helper

from pimsim.trace.onnx.export import from_onnx

from .builders import model, zeros

make = helper.make_node


@pytest.mark.parametrize("opset", [12, 13, 15, 16])
@pytest.mark.parametrize("comparison", ["GreaterOrEqual", "LessOrEqual"])
def test_of_a_comparison_of_any_opset(tmp_path: Path, comparison: str, opset: int) -> None:
    """ONNX defines them by two others from opset 12 on, and infers their shape from 16 on."""
    nodes = [
        make(comparison, ["x", "limit"], ["above"]),
        make("Where", ["above", "x", "limit"], ["kept"]),
        make("MatMul", ["kept", "w"], ["y"]),
    ]
    arrays = {"limit": zeros(3, 1, 1), "w": zeros(8, 4)}
    trace = from_onnx(model(tmp_path / "m.onnx", nodes, {"x": [5, 8]}, {"y": None}, arrays, opset))
    (found,) = (op.output for op in trace.ops if op.type == comparison)
    assert (found.shape, found.dtype) == ((3, 5, 8), "bool")
    assert trace.macs == 3 * 5 * 8 * 4


def test_of_a_normalization_by_mean_and_variance(tmp_path: Path) -> None:
    nodes = [make("MeanVarianceNormalization", ["x"], ["n"]), make("Conv", ["n", "w"], ["y"])]
    arrays = {"w": zeros(2, 3, 3, 3)}
    trace = from_onnx(model(tmp_path / "m.onnx", nodes, {"x": [1, 3, 6, 6]}, {"y": None}, arrays, 13))
    assert trace.macs == 2 * 16 * 27
