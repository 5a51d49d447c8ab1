"""Is a trace computed as its ops say, whoever computes the products, and however many samples are done at once?"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from pimsim import Trace
from pimsim.errors import TraceError
from pimsim.presets import folder
from pimsim.trace.onnx.export import export
from pimsim.values import digital
from pimsim.values.forward import Forward
from pimsim.values.rows import matrix_of
from pimsim.values.sidecar import Sidecar
from tests.random_models import Builder, traces
from tests.transformers import decoder

WITHIN = 1e-4  # relative to the largest: float32, added up in another order


def random_values(trace: Trace, samples: int, seed: int = 1) -> Sidecar:
    random = np.random.default_rng(seed)

    def some(*shape: int) -> Any:
        return random.standard_normal(shape).astype(np.float32)

    constants = {
        (op.name, number): some(*operand.tensor.shape)
        for op in trace.ops
        for number, operand in enumerate(op.inputs)
        if operand.role in ("weight", "constant")
    }
    shapes = {op.name: op.output.shape for op in trace.ops if op.type == "Input"}
    inputs = {name: some(samples, *(shape[1:] if shape[0] == 1 else shape)) for name, shape in shapes.items()}
    return Sidecar(constants, inputs, None, "", "made up")


def products(trace: Trace) -> frozenset[str]:
    return frozenset(op.name for op in trace.ops if op.weight is not None)


def floats(values: Sidecar) -> Any:
    def product(op: Any, rows: Any, first: int) -> Any:
        return rows @ matrix_of(op, values.constants[op.name, 1])

    return product


def close(found: Any, wanted: Any) -> bool:
    assert found.shape == wanted.shape
    return bool(np.abs(found - wanted).max(initial=0) <= WITHIN * max(1.0, np.abs(wanted).max(initial=0)))


@settings(max_examples=20, deadline=None)
@given(traces(), st.integers(0, 2**32 - 1))
def test_products_as_rows_are_those_of_onnxruntime(trace: Trace, seed: int) -> None:
    """Random convolutions (groups, strides, padding, dilation) and Gemm: as rows, and as onnxruntime does the op."""
    values = random_values(trace, 2, seed)
    whole = Forward(trace, values, frozenset()).run(values.inputs, floats(values))
    rows = Forward(trace, values, products(trace)).run(values.inputs, floats(values))
    assert all(map(close, rows, whole))


@settings(max_examples=10, deadline=None)
@given(traces(), st.integers(0, 2**32 - 1))
def test_samples_do_not_know_of_one_another(trace: Trace, seed: int) -> None:
    values = random_values(trace, 3, seed)
    forward = Forward(trace, values, products(trace))
    together = forward.run(values.inputs, floats(values))
    for number in range(3):
        alone = forward.run(
            {name: each[number : number + 1] for name, each in values.inputs.items()}, floats(values), number
        )
        assert all(close(a[number : number + 1], b) for a, b in zip(together, alone, strict=True))


def test_the_digits_are_those_of_torch() -> None:
    """Every activation of the 32 images that the sidecar has: torch's, within 1e-5."""
    trace = Trace.load("digits_cnn")
    values = Sidecar.beside(trace, folder("traces") / "digits_cnn.jsonl")
    inputs = {"image": values.inputs["image"][:32]}
    (found,) = Forward(trace, values, products(trace)).run(inputs, floats(values))
    with np.load(folder("traces") / "digits_cnn.npz") as file:
        assert np.abs(found - file["fc.output"]).max() < 1e-5


