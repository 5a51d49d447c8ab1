"""A trace computed: ops on digital units one by one, products by weights by whoever is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.errors import TraceError
from pimsim.trace.model import Model
from pimsim.trace.op import Op
from pimsim.values.digital import Digital
from pimsim.values.rows import rows_of, shaped
from pimsim.values.sidecar import Sidecar

Floats = npt.NDArray[np.float32]
Reals = npt.NDArray[np.floating[Any]]

Product = Callable[[Op, Floats, int], Reals]
"""An op, its input rows, float32, shape (samples, positions, rows), and the number of the first sample: to its outputs,
(samples, positions, outputs), without a bias."""


class Forward:
    """A trace with its values, ready to be computed.

    Parameters
    ----------
    trace : Model
        With every size bound.
    values : Sidecar
        Its weights and constants.
    by_product : set of str
        Ops whose products somebody else computes.

    Raises
    ------
    TraceError
        If an op cannot be computed.
    """

    def __init__(self, trace: Model, values: Sidecar, by_product: frozenset[str]) -> None:
        self.trace, self.values = trace, values
        self.by_product = by_product
        self.digital = {
            op.name: Digital(op) for op in trace.ops if op.type != "Input" and op.name not in by_product
        }
        last: dict[tuple[str, int], str] = {}
        for op in trace.ops:
            for operand in op.inputs:
                if operand.source is not None:
                    last[operand.source, operand.index] = op.name
        self._last = last
        for op in trace.ops:
            _refuse_cache(op)
        self.side_by_side = all(_by_samples(op) for op in trace.ops)

    def run(
        self,
        inputs: Mapping[str, Floats],
        product: Product,
        first: int = 0,
        seen: Callable[[Op, Floats], None] | None = None,
    ) -> list[Floats]:
        """Return the model's outputs for some samples, shape (samples, …): then their own, without a first axis of one.

        Parameters
        ----------
        inputs : mapping of str to float32 array
            By input, of the same form.
        product : callable
            Computes the products of `by_product`.
        first : int
            Number of the first sample.
        """
        count = len(next(iter(inputs.values())))
        if self.side_by_side:
            return self._run(inputs, product, first, count)
        shapes = {op.name: op.output.shape for op in self.trace.ops if op.type == "Input"}
        found = [
            self._run(
                {name: each[n].reshape(shapes[name]) for name, each in inputs.items()}, product, first + n, 1
            )
            for n in range(count)
        ]
        return [
            np.stack([each[0] if each.shape[:1] == (1,) else each for each in outputs])
            for outputs in zip(*found, strict=True)
        ]

    def _run(
        self,
        inputs: Mapping[str, Floats],
        product: Product,
        first: int,
        samples: int,
    ) -> list[Floats]:
        wanted = {(name, 0) for name in self.trace.outputs}
        tensors: dict[tuple[str, int], Floats] = {}
        for op in self.trace.ops:
            if op.type == "Input":
                tensors[op.name, 0] = inputs[op.name]
                continue
            operands = [
                tensors[operand.source, operand.index]
                if operand.source is not None
                else self.values.constants[op.name, number]
                for number, operand in enumerate(op.inputs)
            ]
            if op.name in self.by_product:
                rows = rows_of(op, operands[0], samples)
                results = [shaped(op, product(op, rows, first), operands[2:], samples)]
            else:
                results = self.digital[op.name](operands, samples)
            for number, each in enumerate(results):
                tensors[op.name, number] = each
            for operand in op.inputs:
                key = operand.source or "", operand.index
                if self._last.get(key) == op.name and key not in wanted:
                    tensors.pop(key, None)
        return [tensors[name, 0] for name in self.trace.outputs]


def _refuse_cache(op: Op) -> None:
    if any(operand.role == "cache" for operand in op.inputs):
        raise TraceError(
            "its values cannot be computed: it reads a cache of tokens before",
            where=f"op '{op.name}' ({op.type})",
            mend="bind the cache's size to 0 (kv=0)",
        )


def _by_samples(op: Op) -> bool:
    """Whether samples can stand one behind another along the first axis, and come out so."""
    tensors = [operand.tensor for operand in op.activations] + list(op.outputs)
    if not all(tensor.shape and tensor.shape[0] == 1 for tensor in tensors):
        return False
    axes = op.attributes.get("axes") or ()
    axis = op.attributes.get("axis", 1)
    permuted = op.attributes.get("perm", (0,))[0] != 0
    return not (permuted or axis == 0 or 0 in axes)
