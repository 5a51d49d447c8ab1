"""How many bits an element of each activation has: what a run asks for, else what its tensor states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pimsim.mapping.flow.dataflow import Node
from pimsim.trace.op import Op
from pimsim.trace.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Widths:
    """The widths of a run's activations.

    Parameters
    ----------
    native : int
        Bits of a tensor that states none: the chip's own.
    asked : int or None
        Bits of all, whatever they state.
    """

    native: int
    asked: int | None = None

    @property
    def default(self) -> int:
        """Bits of what states none, constants among it."""
        return self.asked or self.native

    def of(self, tensor: Tensor) -> int:
        """Return the bits of an element of a tensor."""
        return self.asked or tensor.bits or self.native


def give_widths(nodes: Sequence[Node], ops: Mapping[str, Op], outputs: Sequence[str], widths: Widths) -> None:
    """Give the inputs and results of a data flow their widths.

    What an op puts out is as wide as the widest that reads it: where a view stands between them, only the reader
    says how wide that is.

    Parameters
    ----------
    nodes : sequence of Node
        The data flow; the last ones take the model's outputs, in their order.
    ops : mapping of str to Op
        By name.
    outputs : sequence of str
        Names of the ops whose outputs the model's are.
    widths : Widths
        What is asked for.
    """
    for node in nodes[: len(nodes) - len(outputs)]:
        assert node.op is not None
        for edge, operand in zip(node.edges, node.op.activations, strict=True):
            edge.bits = widths.of(operand.tensor)
    for node, name in zip(nodes[len(nodes) - len(outputs) :], outputs, strict=True):
        node.edges[0].bits = node.bits = widths.of(ops[name].output)
    for node in nodes:
        for edge in node.edges:
            nodes[edge.source].bits = max(nodes[edge.source].bits, edge.bits)
    for node in nodes:
        node.bits = node.bits or (widths.of(node.op.output) if node.op is not None else widths.default)
