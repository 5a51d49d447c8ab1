"""Small traces and small ONNX models for the tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from pimsim.trace import Op, Operand, Tensor, Trace
from pimsim.trace.writer import lines


def act(source: str, *shape: int, index: int = 0) -> Operand:
    return Operand("activation", Tensor(shape), source, index)


def small_trace() -> Trace:
    """x -> conv -> relu -> add(conv, relu) -> split in two -> concat."""
    conv = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1], "dilations": [1, 1], "group": 1}
    tensor = Tensor((1, 4, 6, 6))
    half = Tensor((1, 2, 6, 6))
    weight = Operand("weight", Tensor((4, 3, 3, 3)))
    ops = [
        Op("x", "Input", (), (Tensor((1, 3, 6, 6)),)),
        Op("conv", "Conv", (act("x", 1, 3, 6, 6), weight), (tensor,), conv),
        Op("relu", "Relu", (act("conv", 1, 4, 6, 6),), (tensor,)),
        Op("add", "Add", (act("conv", 1, 4, 6, 6), act("relu", 1, 4, 6, 6)), (tensor,)),
        Op("split", "Split", (act("add", 1, 4, 6, 6),), (half, half), {"axis": 1}),
        Op(
            "concat",
            "Concat",
            (act("split", 1, 2, 6, 6), act("split", 1, 2, 6, 6, index=1)),
            (tensor,),
            {"axis": 1},
        ),
    ]
    return Trace.from_ops("small", ops)


def small_rows() -> list[dict[str, Any]]:
    """The lines of `small_trace`'s file, as objects."""
    return [json.loads(line) for line in lines(small_trace())]


def write_rows(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def model(
    path: Path,
    nodes: list[Any],
    inputs: dict[str, list[Any]],
    outputs: dict[str, list[Any] | None],
    arrays: dict[str, Any] | None = None,
    opset: int = 17,
    domains: tuple[str, ...] = (),
) -> Path:
    """Write an ONNX model; `arrays` are its initializers."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (arrays or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path.write_bytes(made.SerializeToString())
    return path


def zeros(*shape: int) -> np.ndarray[Any, Any]:
    return np.zeros(shape, np.float32)
