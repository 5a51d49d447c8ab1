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


def chain(*rows: tuple[Any, ...]) -> list[Any]:
    """Nodes, each (type, inputs, output, attributes)."""
    return [node(type_, list(read), [made], **(rest[0] if rest else {})) for type_, read, made, *rest in rows]


NUMBERS = {"half": 0.5, "one": 1.0, "zero": 0.0, "two": 2.0, "three": 3.0, "six": 6.0, "root": 2**0.5}
GELU = (("Div", "x root", "d"), ("Erf", "d", "e"), ("Add", "e one", "a"))
FORMULAS = {
    "Gelu, halved last": ([*GELU, ("Mul", "x a", "m"), ("Mul", "m half", "y")], ["Gelu"]),
    "Gelu, halved first": ([("Mul", "x half", "h"), *GELU, ("Mul", "a h", "y")], ["Gelu"]),
    "no Gelu": ([*GELU, ("Mul", "x a", "y")], ["Div", "Erf", "Add", "Mul"]),
    "Swish of a multiple": ([("Mul", "x three", "m"), ("Sigmoid", "m", "s"), ("Mul", "x s", "y")], ["Swish"]),
    "HardSwish": (
        [("Add", "x three", "a"), ("Clip", "a zero six", "c"), ("Mul", "x c", "m"), ("Div", "m six", "y")],
        ["HardSwish"],
    ),
    "HardSigmoid": (
        [("Add", "x three", "a"), ("Clip", "a zero six", "c"), ("Div", "c six", "y")],
        ["HardSigmoid"],
    ),
    "Mish": ([("Softplus", "x", "s"), ("Tanh", "s", "t"), ("Mul", "x t", "y")], ["Mish"]),
    "Softplus": ([("Exp", "x", "e"), ("Add", "e one", "a"), ("Log", "a", "y")], ["Softplus"]),
    "nothing": ([("Relu", "x", "r"), ("Mul", "r one", "m"), ("Add", "zero m", "y")], ["Relu"]),
    "a number less x": ([("Relu", "x", "r"), ("Sub", "zero r", "y")], ["Relu", "Sub"]),
    "the same twice": ([("Exp", "x", "a"), ("Exp", "x", "b"), ("Add", "a b", "y")], ["Exp", "Add"]),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas(tmp_path: Path, name: str) -> None:
    rows, expected = FORMULAS[name]
    nodes = chain(*((type_, read.split(), made) for type_, read, made in rows))
    assert types(export(tmp_path / "m.onnx", nodes, **NUMBERS)) == expected


@pytest.mark.parametrize(("power", "found"), [(2.0, True), (3.0, False)])
def test_layer_normalization_by_its_formula(tmp_path: Path, power: float, found: bool) -> None:
    """As exporters before opset 17 write it: 9 ops that are one."""
    last = {"axes": [-1]}
    nodes = chain(
        ("ReduceMean", ["x"], "m", last),
        ("Sub", ["x", "m"], "c"),
        ("Pow", ["c", "power"], "p"),
        ("ReduceMean", ["p"], "v", last),
        ("Add", ["v", "eps"], "e"),
        ("Sqrt", ["e"], "s"),
        ("Div", ["c", "s"], "d"),
        ("Mul", ["d", "w"], "g"),
        ("Add", ["g", "b"], "y"),
    )
    trace = export(tmp_path / "m.onnx", nodes, power=power, eps=1e-5, w=zeros(8), b=zeros(8))
    assert types(trace) == (["LayerNormalization"] if found else [each.op_type for each in nodes])
    if found:
        assert [operand.tensor.shape for operand in trace.ops[1].inputs] == [(2, 5, 8), (8,), (8,)]
        assert trace.ops[1].attributes == {"axis": 2, "epsilon": pytest.approx(1e-5)}


@pytest.mark.parametrize("groups", [2, 4])
def test_group_normalization_around_that_of_instances(tmp_path: Path, groups: int) -> None:
    nodes = chain(
        ("Reshape", ["x", "apart"], "a"),
        ("InstanceNormalization", ["a", "s", "z"], "i"),
        ("Reshape", ["i", "back"], "r"),
        ("Mul", ["r", "w"], "m"),
        ("Add", ["m", "w"], "y"),
    )
    arrays = {"apart": np.array([1, groups, -1]), "back": np.array([1, 4, 3, 3]), "w": zeros(4, 1, 1)}
    inputs = {"x": [1, 4, 3, 3]}
    file = model(
        tmp_path / "m.onnx", nodes, inputs, {"y": None}, {**arrays, "s": zeros(groups), "z": zeros(groups)}
    )
    (norm,) = from_onnx(file).ops[1:]
    assert norm.attributes.get("num_groups", 4) == groups
    assert norm.type == ("GroupNormalization" if groups == 2 else "InstanceNormalization")
    assert [operand.tensor.shape for operand in norm.inputs] == [(1, 4, 3, 3), (4,), (4,)]


def test_what_is_expanded_is_transposed_before(tmp_path: Path) -> None:
    """Two heads of keys for eight of queries: a quarter of the data to move."""
    nodes = chain(
        ("Reshape", ["x", "apart"], "a"),
        ("Expand", ["a", "wide"], "e"),
        ("Reshape", ["e", "heads"], "h"),
        ("Transpose", ["h"], "t", {"perm": [0, 2, 1]}),
        ("Relu", ["t"], "y"),
    )
    shapes = {"apart": [2, 1, 5, 8], "wide": [2, 4, 5, 8], "heads": [8, 5, 8]}
    trace = export(tmp_path / "m.onnx", nodes, **{name: np.array(shape) for name, shape in shapes.items()})
    (turned,) = (op for op in trace.ops if op.type == "Transpose")
    assert turned.output.elements == 2 * 5 * 8
    assert trace.by_name[trace.outputs[0]].inputs[0].tensor.shape == (8, 8, 5)


def test_views_of_views_are_one_and_back_again_is_none(tmp_path: Path) -> None:
    nodes = chain(
        ("Relu", ["x"], "r"),
        ("Flatten", ["r"], "f"),
        ("Reshape", ["f", "flat"], "g"),
        ("Exp", ["g"], "e"),
        ("Reshape", ["g", "back"], "h"),
        ("Reshape", ["e", "back"], "i"),
        ("Add", ["h", "i"], "y"),
    )
    trace = export(tmp_path / "m.onnx", nodes, flat=np.array([80]), back=np.array([2, 5, 8]))
    assert types(trace) == ["Relu", "Reshape", "Exp", "Reshape", "Add"]
    assert trace.ops[-1].inputs[0].source == trace.ops[1].name


@pytest.mark.parametrize("same", [True, False])
def test_equal_weights_are_one(tmp_path: Path, same: bool) -> None:
    """An exporter that folds the transposition of a shared weight stores it once for each layer."""
    weight = np.random.default_rng(1).random((8, 8), np.float32)
    other = weight if same else weight + 1
    nodes = chain(("MatMul", ["x", "v"], "a"), ("MatMul", ["a", "w"], "y"))
    assert export(tmp_path / "m.onnx", nodes, v=weight, w=other).weights == (64 if same else 128)
    assert export(tmp_path / "m.onnx", nodes, v=zeros(8, 8), w=zeros(8, 8)).weights == 128  # not trained yet


def test_a_bias_that_was_left_out_since_it_is_zero(tmp_path: Path) -> None:
    """PyTorch's exporter says so at the node; a trained model has it."""
    gemm = node("Gemm", ["x", "w"], ["y"])
    path = model(tmp_path / "m.onnx", [gemm], {"x": [5, 8]}, {"y": None}, {"w": zeros(8, 3)})
    assert len(from_onnx(path).ops[1].inputs) == 2
    prop = gemm.metadata_props.add()
    prop.key, prop.value = "pkg.onnxscript.rewriter.rule_name", "RemoveOptionalBiasFromGemm"
    path = model(tmp_path / "m.onnx", [gemm], {"x": [5, 8]}, {"y": None}, {"w": zeros(8, 3)})
    assert from_onnx(path).ops[1].inputs[2].tensor.shape == (3,)


def test_bits_of_what_is_read_under_another_shape(tmp_path: Path) -> None:
    """Rows are quantized once they are flattened; no view is left, and the product reads 8 bits as before."""
    nodes = chain(
        ("Relu", ["x"], "r"),
        ("Reshape", ["r", "flat"], "f"),
        ("QuantizeLinear", ["f", "s", "z"], "q"),
        ("DequantizeLinear", ["q", "s", "z"], "d"),
        ("Gemm", ["d", "w", "b"], "g"),
        ("Reshape", ["g", "back"], "y"),
    )
    arrays = {"flat": np.array([10, 8]), "back": np.array([2, 5, 3]), "w": zeros(8, 3), "b": zeros(3)}
    trace = export(tmp_path / "m.onnx", nodes, **arrays, s=0.1, z=np.int8(0))
    assert types(trace) == ["Relu", "MatMul", "Add"]
    assert (trace.ops[1].output.bits, trace.ops[2].inputs[0].tensor.bits) == (8, 8)


@pytest.mark.parametrize("kind", ["Add", "Mul", "Max"])
@pytest.mark.parametrize("spread", [0, 1])
def test_what_is_spread_comes_second(tmp_path: Path, kind: str, spread: int) -> None:
    nodes = [node("Relu", ["x"], ["r"]), node("ReduceMean", ["r"], ["m"], axes=[-1])]
    operands = ["m", "r"] if spread == 0 else ["r", "m"]
    trace = export(tmp_path / "m.onnx", [*nodes, node(kind, operands, ["y"])])
    assert [operand.tensor.shape for operand in trace.ops[-1].inputs] == [(2, 5, 8), (2, 5, 1)]
    other = export(tmp_path / "m.onnx", [*nodes, node("Sub", operands, ["y"])])
    assert [each.source for each in other.ops[-1].inputs] == [
        other.ops[1 + (name == "m")].name for name in operands
    ]


@pytest.mark.parametrize(("perm", "found"), [([0, 2, 1, 3], "Reshape"), ([0, 1, 3, 2], "Transpose")])
def test_a_transposition_of_ones_is_a_view(tmp_path: Path, perm: list[int], found: str) -> None:
    """5 × 1 × 8 to 1 × 5 × 8: all elements are where they were; 8 × 1 beside 1 × 8 not so with 5 before."""
    nodes = [
        node("Relu", ["x"], ["r"]),
        node("Transpose", ["r"], ["t"], perm=perm),
        node("Exp", ["t"], ["y"]),
    ]
    path = model(tmp_path / "m.onnx", nodes, {"x": [2, 1, 5, 8]}, {"y": None}, {})
    assert types(from_onnx(path)) == ["Relu", found, "Exp"]
