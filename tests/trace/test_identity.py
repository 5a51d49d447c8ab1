"""One weight that several ops read is one: in the figures of a trace, in its file, and through folding."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from pimsim.errors import TraceError
from pimsim.report.trace_table import rows_of, totals_of
from pimsim.trace import Operand, Tensor, Trace
from pimsim.trace.onnx.export import from_onnx
from pimsim.trace.schema import Trace as Schema

from .builders import model, small_trace, zeros
from .recurrent import heads, lstm

make = helper.make_node
CASES = Path(__file__).parent / "onnx_cases"


def names(trace: Trace) -> list[tuple[str | None, bool]]:
    return [(op.weight.name, op.weight.turned) for op in trace.ops if op.weight is not None]


def test_two_branches_of_a_siamese_net() -> None:
    """By the table in onnx_cases/README.md."""
    trace = from_onnx(CASES / "siamese.onnx")
    assert (trace.macs, trace.weights) == (110592, 216)
    assert len(set(names(trace))) == 1


@pytest.mark.parametrize("steps", [1, 2, 100])
def test_an_unrolled_lstm_has_the_weights_of_one_step(tmp_path: Path, steps: int) -> None:
    """By formula: 4 gates of 256 features, from 256 inputs and 256 states; each step multiplies by all of them."""
    trace = from_onnx(lstm(tmp_path / "m.onnx", steps, 256, 256))
    assert trace.weights == 2 * 256 * 4 * 256 == 524288
    assert trace.macs == steps * 524288
    assert totals_of(trace, rows_of(trace))["weights"] == 524288
    assert totals_of(trace, rows_of(trace))["params"] == 524288 + 1024


@pytest.mark.parametrize(
    ("norms", "left"), [(0, 0), (1, 0), (3, 3)], ids=["none", "one for all levels", "one a level"]
)
def test_a_head_over_a_pyramid_stays_one_weight(tmp_path: Path, norms: int, left: int) -> None:
    """Folding another normalization into each level would make three weights of one: then none is folded."""
    trace = from_onnx(heads(tmp_path / "m.onnx", (8, 4, 2), norms))
    assert trace.weights == 8 * 4 * 3 * 3
    assert trace.macs == 8 * 4 * 3 * 3 * (64 + 16 + 4)
    assert Counter(op.type for op in trace.ops)["BatchNormalization"] == left


def test_a_bias_a_level_is_folded_all_the_same(tmp_path: Path) -> None:
    """What adds changes no weight."""
    nodes = []
    for level in "ab":
        nodes.append(make("Conv", [f"x{level}", "W"], [f"c{level}"], pads=[1, 1, 1, 1]))
        nodes.append(make("Add", [f"c{level}", f"bias{level}"], [f"y{level}"]))
    arrays = {"W": zeros(8, 4, 3, 3), "biasa": zeros(8, 1, 1), "biasb": zeros(8, 1, 1)}
    shapes = {"xa": [1, 4, 8, 8], "xb": [1, 4, 4, 4]}
    outputs: dict[str, list[Any] | None] = {"ya": [1, 8, 8, 8], "yb": [1, 8, 4, 4]}
    trace = from_onnx(model(tmp_path / "m.onnx", nodes, shapes, outputs, arrays))
    assert [op.type for op in trace.ops if op.type != "Input"] == ["Conv", "Conv"]
    assert trace.weights == 8 * 4 * 3 * 3


def test_transposed_anew_for_each_use_it_is_one(tmp_path: Path) -> None:
    """As torch.onnx writes tied layers: a Transpose of the one initializer for each; a Gemm reads it as it is."""
    nodes = [
        make("Transpose", ["W"], ["t1"], perm=[1, 0]),
        make("MatMul", ["x", "t1"], ["a"]),
        make("Transpose", ["W"], ["t2"], perm=[1, 0]),
        make("MatMul", ["a", "t2"], ["b"]),
        make("Gemm", ["b", "W"], ["c"], transB=1),
        make("MatMul", ["c", "W"], ["y"]),
    ]
    arrays = {"W": zeros(16, 16)}
    trace = from_onnx(model(tmp_path / "m.onnx", nodes, {"x": [2, 16]}, {"y": [2, 16]}, arrays))
    assert names(trace) == [("W", True), ("W", True), ("W", False), ("W", False)]
    assert trace.weights == 256


def test_what_is_computed_alike_is_one_and_what_is_filled_alike_is_not(tmp_path: Path) -> None:
    shape = numpy_helper.from_array(np.array([16, 16]), "")
    nodes = [
        *(make("Mul", ["V", "g"], [f"w{n}"]) for n in range(2)),
        *(make("ConstantOfShape", ["size"], [f"f{n}"]) for n in range(2)),
        make("MatMul", ["x", "w0"], ["a"]),
        make("MatMul", ["a", "w1"], ["b"]),
        make("MatMul", ["b", "f0"], ["c"]),
        make("MatMul", ["c", "f1"], ["y"]),
    ]
    arrays = {"V": zeros(16, 16), "g": zeros(16), "size": numpy_helper.to_array(shape)}
    trace = from_onnx(model(tmp_path / "m.onnx", nodes, {"x": [2, 16]}, {"y": [2, 16]}, arrays))
    assert names(trace) == [("w0", False), ("w0", False), (None, False), (None, False)]
    assert trace.weights == 3 * 256


def test_a_table_that_is_a_weight_too_counts_once_among_the_parameters(tmp_path: Path) -> None:
    """Tied embeddings: looked up at the beginning, multiplied by at the end."""
    nodes = [make("Gather", ["E", "ids"], ["h"]), make("Gemm", ["h", "E"], ["y"], transB=1)]
    made = model(tmp_path / "m.onnx", nodes, {"ids": [3]}, {"y": [3, 50]}, {"E": zeros(50, 8)})
    loaded = onnx.load(made)
    loaded.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    made.write_bytes(loaded.SerializeToString())
    trace = from_onnx(made)
    totals = totals_of(trace, rows_of(trace))
    assert (totals["weights"], totals["params"]) == (400, 400)


# -- in files ------------------------------------------------------------------------------------------------


def shared() -> Trace:
    """Of `small_trace`, with a second Conv of the same weight behind the first one's output."""
    ops = list(small_trace().ops)
    weight = Operand("weight", Tensor((4, 3, 3, 3)), name="w")
    conv = replace(ops[1], inputs=(ops[1].inputs[0], weight))
    twin = replace(conv, name="twin")
    return Trace.from_ops("shared", [ops[0], conv, *ops[2:], twin], [ops[-1].name, "twin"])


