"""Which weights and constants are one: operands of one name read the same values, however many ops do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pimsim.errors import TraceError
from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand, Role, Shape, dims


def stored_shape(operand: Operand) -> Shape:
    """Return the shape that a weight or constant is stored in: as it stands, or with its last two sizes swapped."""
    shape = operand.tensor.shape
    return (*shape[:-2], shape[-1], shape[-2]) if operand.turned else shape


def distinct(ops: Iterable[Op], roles: Sequence[Role]) -> int:
    """Return the elements of all operands of some roles; those of one name count once.

    Raises
    ------
    TraceError
        If a size is symbolic.
    """
    elements, seen = 0, set[str]()
    for op in ops:
        for operand in op.inputs:
            if operand.role not in roles or operand.name in seen:
                continue
            if operand.name is not None:
                seen.add(operand.name)
            elements += operand.tensor.elements
    return elements


def only_shared(ops: Sequence[Op]) -> list[Op]:
    """Leave out the names that one operand has alone: they say nothing."""
    reads = Counter(operand.name for op in ops for operand in op.inputs)

    def told(operand: Operand) -> Operand:
        alone = operand.name is not None and reads[operand.name] == 1
        return replace(operand, name=None, turned=False) if alone else operand

    return [
        replace(op, inputs=tuple(map(told, op.inputs))) if any(each.name for each in op.inputs) else op
        for op in ops
    ]


def check_names(ops: Sequence[Op], places: Sequence[str]) -> None:
    """See that operands of one name can be one.

    Raises
    ------
    TraceError
        If two of them have other shapes, element types or bits.
    """
    first: dict[str, tuple[Operand, str]] = {}
    for op, place in zip(ops, places, strict=True):
        for at, operand in enumerate(op.inputs):
            if operand.name is None:
                continue
            other, there = first.setdefault(operand.name, (operand, place))
            where = f"{place}: inputs[{at}]"
            if stored_shape(operand) != stored_shape(other):
                message = (
                    f"'{operand.name}' is {dims(stored_shape(operand))} here and {dims(stored_shape(other))} at "
                    f"{there}"
                )
                raise TraceError(
                    message, where=f"{where}.shape", mend="give what is not one weight names of their own"
                )
            for field in ("dtype", "bits"):
                here, before = getattr(operand.tensor, field), getattr(other.tensor, field)
                if here != before:
                    message = f"'{operand.name}' has {here} here and {before} at {there}"
                    raise TraceError(message, where=f"{where}.{field}")
