"""Tensors and operands, and what the rules of an op type read of an op."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pimsim.trace.observed import Statistics
from pimsim.trace.symbols import names_in, unbound

Shape = tuple[int, ...]

Role = Literal["activation", "weight", "constant", "cache"]
ROLES: tuple[Role, ...] = ("activation", "weight", "constant", "cache")


def dims(shape: Shape) -> str:
    """Write a shape as ``1x64x56x56``; a scalar is ``scalar``."""
    return "x".join(map(str, shape)) or "scalar"


@dataclass(frozen=True, slots=True)
class Tensor:
    """The form of a tensor; a trace holds no values.

    Parameters
    ----------
    shape : tuple of int
        Elements along each dimension, all positive; ``()`` is a scalar. As long as a trace has unbound symbols, text
        may stand in the place of a number (see `pimsim.trace.symbols`); nothing can be counted before it is bound.
    dtype : str
        Element type in the source model, by its ONNX name in lower case (``float32``, ``int8``).
    bits : int or None
        Bits an element is computed with; None leaves it to the chip's native precision.
    stats : Statistics or None
        What its values were like in a real run. They stand at outputs of ops and at weights, and nowhere else.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    bits: int | None = None
    stats: Statistics | None = None

    @property
    def elements(self) -> int:
        """Number of elements; TraceError if a size is symbolic."""
        if any(isinstance(size, str) for size in self.shape):
            raise unbound(sorted(names_in(self.shape)), "elements")
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Operand:
    """One input of an op.

    Parameters
    ----------
    role : {"activation", "weight", "constant", "cache"}
        An activation is computed by another op. A weight is the constant matrix of a Conv, Gemm or MatMul;
        every other parameter, a bias for example, is a constant. A cache holds the keys or values of the
        tokens before: an operand of the Concat that appends those of the new ones.
    tensor : Tensor
        Its form.
    source : str or None
        Name of the op that computes it; None unless it is an activation.
    index : int
        Which of that op's outputs it is.
    name : str or None
        Of a weight or constant: operands of one name are one, wherever they are read. None is like no other.
    turned : bool
        Whether what has that name stands here with its last two dimensions swapped.
    """

    role: Role
    tensor: Tensor
    source: str | None = None
    index: int = 0
    name: str | None = None
    turned: bool = False


class Signature(Protocol):
    """An op as the rules of its type see it: its operands, outputs and attributes (see `pimsim.trace.op.Op`)."""

    @property
    def inputs(self) -> tuple[Operand, ...]:
        """The operands."""

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The outputs."""

    @property
    def output(self) -> Tensor:
        """The first output."""

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes, resolved."""
