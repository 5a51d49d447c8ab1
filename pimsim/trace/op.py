"""An op: a node of a trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pimsim.trace.optypes import OP_TYPES
from pimsim.trace.symbols import names_in, unbound
from pimsim.trace.tensor import Operand, Tensor


@dataclass(frozen=True, slots=True)
class Op:
    """One node of the trace.

    Parameters
    ----------
    name : str
        Unique in the trace.
    type : str
        An ONNX op type, or ``Input`` (a model's input), or ``DataMovement`` (an op that the exporter did
        not know: it moves its tensors and computes nothing).
    inputs : tuple of Operand
        In ONNX's order; empty for ``Input``.
    outputs : tuple of Tensor
        At least one.
    attributes : dict
        All that the op type has (see `pimsim.trace.optypes`), resolved: no automatic padding, no negative
        axes, no defaults left out. Lists are tuples.
    """

    name: str
    type: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Tensor, ...]
    attributes: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def output(self) -> Tensor:
        """The first output."""
        return self.outputs[0]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors of its inputs, then its outputs."""
        return (*(operand.tensor for operand in self.inputs), *self.outputs)

    @property
    def macs(self) -> int:
        """Multiply-accumulates, by the op type's formula; 0 for ops that are not matrix products.

        TraceError if a size is symbolic.
        """
        if any(isinstance(size, str) for tensor in self.tensors for size in tensor.shape):
            raise unbound(sorted(names_in(size for each in self.tensors for size in each.shape)), "MACs")
        return OP_TYPES[self.type].macs(self)

    @property
    def weight(self) -> Operand | None:
        """The weight of a Conv, Gemm or MatMul; None if both operands are activations, or for other ops."""
        return next((operand for operand in self.inputs if operand.role == "weight"), None)

    @property
    def activations(self) -> tuple[Operand, ...]:
        """The operands that other ops compute."""
        return tuple(operand for operand in self.inputs if operand.role == "activation")

    @property
    def params(self) -> int:
        """Elements of all its weights and constants."""
        return sum(
            operand.tensor.elements for operand in self.inputs if operand.role in ("weight", "constant")
        )

    @property
    def deps(self) -> tuple[str, ...]:
        """Names of the ops that it reads from, each once, in the order of the operands."""
        return tuple(dict.fromkeys(operand.source for operand in self.inputs if operand.source is not None))