def attention_model() -> Any:
    """A block of a transformer: normalization, products by weights and of activations, softmax, Gelu, a residual."""
    random = np.random.default_rng(3)

    def weight(name: str, *shape: int) -> Any:
        return numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)

    node = helper.make_node
    nodes = [
        node("LayerNormalization", ["x", "scale", "shift"], ["n"], axis=-1),
        node("MatMul", ["n", "wq"], ["q0"]),
        node("Add", ["q0", "bq"], ["q"]),
        node("MatMul", ["n", "wk"], ["k"]),
        node("MatMul", ["n", "wv"], ["v"]),
        node("Reshape", ["q", "split"], ["qs"]),
        node("Reshape", ["k", "split"], ["ks"]),
        node("Reshape", ["v", "split"], ["vs"]),
        node("Transpose", ["qs"], ["qh"], perm=[0, 2, 1, 3]),
        node("Transpose", ["ks"], ["kh"], perm=[0, 2, 3, 1]),
        node("Transpose", ["vs"], ["vh"], perm=[0, 2, 1, 3]),
        node("MatMul", ["qh", "kh"], ["s0"]),
        node("Mul", ["s0", "half"], ["s"]),
        node("Softmax", ["s"], ["p"], axis=-1),
        node("MatMul", ["p", "vh"], ["o0"]),
        node("Transpose", ["o0"], ["o1"], perm=[0, 2, 1, 3]),
        node("Reshape", ["o1", "join"], ["o2"]),
        node("Gemm", ["f0", "w1", "b1"], ["g0"], transB=1),
        node("Gelu", ["g0"], ["g"]),
        node("Add", ["g", "f0"], ["y"]),
    ]
    nodes.insert(17, node("Add", ["o2", "x"], ["r"]))
    nodes.insert(18, node("Reshape", ["r", "flat"], ["f0"]))
    shapes = {"split": [1, 6, 2, 4], "join": [1, 6, 8], "flat": [6, 8]}
    graph = helper.make_graph(
        nodes,
        "block",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 6, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [6, 8])],
        [
            *(weight(name, 8, 8) for name in ("wq", "wk", "wv", "w1")),
            *(weight(name, 8) for name in ("scale", "shift", "bq", "b1")),
            numpy_helper.from_array(np.float32(0.5).reshape(()), "half"),
            *(numpy_helper.from_array(np.array(each, np.int64), name) for name, each in shapes.items()),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_a_block_of_a_transformer_is_that_of_onnxruntime(tmp_path: Any) -> None:
    """Exported, with its initializers as the sidecar; onnxruntime runs the whole file."""
    model = attention_model()
    onnx.save(model, tmp_path / "m.onnx")
    trace = export(tmp_path / "m.onnx").trace
    known = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    taken = {node.output[0]: node.input for node in model.graph.node}
    constants = {
        f"{op.name}.{number}": known[taken[op.name][number]]
        for op in trace.ops
        for number, operand in enumerate(op.inputs)
        if operand.role in ("weight", "constant")
    }
    samples = np.random.default_rng(4).standard_normal((3, 6, 8)).astype(np.float32)
    np.savez(tmp_path / "v.npz", x=samples, **constants)
    values = Sidecar.load(trace, tmp_path / "v.npz")
    (found,) = Forward(trace, values, products(trace)).run(values.inputs, floats(values))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = [session.run(None, {"x": values.inputs["x"][n : n + 1]})[0] for n in range(3)]
    assert close(found.reshape(3, 6, 8), np.stack(wanted))


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digital, "find_spec", lambda name: None)
    trace = Trace.load("digits_cnn")
    with pytest.raises(
        TraceError, match=r"needs the packages 'onnx' and 'onnxruntime'; pip install 'pimsim\[values\]'"
    ):
        Forward(trace, random_values(trace, 1), frozenset())


def test_what_cannot_be_computed_is_told() -> None:
    model = Builder()
    x = model.input(1, 4, 4, 4)
    trace = model.trace(outputs=[model.add("Resize", [x], (1, 4, 8, 8), mode="nearest")])
    with pytest.raises(TraceError, match=re.escape("(Resize): its values cannot be computed")):
        Forward(trace, random_values(trace, 1), frozenset())
    cached = decoder(layers=1).bind(batch=1, seq=1, kv=4)
    with pytest.raises(TraceError, match=r"reads a cache of tokens before; bind .*kv=0"):
        Forward(cached, random_values(cached, 1), frozenset())
