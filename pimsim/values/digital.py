"""Ops that are not on arrays, computed by onnxruntime in float32: what a digital unit rounds is not modelled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.errors import TraceError
from pimsim.trace.op import Op

Floats = npt.NDArray[np.float32]

OPSET = 24
AS_INPUTS = {  # attributes of a trace that ONNX takes as tensors
    "Clip": ("min", "max"),
    "Pad": ("pads",),
    "Slice": ("starts", "ends", "axes", "steps"),
    "Squeeze": ("axes",),
    "Unsqueeze": ("axes",),
    "Tile": ("repeats",),
    "TopK": ("k",),
}
SHAPED = ("Reshape", "Expand")
NOT_COMPUTED = frozenset(
    {"DataMovement", "Dispatch", "Combine", "AllReduce", "AllGather", "LSTMCell", "GRUCell", "Resize"}
)
"""What a trace says too little of, or what is no op of ONNX."""


class Digital:
    """One op, ready to be computed on samples side by side.

    Parameters
    ----------
    op : Op
        Which.

    Raises
    ------
    TraceError
        If it cannot be computed, or onnxruntime is missing.
    """

    def __init__(self, op: Op) -> None:
        self.op = op
        if find_spec("onnx") is None or find_spec("onnxruntime") is None:
            message = "computing what is not on arrays needs the packages 'onnx' and 'onnxruntime'"
            raise TraceError(message, mend="pip install 'pimsim[values]'")
        if op.type in NOT_COMPUTED:
            raise _cannot(op, "a trace does not say all of it")
        self._sessions: dict[int, Any] = {}

    def __call__(self, inputs: Sequence[Floats], samples: int) -> list[Floats]:
        """Return the outputs for inputs whose first axis is longer by the factor `samples`."""
        if samples not in self._sessions:
            self._sessions[samples] = self._session(samples, len(inputs))
        feed = {
            f"i{number}": np.ascontiguousarray(each, dtype=_kind(self.op, number))
            for number, each in enumerate(inputs)
        }
        return [np.asarray(each, dtype=np.float32) for each in self._sessions[samples].run(None, feed)]

    def _session(self, samples: int, inputs: int) -> Any:
        import onnx
        import onnxruntime

        helper, op = onnx.helper, self.op
        opset = min(OPSET, onnx.defs.onnx_opset_version())
        names = [f"i{number}" for number in range(inputs)]
        attributes = {key: value for key, value in op.attributes.items() if value is not None}
        attributes.pop("causal", None)
        tensors = []

        def given(name: str, values: npt.NDArray[Any]) -> None:
            tensors.append(onnx.numpy_helper.from_array(values, name))
            names.append(name)

        if op.type in SHAPED:
            shape = _times(op.output.shape, samples)
            given("shape", np.array(shape, dtype=np.int64))
        if op.type == "Split":
            axis = op.attributes["axis"]
            given("split", np.array([each.shape[axis] for each in op.outputs], dtype=np.int64))
        for key in AS_INPUTS.get(op.type, ()):
            value = attributes.pop(key, None)
            if value is None:
                names.append("")
            else:
                values = np.array(value, dtype=np.float32 if op.type == "Clip" else np.int64)
                given(key, values.reshape(1) if key == "k" else values)
        known = _attributes(opset)
        if op.type not in known:
            raise _cannot(op, f"it is no op of ONNX's opset {opset}")
        if "axes" in attributes and "axes" not in known[op.type]:
            given("axes", np.array(attributes.pop("axes"), dtype=np.int64))
        attributes = {key: value for key, value in attributes.items() if key in known[op.type]}
        outputs = [f"o{number}" for number in range(len(op.outputs))]
        node = helper.make_node(op.type, names, outputs, **attributes)
        made = helper.make_graph(
            [node],
            "op",
            [
                helper.make_tensor_value_info(f"i{n}", helper.np_dtype_to_tensor_dtype(_kind(op, n)), None)
                for n in range(inputs)
            ],
            [helper.make_empty_tensor_value_info(each) for each in outputs],
            tensors,
        )
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            return onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own are not public
            raise _cannot(op, f"onnxruntime: {str(error).splitlines()[0][:150]}") from None


def _kind(op: Op, number: int) -> np.dtype[Any]:
    """The type of an operand: whole numbers and truth values as such, everything else float32."""
    dtype = op.inputs[number].tensor.dtype
    return np.dtype("bool" if dtype == "bool" else "int64" if "int" in dtype else "float32")


@cache
def _attributes(opset: int) -> dict[str, frozenset[str]]:
    """The attributes of each op of ONNX's own, by name."""
    import onnx

    found: dict[str, tuple[int, frozenset[str]]] = {}
    for each in onnx.defs.get_all_schemas_with_history():
        if each.domain == "" and found.get(each.name, (0,))[0] < each.since_version <= opset:
            found[each.name] = each.since_version, frozenset(each.attributes)
    return {name: attributes for name, (_, attributes) in found.items()}


def _times(shape: Sequence[int], samples: int) -> list[int]:
    """The shape of so many samples one behind another."""
    if samples == 1 or not shape:
        return list(shape)
    if shape[0] != 1 and math.prod(shape) > 0:
        return [shape[0] * samples, *shape[1:]]
    return [samples, *shape[1:]]


def _cannot(op: Op, why: str) -> TraceError:
    return TraceError(f"its values cannot be computed: {why}", where=f"op '{op.name}' ({op.type})")
