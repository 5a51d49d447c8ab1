"""Ops that a trace does not know: what computes is refused, what is passed stands at the head of every report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from pimsim.analysis.compare import compare
from pimsim.errors import TraceError
from pimsim.report.comparison import comparison_text
from pimsim.report.html.page import report_page
from pimsim.report.terminal import to_text
from pimsim.run.simulate import simulate
from pimsim.trace import Trace
from pimsim.trace.onnx.export import from_onnx
from pimsim.trace.unknown import computes
from tests.random_models import small_chip

from .builders import model, zeros

COMPUTE = """
    LSTM GRU RNN ConvTranspose DeformConv QLinearConv ConvInteger QLinearMatMul MatMulInteger Einsum
    Attention If Loop Scan com.microsoft:MatMulNBits com.microsoft:Attention
    com.microsoft:GroupQueryAttention com.microsoft:FusedMatMul com.microsoft:QGemm
    com.microsoft:FusedConv com.microsoft:DynamicQuantizeLSTM com.microsoft:QMoE DFT STFT
    ai.onnx.ml:LinearClassifier ai.onnx.ml:TreeEnsembleRegressor org.x:Dense org.x:FullyConnected
    org.x:FusedLinear mm bmm addmm addmv mv dot einsum bilinear lstm.input gru.input rnn_tanh.input
    conv_transpose2d.input _scaled_mm _grouped_mm fft_rfft cdist linalg_inv scaled_dot_product_attention
    aten::mm
"""
MOVE = """
    Softmax Identity QuantizeLinear DequantizeLinear DynamicQuantizeLinear com.microsoft:QLinearAdd
    DepthToSpace Unique GridSample NonMaxSuppression ScatterND GatherND Trilu CumSum Resize Round
    com.microsoft:BiasGelu org.x:ConvertLayout upsample_bilinear2d upsample_linear1d.vec flip roll
    linalg_vector_norm topk cumsum gather index_put unfold as_strided
"""


@pytest.mark.parametrize(
    "name", [*COMPUTE.split(), "convolution (transposed)", "convolution (of two activations)"]
)
def test_families_that_compute(name: str) -> None:
    assert computes(name)


@pytest.mark.parametrize("name", MOVE.split())
def test_others(name: str) -> None:
    assert not computes(name)


def foreign(path: Path, op: str, arrays: dict[str, Any] | None = None) -> Path:
    """A Relu, an op of another domain, and what it reads beside the Relu's output."""
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node(op, ["r", *(arrays or {})], ["z"], domain="org.x"),
        helper.make_node("Relu", ["z"], ["y"]),
    ]
    made = model(path, nodes, {"x": [4, 16]}, {"y": [4, 16]}, arrays, domains=("org.x",))
    import onnx

    loaded = onnx.load(made)
    loaded.graph.value_info.append(helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [4, 16]))
    made.write_bytes(loaded.SerializeToString())
    return made


@pytest.mark.parametrize("allow_unknown", [False, True])
def test_what_computes_is_refused_with_the_flag_too(tmp_path: Path, allow_unknown: bool) -> None:
    with pytest.raises(TraceError, match=r"that compute, .*: org.x:MatMulSparse \(1\)") as failure:
        from_onnx(foreign(tmp_path / "m.onnx", "MatMulSparse"), allow_unknown=allow_unknown)
    assert "--allow-unknown" not in str(failure.value)
    assert "taken apart into Conv, Gemm and MatMul" in str(failure.value)


@pytest.mark.parametrize(
    ("array", "refused"),
    [
        (zeros(16, 16), True),
        (np.zeros((16, 16), np.int8), True),
        (zeros(16), False),
        (np.zeros((16, 16), np.int64), False),  # indices
        (zeros(4, 4), False),
    ],
    ids=["matrix", "quantized", "vector", "indices", "small"],
)
def test_an_op_of_any_name_that_reads_weights_computes(tmp_path: Path, array: Any, refused: bool) -> None:
    path = foreign(tmp_path / "m.onnx", "Mystery", {"W": array})
    if refused:
        with pytest.raises(TraceError, match=r"that compute, .*: org.x:Mystery \(1\)"):
            from_onnx(path, allow_unknown=True)
    else:
        assert from_onnx(path, allow_unknown=True).unknown == {"org.x:Mystery": 1}


def test_without_the_flag_the_message_offers_it(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"does not know: org.x:Mystery \(1\); --allow-unknown"):
        from_onnx(foreign(tmp_path / "m.onnx", "Mystery"))


def test_what_is_passed_stands_at_the_head_of_every_report(tmp_path: Path) -> None:
    trace = from_onnx(foreign(tmp_path / "m.onnx", "Mystery"), allow_unknown=True)
    trace.save(tmp_path / "m.jsonl")
    result = simulate(small_chip(), Trace.load(tmp_path / "m.jsonl"))
    said = "Not modelled: org.x:Mystery (1)"
    assert [text[: len(said)] for text in result.warnings] == [said]
    assert list(json.loads(result.to_json()))[1] == "warnings"
    assert result.trace["unknown"] == {"org.x:Mystery": 1}
    figures = to_text(result).index("latency")
    assert 0 < to_text(result).index(said) < figures
    both = compare(result, result)
    assert 0 < comparison_text(both).index(said) < comparison_text(both).index("Side by side")
    assert next(iter(both.to_dict())) == "warnings"
    for page in (report_page([result]), report_page([result, result])):
        assert (
            0
            < page.index(f"Warning: {said}" if page.count(said) == 1 else said)
            < page.index('class="figures')
        )


def test_a_trace_without_any_has_no_warning() -> None:
    result = simulate(small_chip(), Trace.load("digits_cnn"))
    assert "warnings" not in result.data
    assert "warning:" not in to_text(result)


def test_what_stands_behind_an_unknown_op_and_is_known_is_not_counted(tmp_path: Path) -> None:
    """A Cast or an LSTM has no form yet behind an op that nothing is known of."""
    nodes = [
        helper.make_node("Odd", ["x"], ["z"], domain="org.x"),
        helper.make_node("Cast", ["z"], ["f"], to=1),
        helper.make_node("LSTM", ["f", "w", "r"], ["", "h"], hidden_size=4),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    arrays = {"w": zeros(1, 16, 8), "r": zeros(1, 16, 4)}
    made = model(tmp_path / "m.onnx", nodes, {"x": [5, 1, 8]}, {"y": [1, 1, 4]}, arrays, domains=("org.x",))
    with pytest.raises(TraceError, match=r"does not know: org.x:Odd \(1\)"):
        from_onnx(made)
    with pytest.raises(TraceError, match=r"the shape of 'z' \(org.x:Odd\) cannot be inferred"):
        from_onnx(made, allow_unknown=True)