def test_a_file_keeps_names_and_one_without_them_is_as_before(tmp_path: Path) -> None:
    shared().save(tmp_path / "t.jsonl")
    small_trace().save(tmp_path / "s.jsonl")
    assert '"pimsim-trace/2"' in (tmp_path / "t.jsonl").read_text()
    assert '"pimsim-trace/1"' in (tmp_path / "s.jsonl").read_text()
    loaded = Trace.load(tmp_path / "t.jsonl")
    assert loaded.ops == shared().ops
    assert loaded.weights == 4 * 3 * 3 * 3
    assert loaded.digest == shared().digest


def test_a_run_can_tell_whether_weights_are_one() -> None:
    ops = [replace(op, inputs=tuple(replace(each, name=None) for each in op.inputs)) for op in shared().ops]
    apart = Trace.from_ops("shared", ops, shared().outputs)
    assert apart.weights == 2 * shared().weights
    assert apart.digest != shared().digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"name": "w", "tensor": Tensor((5, 3, 3, 3))},
            "shape: 'w' is 5x3x3x3 here and 4x3x3x3 at op 'conv'",
        ),
        ({"name": "w", "tensor": Tensor((4, 3, 3, 3), "int8")}, "dtype: 'w' has int8 here and float32"),
        ({"name": "w", "tensor": Tensor((4, 3, 3, 3), bits=4)}, "bits: 'w' has 4 here and None"),
        ({"name": ""}, r"name: found '' \(text\), expected a name"),
        ({"turned": True}, "turned: only what has a name"),
        ({"name": "w", "turned": 1}, "turned: found 1"),
    ],
)
def test_what_cannot_be_one_is_refused(change: dict[str, Any], message: str) -> None:
    ops = list(shared().ops)
    at = next(n for n, op in enumerate(ops) if op.name == "twin")
    weight = replace(Operand("weight", Tensor((4, 3, 3, 3))), **change)
    outputs = (Tensor((1, weight.tensor.shape[0], 6, 6)),)
    ops[at] = replace(ops[at], inputs=(ops[at].inputs[0], weight), outputs=outputs)
    with pytest.raises(TraceError, match=message):
        Schema.from_ops("shared", ops, shared().outputs)


def test_an_activation_has_no_name_of_its_own() -> None:
    ops = list(shared().ops)
    ops[1] = replace(ops[1], inputs=(replace(ops[1].inputs[0], name="x"), ops[1].inputs[1]))
    with pytest.raises(TraceError, match="at the role 'activation', expected a weight or constant"):
        Schema.from_ops("shared", ops, shared().outputs)
