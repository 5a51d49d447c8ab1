"""Can it be said what only who runs a model knows: a number that it is given, a branch, how many rounds?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pimsim.errors import TraceError
from pimsim.trace import Trace
from pimsim.trace.onnx.export import from_onnx

from .builders import model, zeros

make = helper.make_node
FIRST, OTHER = 8 * 4, 8 * 6  # MACs of the products of the branches


def with_number(path: Path, name: str, *, code: int = TensorProto.INT64, shape: Any = ()) -> Path:
    """Give a model one more input, a whole number."""
    made = onnx.load(path)
    made.graph.input.append(helper.make_tensor_value_info(name, code, list(shape)))
    path.write_bytes(made.SerializeToString())
    return path


def branch(weight: str, prefix: str) -> Any:
    nodes = [make("MatMul", ["x", weight], [f"{prefix}y"], name=f"{prefix}product")]
    out = helper.make_tensor_value_info(f"{prefix}y", TensorProto.FLOAT, None)
    return helper.make_graph(nodes, prefix, [], [out])


def choosing(path: Path, condition: list[Any], inputs: dict[str, list[Any]]) -> Path:
    """Two products of which an If takes one, by a condition that nodes compute."""
    either = make(
        "If", ["on"], ["y"], name="pick", then_branch=branch("w", "a"), else_branch=branch("v", "b")
    )
    arrays = {"w": zeros(8, 4), "v": zeros(8, 6), "rate": np.array(16000), "half": np.float32(0.5)}
    return model(path, [*condition, either], inputs, {"y": None}, arrays)


def by_rate(path: Path, **about: Any) -> Path:
    made = choosing(path, [make("Equal", ["sr", "rate"], ["on"])], {"x": [1, 8]})
    return with_number(made, "sr", **about)


@pytest.mark.parametrize(("rate", "macs"), [(16000, FIRST), (8000, OTHER), (0, OTHER)])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_branch_follows_from_a_number_that_is_bound(
    tmp_path: Path, rate: int, macs: int, shape: tuple[int, ...]
) -> None:
    trace = from_onnx(by_rate(tmp_path / "m.onnx", shape=shape), bindings={"sr": rate})
    assert trace.macs == macs
    assert [op.name for op in trace.ops if op.type == "Input"] == ["x"]
    assert trace.header["symbols"] == {"sr": rate}


def test_without_it_the_message_has_the_number(tmp_path: Path) -> None:
    with pytest.raises(TraceError) as failure:
        from_onnx(by_rate(tmp_path / "m.onnx"))
    assert str(failure.value).endswith("If 'pick': its condition depends on data; say --bind sr=N")


@pytest.mark.parametrize(("taken", "macs"), [(1, FIRST), (0, OTHER)])
def test_of_other_data_the_branch_can_be_said(tmp_path: Path, taken: int, macs: int) -> None:
    condition = [
        make("ReduceMax", ["x"], ["most"], keepdims=0),
        make("Greater", ["most", "half"], ["on"]),
    ]
    made = choosing(tmp_path / "m.onnx", condition, {"x": [1, 8]})
    with pytest.raises(TraceError, match="say which branch is taken: --bind pick=1 for the first"):
        from_onnx(made)
    trace = from_onnx(made, bindings={"pick": taken})
    assert trace.macs == macs
    assert trace.header["symbols"] == {"pick": taken}


def test_a_name_that_nothing_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="has no symbolic dimension 'sn'; expected one of: sr"):
        from_onnx(by_rate(tmp_path / "m.onnx"), bindings={"sn": 1, "pick": 1})
    plain = model(tmp_path / "n.onnx", [make("Relu", ["x"], ["y"])], {"x": [2]}, {"y": None})
    with pytest.raises(TraceError, match="has no symbolic dimension 'pick'; it has none at all"):
        from_onnx(plain, bindings={"pick": 1})


def test_a_dimension_is_not_zero(tmp_path: Path) -> None:
    made = model(tmp_path / "m.onnx", [make("Relu", ["x"], ["y"])], {"x": ["seq", 2]}, {"y": None})
    with pytest.raises(TraceError, match="'seq' bound to 0, expected 1 to"):
        from_onnx(made, bindings={"seq": 0})


def looping(path: Path, count: str, condition: str, before: list[Any]) -> Path:
    """A product by one weight, again and again."""
    body = helper.make_graph(
        [make("MatMul", ["s", "w"], ["t"]), make("Identity", ["go"], ["still"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("t", TensorProto.FLOAT, None),
        ],
    )
    loop = make("Loop", [count, condition, "x"], ["y"], name="again", body=body)
    arrays = {"w": zeros(8, 8), "half": np.float32(0.5), "true": np.array(True)}
    return model(path, [*before, loop], {"x": [1, 8]}, {"y": None}, arrays)


def rounds(trace: Trace) -> int:
    assert trace.weights == 64
    return trace.macs // 64


def test_rounds_follow_from_a_number_that_is_bound(tmp_path: Path) -> None:
    made = with_number(looping(tmp_path / "m.onnx", "steps", "", []), "steps")
    with pytest.raises(TraceError, match="how many rounds it goes depends on data; say --bind steps=N"):
        from_onnx(made)
    assert rounds(from_onnx(made, bindings={"steps": 5})) == 5


@pytest.mark.parametrize("count", ["", "many"])
def test_rounds_that_depend_on_other_data_can_be_said(tmp_path: Path, count: str) -> None:
    before = [
        make("ReduceMax", ["x"], ["most"], keepdims=0),
        make("Greater", ["most", "half"], ["on"]),
        make("Cast", ["most"], ["many"], to=TensorProto.INT64),
    ]
    made = looping(tmp_path / "m.onnx", count, "true" if count else "on", before)
    with pytest.raises(TraceError, match="depends on data; say how many: --bind again=N"):
        from_onnx(made)
    assert rounds(from_onnx(made, bindings={"again": 7})) == 7
    with pytest.raises(TraceError, match="it goes 30000 rounds, 20000 at most"):
        from_onnx(made, bindings={"again": 30000})


def test_a_shape_that_needs_a_number_asks_for_it(tmp_path: Path) -> None:
    nodes = [
        make("Unsqueeze", ["length", "zero"], ["ends"]),
        make("Slice", ["x", "zero", "ends", "zero"], ["cut"]),
        make("MatMul", ["cut", "w"], ["y"]),
    ]
    arrays = {"w": zeros(8, 4), "zero": np.array([0])}
    made = with_number(model(tmp_path / "m.onnx", nodes, {"x": [16, 8]}, {"y": None}, arrays), "length")
    with pytest.raises(TraceError, match=r"the shape of 'cut' \(Slice\) .*; say --bind length=N"):
        from_onnx(made)
    assert from_onnx(made, bindings={"length": 3}).macs == 3 * 8 * 4
