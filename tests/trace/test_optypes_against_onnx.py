"""Every op type's shape rule against the outputs of ONNX's own conformance tests."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from pimsim.errors import TraceError
from pimsim.trace.onnx.export import from_onnx
from pimsim.trace.optypes import OP_TYPES

# what a trace refuses on purpose
REFUSED = ("found 'string' (text)", "training mode", "deviation is read", "its output 'z' is not supported")
NO_CASE = (
    *("Input", "DataMovement", "Dispatch", "Combine", "LSTMCell", "GRUCell"),  # a trace's own
    *("AllReduce", "AllGather"),  # what processors that share ops exchange
    "GlobalLpPool",  # ONNX has no case of it
    "LayerNormalization",  # its cases all read its mean
)
# these tests feed at run time what a trace needs constant: sizes, limits, axes
FED = (
    *(type_ for type_ in OP_TYPES if type_.startswith("Reduce")),
    *("CumSum", "CumProd", "Tile", "OneHot", "Col2Im"),
    "Squeeze",
    "Unsqueeze",
    "Pad",
    "Slice",
    "Clip",
    "Reshape",
    "Split",
    "Resize",
    "TopK",
    "Expand",
)


@pytest.fixture(scope="module")
def cases() -> dict[str, list[Any]]:
    """ONNX's test cases of one node each, by op type."""
    found: dict[str, list[Any]] = {}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for case in collect_testcases(None):
            if len(case.model.graph.node) == 1 and not case.model.functions:
                found.setdefault(case.model.graph.node[0].op_type, []).append(case)
    return found


@pytest.mark.parametrize("type_", [t for t in OP_TYPES if t not in NO_CASE])
def test_output_shapes(type_: str, cases: dict[str, list[Any]], tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    agreed = 0
    for case in cases[type_]:
        inputs, outputs = case.data_sets[0]
        if 0 in (*np.shape(inputs[0]), *np.shape(outputs[0])):
            continue  # a trace has no empty tensors
        fed = 1 if type_ in FED else len(inputs)
        for value, array in zip(case.model.graph.input[fed:], inputs[fed:], strict=True):
            case.model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), value.name))
        path.write_bytes(case.model.SerializeToString())
        symbols = {  # dimensions that the model leaves open are those of the data
            f"{value.name}[{axis}]": size
            for value, array in zip(case.model.graph.input[:fed], inputs[:fed], strict=True)
            for axis, size in enumerate(np.shape(array))
            if not value.type.tensor_type.shape.dim[axis].dim_value
        }
        try:
            trace = from_onnx(path, bindings=symbols)
        except TraceError as error:
            reason = str(error)
        else:
            reason = ""
            made = trace.by_name[trace.outputs[0]].outputs
            expected = [np.shape(array) for array in outputs]
            assert [tensor.shape for tensor in made] == expected[: len(made)], case.name
            agreed += 1
        assert not reason or any(text in reason for text in REFUSED), (case.name, reason)
    assert agreed > 0


# what is taken apart; its weights, sizes and caches are stored, but of the second list only its sizes
STORED = (
    *(
        "AffineGrid",
        "ConvInteger",
        "ConvTranspose",
        "DFT",
        "DeformConv",
        "GRU",
        "Gelu",
        "LSTM",
        "MatMulInteger",
    ),
    *(
        "MeanVarianceNormalization",
        "Mish",
        "Mod",
        "QLinearConv",
        "QLinearMatMul",
        "RNN",
        "RotaryEmbedding",
        "STFT",
    ),
    *(
        "Attention",
        "Celu",
        "Einsum",
        "PRelu",
        "Shrink",
        "Swish",
        "TensorScatter",
        "ThresholdedRelu",
        "Upsample",
    ),
)
COMPUTED = ("Attention", "Einsum", "Gemm", "MatMul", "GridSample", "RotaryEmbedding")
NOT_TAKEN_APART = ("takes a diagonal", "peepholes", "no op computes anything", "does not know")


@pytest.mark.parametrize(
    ("type_", "stored"), [*((type_, True) for type_ in STORED), *((type_, False) for type_ in COMPUTED)]
)
def test_what_is_taken_apart_puts_out_the_same(
    type_: str, stored: bool, cases: dict[str, list[Any]], tmp_path: Path
) -> None:
    """The first case of each op, the last, and the one between: shapes of all outputs that a trace has."""
    rows, agreed = cases[type_], 0
    for case in {case.name: case for case in (rows[0], rows[len(rows) // 2], rows[-1])}.values():
        inputs, (expected, *_) = case.data_sets[0]
        model = ModelProto.FromString(case.model.SerializeToString())
        del model.graph.initializer[:]  # what the test above has stored there
        for value, array in list(zip(model.graph.input, inputs, strict=False))[1:] if stored else ():
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), value.name))
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        try:
            trace = from_onnx(tmp_path / "m.onnx")
        except TraceError as error:
            reason = str(error)
        else:
            reason = ""
            assert trace.by_name[trace.outputs[0]].output.shape == np.shape(expected), case.name
            agreed += 1
        assert not reason or any(text in reason for text in NOT_TAKEN_APART), (case.name, reason)
    assert agreed > 0
