"""The values of a trace: weights, constants, inputs and labels, from the ``.npz`` file beside it.

Weights and constants are found by the name that the trace gives them, else as ``OP.weight``, ``OP.bias``, or ``OP.2``,
the number of the operand; inputs by the name of their op (``images`` where there is one input); ``labels`` are the
classes that are right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.errors import TraceError
from pimsim.trace.model import Model
from pimsim.trace.op import Op
from pimsim.trace.statistics.samples import LABELS, read_arrays
from pimsim.trace.tensor import dims

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

INPUTS = "images"


@dataclass(frozen=True, eq=False)
class Sidecar:
    """The values that belong to a trace; make one with `beside` or `load`.

    Parameters
    ----------
    constants : mapping of (str, int) to float32 array
        By op and number of the operand.
    inputs : mapping of str to float32 array
        By the name of the input, shape (samples, …): then its own, without a first axis of one.
    labels : int64 array, optional
        The class of each sample.
    digest : str
        SHA-256 of the file.
    where : str
        Its path.
    """

    constants: Mapping[tuple[str, int], Floats]
    inputs: Mapping[str, Floats]
    labels: npt.NDArray[np.int64] | None
    digest: str
    where: str

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(next(iter(self.inputs.values())))

    @classmethod
    def beside(cls, trace: Model, path: Path) -> Sidecar:
        """Read the file that a trace names, in the folder of the trace's own.

        Parameters
        ----------
        trace : Model
            The trace.
        path : Path
            Where it was read from.

        Raises
        ------
        TraceError
            If it names none, or that one is not there, is another, or does not fit.
        """
        source = trace.header.get("source") or {}
        name = source.get("sidecar")
        if not isinstance(name, str) or not name:
            raise TraceError(
                "has no values: it names no sidecar (source.sidecar in its first line)",
                where=str(path),
                mend="give a file with --values, or take a trace that has one: digits_cnn",
            )
        return cls.load(trace, path.with_name(name), source.get("sidecar_sha256"))

    @classmethod
    def load(cls, trace: Model, path: Path, digest: str | None = None) -> Sidecar:
        """Read a file of values for a trace.

        Raises
        ------
        TraceError
            If it is no such file, has another SHA-256 than given, or lacks an array, or one has another shape or values
            that are no numbers.
        """
        arrays = read_arrays(path)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest is not None and found != digest:
            raise TraceError(
                f"its SHA-256 is {found[:16]}…, the trace expects {digest[:16]}…: the values of another model",
                where=str(path),
                mend="make trace and values together, or name the file with --values to take it all the same",
            )
        constants = {
            (op.name, number): _constant(arrays, op, number, str(path))
            for op in trace.ops
            for number, operand in enumerate(op.inputs)
            if operand.role in ("weight", "constant")
        }
        names = [op.name for op in trace.ops if op.type == "Input"]
        inputs = {name: _input(arrays, trace, name, names, str(path)) for name in names}
        counts = {len(each) for each in inputs.values()}
        if len(counts) != 1 or 0 in counts:
            message = "expected as many samples of every input, one or more, found " + ", ".join(
                f"{name} with {len(each)}" for name, each in inputs.items()
            )
            raise TraceError(message, where=str(path))
        return cls(constants, inputs, _labels(arrays, counts.pop(), str(path)), found, str(path))


def _constant(arrays: Mapping[str, Array], op: Op, number: int, where: str) -> Floats:
    operand = op.inputs[number]
    usual = "weight" if operand.role == "weight" else "bias" if number == 2 else str(number)
    names = [*([operand.name] if operand.name else []), f"{op.name}.{usual}", f"{op.name}.{number}"]
    name = next((each for each in names if each in arrays), None)
    if name is None:
        message = f"has no values of operand {number} of op '{op.name}' ({op.type})"
        raise TraceError(
            message, where=where, mend=f"name an array {' or '.join(map(repr, dict.fromkeys(names)))}"
        )
    values = arrays[name]
    if operand.turned and values.ndim > 1 and name == operand.name:
        values = values.swapaxes(-1, -2)
    return _floats(values, operand.tensor.shape, name, where)


def _input(arrays: Mapping[str, Array], trace: Model, name: str, names: list[str], where: str) -> Floats:
    key = name if name in arrays or len(names) > 1 else INPUTS
    if key not in arrays:
        raise TraceError(f"has no samples of the input '{name}'", where=where, mend=f"name an array '{name}'")
    shape = next(op for op in trace.ops if op.name == name).output.shape
    each = shape[1:] if shape[:1] == (1,) else shape
    return _floats(arrays[key], (len(arrays[key]) if arrays[key].ndim else 0, *each), key, where)


def _floats(values: Array, shape: tuple[int, ...], name: str, where: str) -> Floats:
    if values.shape != shape:
        message = f"'{name}' is {dims(values.shape)}, the trace has {dims(shape)}"
        raise TraceError(message, where=where)
    if values.dtype.kind not in "fiub":
        raise TraceError(f"'{name}' is of type {values.dtype}, expected numbers", where=where)
    floats = values.astype(np.float32)
    if not np.isfinite(floats).all():
        raise TraceError(f"'{name}' has values that are infinite or not a number", where=where)
    return floats


def _labels(arrays: Mapping[str, Array], samples: int, where: str) -> npt.NDArray[np.int64] | None:
    if LABELS not in arrays:
        return None
    labels = arrays[LABELS]
    if labels.shape != (samples,) or labels.dtype.kind not in "iu":
        found = f"'{LABELS}' is {dims(labels.shape)} of {labels.dtype}"
        message = f"{found}, expected {samples} whole numbers, one a sample"
        raise TraceError(message, where=where)
    return labels.astype(np.int64)
