"""Statistics of ONNX models: which values they are of, and what a Conv's weight is once scales are folded into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from pimsim.errors import TraceError
from pimsim.trace import Trace
from pimsim.trace.observed import Statistics
from pimsim.trace.statistics.attach import How
from pimsim.trace.statistics.samples import Expected, Samples

from .builders import model

pytest.importorskip("onnxruntime")

from pimsim.trace.statistics.onnx import inputs_of, with_statistics

node = helper.make_node
RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 2, 6, 6)).astype(np.float32)


def normal(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.normal(size=shape).astype(np.float32)


def runs(array: np.ndarray[Any, Any]) -> Iterator[dict[str, Any]]:
    return ({"x": sample[None]} for sample in array)


def made(path: Path, array: np.ndarray[Any, Any] = X) -> Trace:
    return with_statistics(path, runs(array), How(), "made up")


def of(values: np.ndarray[Any, Any], origin: str = "made up") -> Statistics:
    return Statistics.of(values, origin=origin)


def image(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Channels last, as slices take them."""
    return np.moveaxis(values, 1, -1)


def test_all_values_are_looked_at(tmp_path: Path) -> None:
    """Those of x, of Relu (through an Identity) and of the sum, over all samples."""
    nodes = [
        node("Relu", ["x"], ["r"], name="relu"),
        node("Identity", ["r"], ["i"], name="identity"),
        node("Add", ["i", "b"], ["y"], name="add"),
    ]
    b = normal(2, 1, 1)
    one = ["N", 2, 6, 6]
    trace = made(model(tmp_path / "m.onnx", [*nodes, conv("y")], {"x": one}, {"z": one}, {"b": b, "w": W}))
    relu = np.maximum(X, 0)
    assert trace.by_name["x"].output.stats == of(image(X))  # a Conv reads what is computed from it
    assert trace.by_name["add"].output.stats == of(image(relu + b))
    assert trace.by_name["relu"].output.stats == of(image(relu))
    assert trace.header["notes"] == ["symbolic dimension 'N' of 'x' bound to 1 by default"]
    assert trace.header["weights"] == "trained"


W = normal(2, 2, 1, 1)


def conv(source: str) -> Any:
    return node("Conv", [source, "w"], ["z"], name="conv")


def test_a_folded_conv_has_its_scaled_weight_and_puts_out_what_the_last_one_did(tmp_path: Path) -> None:
    gamma, beta, mean, var = normal(2), normal(2), normal(2), np.abs(normal(2))
    factor, divisor = normal(2, 1, 1), normal(2, 1, 1)
    nodes = [
        conv("x"),
        node("BatchNormalization", ["z", "gamma", "beta", "mean", "var"], ["n"], name="bn", epsilon=0.01),
        node("Mul", ["factor", "n"], ["m"], name="mul"),
        node("Div", ["m", "divisor"], ["d"], name="div"),
        node("Add", ["d", "shift"], ["y"], name="add"),
    ]
    arrays = {"w": W, "gamma": gamma, "beta": beta, "mean": mean, "var": var}
    arrays |= {"factor": factor, "divisor": divisor, "shift": normal(2, 1, 1)}
    one = [1, 2, 6, 6]
    path = model(tmp_path / "m.onnx", nodes, {"x": one}, {"y": one}, arrays)
    trace = made(path)
    assert [op.name for op in trace.ops] == ["x", "conv"]
    scale = gamma / np.sqrt(var + 0.01) * factor.ravel() / divisor.ravel()
    expected = of(W * scale.reshape(2, 1, 1, 1), "weights of m.onnx")
    stats = trace.by_name["conv"].inputs[1].tensor.stats
    assert stats is not None
    assert stats.minimum == pytest.approx(expected.minimum, rel=1e-6)
    assert stats.histogram == expected.histogram
    output = trace.by_name["conv"].output.stats
    by_hand = np.einsum("oi,nihw->nohw", W[:, :, 0, 0].astype(np.float64), X)
    by_hand = by_hand * scale.reshape(2, 1, 1) + (
        (beta - gamma * mean / np.sqrt(var + 0.01)).reshape(2, 1, 1) * factor / divisor + arrays["shift"]
    )
    assert output is not None
    assert (output.minimum, output.maximum) == pytest.approx((by_hand.min(), by_hand.max()), rel=1e-4)


