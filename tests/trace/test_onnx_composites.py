"""Ops that a trace has no type for, taken apart: MACs and weights by formula, bits from the file, shapes of ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pimsim.errors import TraceError
from pimsim.trace import Trace
from pimsim.trace.onnx.export import from_onnx

from .builders import model, zeros

node = helper.make_node


def types(trace: Trace) -> list[str]:
    return [op.type for op in trace.ops if op.type != "Input"]


@pytest.mark.parametrize(
    ("size", "kernel", "group", "about", "out"),
    [
        ((5, 6), (3, 3), 1, {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}, (10, 12)),
        ((5, 6), (2, 2), 1, {"strides": [2, 2]}, (10, 12)),
        ((4, 4), (3, 2), 2, {"strides": [1, 3], "dilations": [2, 1]}, (8, 11)),
        ((7,), (4,), 1, {"strides": [2], "auto_pad": "SAME_UPPER"}, (14,)),
        ((3, 3), (3, 3), 1, {"strides": [2, 2], "output_shape": [5, 6]}, (5, 6)),
        ((2, 3, 4), (2, 2, 2), 1, {"strides": [2, 2, 2]}, (4, 6, 8)),
    ],
)
def test_transposed_convolution(
    tmp_path: Path, size: Any, kernel: Any, group: int, about: dict[str, Any], out: tuple[int, ...]
) -> None:
    """Input pixels · kernel · channels in · channels out of a group."""
    w = zeros(4, 6 // group, *kernel)
    made = [node("ConvTranspose", ["x", "w", "b"], ["y"], group=group, **about)]
    shape = [1, 4, *size]
    trace = from_onnx(model(tmp_path / "m.onnx", made, {"x": shape}, {"y": None}, {"w": w, "b": zeros(6)}))
    assert trace.macs == np.prod(size) * np.prod(kernel) * 4 * 6 // group
    assert trace.weights == w.size
    assert trace.by_name[trace.outputs[0]].output.shape == (1, 6, *out)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("more", [{}, {"linear_before_reset": 1}])
def test_a_recurrent_layer_is_one_weight_for_all_steps(
    tmp_path: Path, kind: str, gates: int, direction: str, more: dict[str, int]
) -> None:
    """Gates · features · (features in + features) a step, sequence and direction."""
    if more and kind != "GRU":
        return
    steps, batch, inner, size = 7, 2, 5, 3
    ways = 2 if direction == "bidirectional" else 1
    arrays = {"w": zeros(ways, gates * size, inner), "r": zeros(ways, gates * size, size)}
    arrays["b"] = zeros(ways, 2 * gates * size)
    made = [node(kind, ["x", "w", "r", "b"], ["y", "h"], hidden_size=size, direction=direction, **more)]
    path = model(tmp_path / "m.onnx", made, {"x": [steps, batch, inner]}, {"y": None, "h": None}, arrays)
    trace = from_onnx(path)
    assert trace.macs == steps * batch * ways * gates * size * (inner + size)
    assert trace.weights == ways * gates * size * (inner + size)
    shapes = [trace.by_name[name].output.shape for name in trace.outputs]
    assert shapes == [(steps, ways, batch, size), (ways, batch, size)]


def test_attention_of_opset_23(tmp_path: Path) -> None:
    """Two products a head: rows · keys · features; groups of query heads share keys."""
    made = [node("Attention", ["q", "k", "v"], ["y"], q_num_heads=4, kv_num_heads=2, is_causal=1)]
    inputs: dict[str, list[Any]] = {"q": [1, 6, 32], "k": [1, 9, 16], "v": [1, 9, 16]}
    trace = from_onnx(model(tmp_path / "m.onnx", made, inputs, {"y": None}, opset=23))
    assert trace.macs == 2 * 4 * 6 * 9 * 8
    assert trace.weights == 0
    assert trace.by_name[trace.outputs[0]].output.shape == (1, 6, 32)
    assert "Softmax" in types(trace)


@pytest.mark.parametrize(
    ("type_", "inputs", "about", "arrays", "macs", "weights", "out"),
    [
        ("Attention", ["x", "w", "b"], {"num_heads": 4}, {"w": (32, 96), "b": (96,)},
         6 * 32 * 96 + 2 * 6 * 6 * 32, 32 * 96, (1, 6, 32)),
        ("MultiHeadAttention", ["x", "x", "x"], {"num_heads": 4}, {}, 2 * 6 * 6 * 32, 0, (1, 6, 32)),
        ("FusedMatMul", ["x", "w"], {"transB": 1, "alpha": 2.0}, {"w": (8, 32)}, 6 * 32 * 8, 256, (1, 6, 8)),
        ("MatMulNBits", ["x", "p", "s"], {"K": 32, "N": 10, "bits": 4, "block_size": 32},
         {"p": (10, 1, 16), "s": (10,)}, 6 * 32 * 10, 320, (1, 6, 10)),
        ("QuickGelu", ["x"], {}, {}, 0, 0, (1, 6, 32)),
        ("SkipLayerNormalization", ["x", "x", "g", "b"], {}, {"g": (32,), "b": (32,)}, 0, 0, (1, 6, 32)),
    ],
)  # fmt: skip
def test_what_onnxruntime_fuses(
    tmp_path: Path, type_: str, inputs: list[str], about: Any, arrays: Any, macs: int, weights: int, out: Any
) -> None:
    made = [node(type_, inputs, ["y"], domain="com.microsoft", **about)]
    held = {name: zeros(*shape) for name, shape in arrays.items()}
    path = model(tmp_path / "m.onnx", made, {"x": [1, 6, 32]}, {"y": None}, held, domains=("com.microsoft",))
    trace = from_onnx(path)
    assert (trace.macs, trace.weights) == (macs, weights)
    assert trace.by_name[trace.outputs[0]].output.shape == out
    if type_ == "MatMulNBits":
        assert [op.weight.tensor.bits for op in trace.ops if op.weight] == [4]


@pytest.mark.parametrize(
    ("equation", "shapes", "macs", "out"),
    [
        ("bik,bkj->bij", [(2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5, (2, 3, 5)),
        ("bqhd,bkhd->bhqk", [(2, 3, 4, 5), (2, 6, 4, 5)], 2 * 4 * 3 * 6 * 5, (2, 4, 3, 6)),
        ("...d,df->...f", [(2, 3, 4), (4, 5)], 2 * 3 * 4 * 5, (2, 3, 5)),
        ("ij,ij->ij", [(3, 4), (3, 4)], 0, (3, 4)),
        ("ijk->ki", [(2, 3, 4)], 0, (4, 2)),
        ("i,j", [(3,), (4,)], 12, (3, 4)),
    ],
)
def test_einsum(tmp_path: Path, equation: str, shapes: Any, macs: int, out: tuple[int, ...]) -> None:
    inputs = {f"x{n}": list(shape) for n, shape in enumerate(shapes)}
    path = model(
        tmp_path / "m.onnx", [node("Einsum", [*inputs], ["y"], equation=equation)], inputs, {"y": None}
    )
    trace = from_onnx(path)
    assert trace.macs == macs
    assert trace.by_name[trace.outputs[0]].output.shape == out


def test_bits_come_from_the_file_of_each_weight(tmp_path: Path) -> None:
    """A weight of 4 bits, one of 8, and one that is not quantized; an activation between Q and DQ has 8."""
    made = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        node("DequantizeLinear", ["w4", "s"], ["a"]),
        node("MatMul", ["xd", "a"], ["one"]),
        node("DequantizeLinear", ["w8", "s"], ["b"]),
        node("Transpose", ["b"], ["bt"]),
        node("MatMul", ["one", "bt"], ["two"]),
        node("MatMul", ["two", "w32"], ["y"]),
    ]
    arrays = {"s": np.float32(0.1), "z": np.uint8(0), "w8": np.zeros((16, 16), np.int8), "w32": zeros(16, 16)}
    path = model(tmp_path / "m.onnx", made, {"x": [4, 16]}, {"y": None}, arrays, opset=21)
    loaded = onnx.load(path)
    packed = numpy_helper.from_array(np.zeros((16, 16), np.int8), "w4")
    four = helper.make_tensor("w4", TensorProto.INT4, packed.dims, np.zeros(256, np.int8))
    loaded.graph.initializer.append(four)
    path.write_bytes(loaded.SerializeToString())
    trace = from_onnx(path)
    assert types(trace) == ["MatMul"] * 3
    assert [op.weight.tensor.bits for op in trace.ops if op.weight] == [4, 8, None]
    assert [op.inputs[0].tensor.bits for op in trace.ops if op.weight] == [8, None, None]
    assert trace.weights == 3 * 256


def test_a_loop_of_known_length_is_its_body_once_a_round(tmp_path: Path) -> None:
    body = helper.make_graph(
        [node("MatMul", ["h", "w"], ["next"]), node("Identity", ["go"], ["on"])],
        "body",
        [helper.make_tensor_value_info("i", 7, []), helper.make_tensor_value_info("go", 9, []),
         helper.make_tensor_value_info("h", 1, [2, 8])],
        [helper.make_tensor_value_info("on", 9, []), helper.make_tensor_value_info("next", 1, [2, 8])],
    )  # fmt: skip
    made = [node("Loop", ["rounds", "", "x"], ["y"], body=body)]
    arrays = {"rounds": np.int64(5), "w": zeros(8, 8)}
    trace = from_onnx(model(tmp_path / "m.onnx", made, {"x": [2, 8]}, {"y": None}, arrays))
    assert types(trace) == ["MatMul"] * 5
    assert (trace.macs, trace.weights) == (5 * 2 * 64, 64)


def test_a_branch_that_depends_on_data_is_refused(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [node("Relu", ["x"], ["b"])], "b", [], [helper.make_tensor_value_info("b", 1, None)]
    )
    made = [
        node("ReduceSum", ["x"], ["s"], keepdims=0),
        node("Cast", ["s"], ["c"], to=TensorProto.BOOL),
        node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
    ]
    with pytest.raises(TraceError, match="its condition depends on data"):
        from_onnx(model(tmp_path / "m.onnx", made, {"x": [2, 8]}, {"y": None}))


def test_a_big_constant_whose_form_alone_matters(tmp_path: Path) -> None:
    """An Expand of a table to more than is ever computed, and a reader that was given its shape without it."""
    made = [
        node("Expand", ["table", "to"], ["big"]),
        node("Unsqueeze", ["big", "axes"], ["wide"]),
        node("Add", ["x", "wide"], ["y"]),
    ]
    arrays = {"table": zeros(1, 2048), "to": np.array([1024, 2048]), "axes": np.array([0])}
    trace = from_onnx(model(tmp_path / "m.onnx", made, {"x": [1, 1024, 2048]}, {"y": None}, arrays))
    assert types(trace) == ["Add"]
    assert trace.ops[1].inputs[1].tensor.shape == (1, 1024, 2048)


def test_limits_that_are_computed(tmp_path: Path) -> None:
    made = [node("ReduceMax", ["x"], ["m"], keepdims=0), node("Clip", ["x", "", "m"], ["y"])]
    trace = from_onnx(model(tmp_path / "m.onnx", made, {"x": [2, 8]}, {"y": None}))
    assert types(trace) == ["ReduceMax", "Min"]


def test_lists_of_tensors_cost_nothing(tmp_path: Path) -> None:
    made = [
        node("SplitToSequence", ["x", "two"], ["list"], axis=0),
        node("SequenceAt", ["list", "last"], ["part"]),
        node("Relu", ["part"], ["y"]),
    ]
    arrays = {"two": np.int64(2), "last": np.int64(1)}
    trace = from_onnx(model(tmp_path / "m.onnx", made, {"x": [4, 8]}, {"y": None}, arrays))
    assert types(trace) == ["Split", "Relu"]
    assert trace.by_name[trace.outputs[0]].output.shape == (2, 8)


@pytest.mark.parametrize("imaginary", ["zeros", "values"])
def test_fourier_transform_of_real_numbers_made_complex(tmp_path: Path, imaginary: str) -> None:
    """Rows · samples · parts in · bins · parts out: zeros beside real numbers are no part."""
    nodes = [
        node("Unsqueeze", ["x", "last"], ["r"]),
        node("Concat", ["r", "i"], ["c"], axis=-1),
        node("DFT", ["c"], ["y"], axis=1),
    ]
    part = zeros(3, 16, 1) if imaginary == "zeros" else np.ones((3, 16, 1), np.float32)
    file = model(
        tmp_path / "m.onnx", nodes, {"x": [3, 16]}, {"y": None}, {"i": part, "last": np.array([2])}, opset=17
    )
    trace = from_onnx(file)
    assert trace.macs == 3 * (16 * (1 if imaginary == "zeros" else 2)) * (16 * 2)
    assert ("Concat" in types(trace)) == (imaginary == "values")


@pytest.mark.parametrize(("step", "slices"), [(1, 3), (2, 3)])
def test_rows_of_indices_with_one_step_are_slices(tmp_path: Path, step: int, slices: int) -> None:
    """As an image is laid out for a kernel of 3: each row of indices is a slice of so many steps."""
    rows = np.arange(3)[:, None] + step * np.arange(4)[None, :]
    nodes = [node("Gather", ["x", "rows"], ["g"], axis=2), node("Relu", ["g"], ["y"])]
    trace = from_onnx(model(tmp_path / "m.onnx", nodes, {"x": [1, 5, 9]}, {"y": None}, {"rows": rows}))
    assert types(trace).count("Slice") == slices
    assert "Gather" not in types(trace)
    assert trace.ops[-1].output.shape == (1, 5, 3, 4)
    cut = [op.attributes for op in trace.ops if op.type == "Slice"]
    assert [(each["starts"], each["ends"], each["steps"]) for each in cut] == [
        ((row[0],), (row[-1] + 1,), (step,)) for row in rows.tolist()
    ]


def test_rows_of_indices_without_one_step_are_gathered(tmp_path: Path) -> None:
    rows = np.array([[0, 1, 3], [1, 2, 4]])
    nodes = [node("Gather", ["x", "rows"], ["y"], axis=1)]
    trace = from_onnx(model(tmp_path / "m.onnx", nodes, {"x": [2, 6]}, {"y": None}, {"rows": rows}))
    assert types(trace) == ["Gather"]
