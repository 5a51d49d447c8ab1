"""Statistics of real data put where they belong in a trace: once at each op's output, and at each weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError
from pimsim.trace.observed import Calibration, Statistics
from pimsim.trace.observed_file import MEND
from pimsim.trace.op import Op
from pimsim.trace.schema import Trace
from pimsim.trace.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_IMAGES = (
    "Conv",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "LRN",
    "BatchNormalization",
)
_MOVED = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "MatMul", "Gemm", "DataMovement")


@dataclass(frozen=True)
class How:
    """How values are quantized and cut into slices: the parameters of `Statistics.of`."""

    bits: int = 8
    calibration: Calibration = "max"
    rows: int = 128


def attach(
    trace: Trace,
    outputs: Mapping[tuple[str, int], Sequence[Array]],
    weights: Mapping[str, Array],
    how: How,
    origin: str,
    weights_origin: str,
) -> Trace:
    """Return the trace with statistics of what its ops put out and of its weights.

    Values that are not real numbers (indices, for example) have none. Slices take an image channel by channel of a
    pixel, and a weight input by input of an output: as they stand side by side in the rows of an array.

    Parameters
    ----------
    trace : Trace
        Whose header says that its weights are trained.
    outputs : mapping
        Values of an op's output, one array a run of the model, in the shape that the trace has or would have.
    weights : mapping
        Op to its weight, in the trace's shape.
    how : How
        How to quantize them.
    origin : str
        Where the runs' inputs come from.
    weights_origin : str
        Where the weights come from.

    Raises
    ------
    TraceError
        If the weights are not trained.
    """
    require_trained(trace)
    images = _images(trace)
    notes = []
    ops = []
    for op in trace.ops:
        made = []
        for index, tensor in enumerate(op.outputs):
            values = [
                _channels_last(v) if op.name in images else v for v in outputs.get((op.name, index), ())
            ]
            made.append(_with(tensor, values, how, origin))
            if values and _real(values) and made[-1].stats is None:
                notes.append(f"no statistics of the output of '{op.name}': not all of its values are finite")
        inputs = tuple(
            replace(
                operand,
                tensor=_with(operand.tensor, [_inputs_last(op, weights[op.name])], how, weights_origin),
            )
            if operand.role == "weight" and op.name in weights
            else operand
            for operand in op.inputs
        )
        ops.append(replace(op, inputs=inputs, outputs=tuple(made)))
    header = {**trace.header, "notes": [*trace.header["notes"], *notes]}
    return Trace.from_ops(trace.model, ops, trace.outputs, header)


def require_trained(trace: Trace) -> None:
    """Refuse a trace whose weights are not trained.

    Raises
    ------
    TraceError
        If its header does not say that they are.
    """
    weights = trace.header["weights"]
    if weights != "trained":
        message = f"the weights are {weights}, expected trained ones to make statistics of"
        raise TraceError(message, where=trace.model, mend=MEND)


def _with(tensor: Tensor, values: Sequence[Array], how: How, origin: str) -> Tensor:
    import numpy as np

    if not values or not _real(values) or not all(np.isfinite(part).all() for part in values):
        return tensor
    made = Statistics.of(values, origin=origin, bits=how.bits, calibration=how.calibration, rows=how.rows)
    return replace(tensor, stats=made)


def _real(values: Sequence[Array]) -> bool:
    return all(part.dtype.kind == "f" and part.size for part in values)


def _images(trace: Trace) -> set[str]:
    """Return the ops whose outputs are images, their channels along the dimension 1.

    Those are what convolutions and pools read and put out, and what is computed from it, or it from, element by
    element.
    """
    found: set[str] = set()
    for op in trace.ops:
        kept = op.type not in _MOVED and any(source in found for source in op.deps)
        if len(op.output.shape) > 2 and (op.type in _IMAGES or kept):
            found.add(op.name)
    for op in reversed(trace.ops):
        if op.name in found and op.type not in _MOVED:
            read = op.inputs[:1] if op.type == "Conv" else op.inputs
            found |= {str(each.source) for each in read if each.source and len(each.tensor.shape) > 2}
    return found


def _channels_last(values: Array) -> Array:
    import numpy as np

    return np.moveaxis(values, 1, -1)


def _inputs_last(op: Op, weight: Array) -> Array:
    """Turn a weight so that what is summed over stands along the last dimensions."""
    import numpy as np

    if op.type == "Conv" or weight.ndim < 2:
        return weight
    right = op.inputs[1].role == "weight"
    transposed = op.attributes.get("transB" if right else "transA", 0)
    return np.swapaxes(weight, -1, -2) if right != bool(transposed) else weight
