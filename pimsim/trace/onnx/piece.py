"""What stands in the place of a node that a trace has no op type for: ops of a trace, on values by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pimsim.trace.lower.maker import Maker
from pimsim.trace.tensor import Shape, Tensor

if TYPE_CHECKING:
    from onnx import NodeProto

    from pimsim.trace.onnx.values import Values


@dataclass(frozen=True, slots=True)
class Piece:
    """An op of a trace's types, its attributes resolved; the fields are named as a node's.

    Parameters
    ----------
    name, op_type : str
        As of an op.
    input, output : tuple of str
        Names of values.
    attributes : dict
        All that the type has.
    domain : str
        Always ONNX's own.
    """

    name: str
    op_type: str
    input: tuple[str, ...]
    output: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """A value of the graph as a `Maker` sees it."""

    name: str
    shape: Shape
    dtype: str


class OnnxMaker(Maker):
    """Makes the pieces that stand in a node's place.

    Parameters
    ----------
    graph : Values
        What is known of the graph's values; those that the pieces make are added to it.
    node : NodeProto
        The node.
    """

    def __init__(self, graph: Values, node: NodeProto) -> None:
        self.graph = graph
        self.node = node
        self.label = node.name or next(value for value in node.output if value)
        self.pieces: list[Piece] = []

    def term(self, value: str) -> Named:
        """Return a value of the graph."""
        tensor = self.graph.tensor(value)
        return Named(value, tensor.shape, tensor.dtype)

    def given(self, position: int) -> Named | None:
        """Return an input of the node; None if it is left out, or empty."""
        value = self.node.input[position] if position < len(self.node.input) else ""
        term = self.term(value) if value else None
        return None if term is None or 0 in term.shape else term

    def needed(self, position: int) -> Named:
        """Return an input of the node that must be there."""
        found = self.given(position)
        if found is None:
            raise self.refuse(f"its input {position} is left out")
        return found

    def refuse(self, why: str, mend: str = "") -> Exception:
        """Make the error of a node that a trace cannot express."""
        from pimsim.errors import TraceError

        return TraceError(f"{self.node.op_type} '{self.label}': {why}", where=self.graph.where, mend=mend)

    def value(self, position: int) -> list[Any] | None:
        """Return the numbers of an input that must be constant; None if it is left out."""
        if position >= len(self.node.input) or not self.node.input[position]:
            return None
        numbers: list[Any] = self.graph.constants.value(self.node.input[position]).ravel().tolist()
        return numbers

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute of the node; text as text."""
        from onnx import helper

        for attribute in self.node.attribute:
            if attribute.name == name:
                found = helper.get_attribute_value(attribute)
                if isinstance(found, bytes):
                    return found.decode("utf-8", "replace")
                texts = isinstance(found, list) and found and isinstance(found[0], bytes)
                return [each.decode("utf-8", "replace") for each in found] if texts else found
        return default

    def puts_out(self, position: int, term: Named) -> None:
        """Let a value be one of the node's outputs."""
        if position < len(self.node.output) and self.node.output[position]:
            self.graph.alias(self.node.output[position], term.name, Tensor(term.shape, term.dtype))

    # -- a Maker's -------------------------------------------------------------------------------------------

    def is_constant(self, term: Any) -> bool:
        """As of `Maker`."""
        return term.name in self.graph.constants.names

    def emit(
        self,
        type_: str,
        operands: Sequence[Any],
        outputs: Sequence[tuple[Shape, str]],
        attributes: Mapping[str, Any] | None = None,
    ) -> list[Any]:
        """As of `Maker`; an op on constants alone is a constant."""
        if all(self.is_constant(operand) for operand in operands):
            return [self.part(operands[0], shape, f" of {self.graph.unnamed()}") for shape, _ in outputs]
        made = [Named(self.graph.unnamed(), shape, dtype) for shape, dtype in outputs]
        names = tuple(term.name for term in made)
        for term in made:
            self.graph.constants.tensors[term.name] = Tensor(term.shape, term.dtype)
        inputs = tuple(operand.name for operand in operands)
        self.pieces.append(Piece(f"{self.label}/{type_}", type_, inputs, names, dict(attributes or {})))
        return list(made)

    def part(self, constant: Any, shape: Shape, label: str = "", bits: int | None = None) -> Any:
        """As of `Maker`; ``bits`` are those of an element, if the file holds it in fewer than its type says."""
        name = self.graph.constants.derive(constant.name, Tensor(shape, constant.dtype, bits), label)
        return Named(name, shape, constant.dtype)

    def number(self, shape: Shape, dtype: str, value: float | None = None) -> Any:
        """As of `Maker`."""
        name = self.graph.unnamed() if value is None else f"\x00{value!r} {dtype} {shape}"
        self.graph.constants.add_filled(name, Tensor(shape, dtype), value)
        return Named(name, shape, dtype)
