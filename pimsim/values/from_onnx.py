"""The sidecar of a trace that was exported from an ONNX file: its constants, and samples, as the trace reads them.

What the exporter folded into a convolution changes its weight and its bias here, too. Norms that were recognised in a
formula have a factor of 1 and a shift of 0 unless the file names others. Whether all that is right is seen: the trace
is computed with these values, and must put out what onnxruntime does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.errors import TraceError
from pimsim.trace.onnx.export import Exported, Scale
from pimsim.trace.op import Op
from pimsim.trace.statistics.onnx import Session, scaled
from pimsim.trace.statistics.samples import LABELS, Samples, read_arrays
from pimsim.values.forward import Forward
from pimsim.values.sidecar import Sidecar

Array = npt.NDArray[Any]

WITHIN = 1e-3
"""Of the largest output: how far the trace may be from the file, in float32."""
PLAIN = {  # operands that a norm by formula has, beside its input
    "LayerNormalization": (1.0, 0.0),
    "RMSNormalization": (1.0,),
    "GroupNormalization": (1.0, 0.0),
    "InstanceNormalization": (1.0, 0.0),
}


def write_sidecar(path: Path, exported: Exported, data: Path, samples: Samples, target: Path) -> None:
    """Write the values of an exported trace beside it.

    Parameters
    ----------
    path : Path
        The ONNX file.
    exported : Exported
        Its trace.
    data : Path
        The samples' file; may have labels, too.
    samples : Samples
        The samples.
    target : Path
        Where the sidecar goes.

    Raises
    ------
    TraceError
        If the model takes several samples at once, a constant is not known, or the trace does not put out what the
        file does with these values.
    """
    if samples.per_run != 1:
        message = f"the model takes {samples.per_run} samples at once, values of a trace are of one"
        raise TraceError(message, where=str(path), mend="export it for a batch of 1, or with a symbol for it")
    session = Session(path, exported, everything=True)
    first = next(iter(samples))
    found = session.run([*session.constants, *session.activations], first)
    arrays = {
        f"{op.name}.{number}": _value(exported, op, number, found, str(path))
        for op in exported.trace.ops
        for number, operand in enumerate(op.inputs)
        if operand.role in ("weight", "constant")
    }
    arrays |= {name: np.asarray(each) for name, each in samples.arrays.items()}
    labels = read_arrays(data).get(LABELS)
    if labels is not None and LABELS not in samples.arrays:
        arrays[LABELS] = labels
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        _check(exported, Sidecar.load(exported.trace, part), found, str(path))
        os.replace(part, target)
    except OSError as error:
        raise TraceError(f"cannot be written: {error.strerror}", where=str(target)) from None
    finally:
        part.unlink(missing_ok=True)


def _value(exported: Exported, op: Op, number: int, found: Mapping[str, Array], where: str) -> Array:
    """Return a constant operand as the trace reads it."""
    scales = exported.scales.get(op.name, [])
    shape = op.inputs[number].tensor.shape
    name = exported.constants.get((op.name, number))
    if op.type == "Conv" and number == 2:
        bias = np.zeros(shape) if name is None else found[name]
        return _shifted(bias, scales, found)
    if name is None and number > 0 and number <= len(PLAIN.get(op.type, ())):
        return np.full(shape, PLAIN[op.type][number - 1])
    if name is None:
        message = f"operand {number} of op '{op.name}' ({op.type}) does not stand in the file as it is read"
        raise TraceError(
            message, where=where, mend="give its values in an .npz of your own (pimsim accuracy --values)"
        )
    return scaled(found[name], scales, found) if op.type == "Conv" and number == 1 else found[name]


def _shifted(bias: Array, scales: Iterable[Scale], found: Mapping[str, Array]) -> Array:
    """Return a bias behind what was folded into its convolution."""
    bias = bias.astype(np.float64)
    for scale in scales:
        factor = np.asarray(found[scale.factor], np.float64).reshape(-1)
        if scale.type == "BatchNormalization":
            spread = np.sqrt(found[scale.variance].astype(np.float64) + scale.epsilon)
            bias = (bias - found[scale.mean]) / spread * factor + found[scale.shift]
        elif scale.type in ("Add", "Sub"):
            bias = bias + factor if scale.type == "Add" else bias - factor
        else:
            bias = bias * factor if scale.type == "Mul" else bias / factor
    return bias


def _check(exported: Exported, values: Sidecar, found: Mapping[str, Array], where: str) -> None:
    """Compute the first sample, and hold each output that the file has against onnxruntime's."""
    trace = exported.trace
    inputs = {name: each[:1] for name, each in values.inputs.items()}
    outputs = Forward(trace, values, frozenset()).run(inputs, _none)
    for name, output in zip(trace.outputs, outputs, strict=True):
        if (name, 0) not in exported.outputs:
            continue
        wanted = np.asarray(found[exported.outputs[name, 0]], dtype=np.float64)
        apart = np.abs(output.reshape(-1) - wanted.reshape(-1)).max(initial=0)
        if not apart <= WITHIN * max(np.abs(wanted).max(initial=0), 1e-6):
            message = f"its values do not give its output '{name}': {apart:.3g} apart"
            raise TraceError(
                message, where=where, mend="give values in an .npz of your own (pimsim accuracy --values)"
            )


def _none(op: Op, rows: Any, first: int) -> Any:
    raise AssertionError("nothing is on arrays")
