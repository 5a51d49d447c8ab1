"""Masks of attention in an ONNX graph: computed, to see whether they are causal."""

from __future__ import annotations

from collections.abc import Sequence

from pimsim.errors import TraceError
from pimsim.trace.causal import OPPOSITE, Sense, is_causal, sense_of
from pimsim.trace.onnx.graph import Graph
from pimsim.trace.op import Op

_LARGEST = 1 << 24  # elements
_SAME = ("Cast", "Identity", "Expand", "Reshape", "Unsqueeze", "Squeeze", "Slice")
_BOTH: dict[Sense, tuple[str, ...]] = {
    "true keeps": ("And", "Mul"),
    "true hides": ("Or",),
    "added": ("Add",),
    "taken off": ("Add",),
}
"""What hides all that one of its operands hides."""


class Masks:
    """Says which values are causal masks.

    Parameters
    ----------
    graph : Graph
        The model.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._makers = {value: node for node in graph.live for value in node.output if value}
        self._found: dict[tuple[str, Sense], bool] = {}

    def applied_by(self, op: Op, operands: Sequence[str]) -> bool:
        """Return whether an op applies a causal mask to scores.

        Parameters
        ----------
        op : Op
            The op.
        operands : sequence of str
            Names of its operands in the file.
        """
        if op.type not in ("Add", "Sub", "Where"):
            return False
        scores = op.output.shape[-2:]
        for number, (operand, value) in enumerate(zip(op.inputs, operands, strict=True)):
            sense = sense_of(op, number)
            over_scores = len(scores) == 2 and operand.tensor.shape[-2:] == scores
            if sense is not None and over_scores and self.causal(value, sense):
                return True
        return False

    def causal(self, value: str, sense: Sense) -> bool:
        """Return whether a value hides the keys behind each row's own, whatever else it may hide."""
        key = value, sense
        if key not in self._found:
            self._found[key] = self._is_causal(value, sense)
        return self._found[key]

    def _is_causal(self, value: str, sense: Sense) -> bool:
        if value in self._graph.constants.names:
            try:
                return is_causal(self._graph.constants.value(value, _LARGEST), sense)
            except TraceError:  # it waits for a value that the file does not have
                return False
        node = self._makers.get(value)
        if node is None:
            return False
        size = self._graph.tensor(value).shape[-2:]
        parts = [each for each in node.input if each and self._graph.tensor(each).shape[-2:] == size]
        if node.op_type in (*_SAME, *_BOTH[sense]):
            return any(self.causal(each, sense) for each in parts)
        if node.op_type == "Not" and sense in OPPOSITE:
            return any(self.causal(each, OPPOSITE[sense]) for each in parts)
        if node.op_type == "Where" and sense == "added" and parts[:1] == [node.input[0]]:
            return self.causal(node.input[0], "true keeps") or self.causal(node.input[0], "true hides")
        return False
