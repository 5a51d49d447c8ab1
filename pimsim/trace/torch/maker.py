"""What stands in the place of a torch node that a trace has no op for (see `pimsim.trace.lower`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pimsim.trace.lower.maker import Maker, Term
from pimsim.trace.optypes import OP_TYPES
from pimsim.trace.tensor import Operand, Role
from pimsim.trace.torch.graph import Builder, Const, Made, Shape
from pimsim.trace.torch.moves import transposed

if TYPE_CHECKING:
    from torch.fx import Node


class TorchMaker(Maker):
    """Makes the ops that stand for a node."""

    def __init__(self, builder: Builder, node: Node) -> None:
        self.builder = builder
        self.node = node

    def is_constant(self, term: Term) -> bool:
        """As of `Maker`."""
        return isinstance(term, Const)

    def emit(
        self,
        type_: str,
        operands: Sequence[Any],
        outputs: Sequence[tuple[Shape, str]],
        attributes: Mapping[str, Any] | None = None,
    ) -> list[Any]:
        """As of `Maker`; an op on constants alone is a constant."""
        if all(isinstance(operand, Const) for operand in operands):
            return [Const(shape, dtype) for shape, dtype in outputs]
        may_hold = OP_TYPES[type_].weight_at
        read: list[Operand] = []
        for position, operand in enumerate(operands):
            role: Role = "weight" if position in may_hold else "constant"
            read.append(self.builder.operand(operand, role))
        return self.builder.emit(self.node, type_, read, outputs, attributes)

    def part(self, constant: Any, shape: Shape, label: str = "") -> Const:
        """As of `Maker`."""
        if constant.name is None:
            return Const(shape, constant.dtype)
        form = "x".join(map(str, shape))
        return Const(shape, constant.dtype, f"{constant.name}{label} as {form}")

    def number(self, shape: Shape, dtype: str, value: float | None = None) -> Const:
        """As of `Maker`."""
        found = Const(shape, dtype) if value is None else self.builder.value(value, Const(shape, dtype))
        return Const(shape, dtype, found.name if isinstance(found, Const) else None)

    def reshape(self, term: Any, shape: Shape) -> Any:
        """As of `Maker`; a view makes no op."""
        return term.seen_as(shape) if isinstance(term, Made) else super().reshape(term, shape)

    def transpose(self, term: Any, perm: Sequence[int]) -> Any:
        """As of `Maker`; a matrix turned is the same matrix."""
        if isinstance(term, Const) and tuple(perm) == (1, 0):
            return Const(term.shape[::-1], term.dtype, term.name, not term.turned)
        if isinstance(term, Made):
            return transposed(self.builder, self.node, term, perm)
        return super().transpose(term, perm)