def test_a_weight_computed_from_constants_has_its_values(tmp_path: Path) -> None:
    w = normal(5, 6)
    nodes = [
        node("Transpose", ["w"], ["t"], perm=[1, 0]),
        node("MatMul", ["x", "t"], ["y"], name="product"),
    ]
    path = model(tmp_path / "m.onnx", nodes, {"x": ["N", 6]}, {"y": ["N", 5]}, {"w": w})
    trace = with_statistics(path, [{"x": normal(1, 6)}], How(rows=6), "made up")
    stats = trace.by_name["product"].inputs[1].tensor.stats
    assert stats == Statistics.of(
        w, origin="weights of m.onnx", rows=6
    )  # a slice takes the inputs of an output


def test_filled_weights_are_refused(tmp_path: Path) -> None:
    shape = helper.make_tensor("shape", 7, [2], [6, 5])
    nodes = [
        node("Constant", [], ["s"], value=shape),
        node("ConstantOfShape", ["s"], ["w"], value=helper.make_tensor("one", 1, [1], [1.0])),
        node("MatMul", ["x", "w"], ["y"]),
    ]
    path = model(tmp_path / "m.onnx", nodes, {"x": [1, 6]}, {"y": [1, 5]})
    with pytest.raises(TraceError, match="the weights are constant, expected trained ones"):
        with_statistics(path, [{"x": normal(1, 6)}], How(), "made up")


def test_runs_may_differ_in_length(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["y"], name="product")]
    w = normal(4, 3)
    path = model(tmp_path / "m.onnx", nodes, {"x": ["N", "seq", 4]}, {"y": ["N", "seq", 3]}, {"w": w})
    parts = [normal(1, length, 4) for length in (2, 5, 3)]
    trace = with_statistics(
        path, [{"x": part} for part in parts], How(rows=4), "made up", bindings={"seq": 7}
    )
    product = trace.by_name["product"]
    assert product.output.shape == (1, 7, 3)
    assert product.output.stats is not None
    assert product.output.stats.count == 10 * 3
    assert trace.by_name["x"].output.stats == Statistics.of(parts, origin="made up", rows=4)


def test_nothing_to_run_on(tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx", [conv("x")], {"x": [1, 2, 6, 6]}, {"z": [1, 2, 6, 6]}, {"w": W})
    with pytest.raises(TraceError, match="no inputs to run the model on"):
        made(path, X[:0])
    with pytest.raises(TraceError, match="cannot be run on these inputs"):
        made(path, X[:, :, :3])


def test_inputs_are_those_that_are_not_stored(tmp_path: Path) -> None:
    one = ["N", 2, "", 6]
    path = model(tmp_path / "m.onnx", [conv("x")], {"x": one, "w": [2, 2, 1, 1]}, {"z": None}, {"w": W})
    assert inputs_of(path) == [Expected("x", ("N", 2, "x[2]", 6), "float32")]


def test_samples_make_runs(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", a=np.zeros((6, 3, 5)), b=np.zeros((6, 5), np.int32))
    expected = [Expected("a", ("N", 3, "seq"), "float32"), Expected("b", ("N", "seq"), "int64")]
    samples = Samples.load(tmp_path / "d.npz", expected)
    assert (samples.count, samples.per_run, samples.bindings) == (6, 1, {"N": 1, "seq": 5})
    shapes = [{name: (array.shape, array.dtype.name) for name, array in run.items()} for run in samples]
    assert shapes == [{"a": ((1, 3, 5), "float32"), "b": ((1, 5), "int64")}] * 6
    fixed = [Expected("a", (3, 3, 5), "float32"), Expected("b", ("N", 5), "int64")]
    assert [run["b"].shape for run in Samples.load(tmp_path / "d.npz", fixed)] == [(3, 5)] * 2
