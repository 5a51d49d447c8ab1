"""From an ONNX file to a trace: shapes inferred, constants and normalizations folded."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pimsim.errors import TraceError
from pimsim.trace.fold import drop_unread, fold_scales
from pimsim.trace.schema import Op, Operand, Tensor, Trace

if TYPE_CHECKING:
    from onnx import NodeProto

    from pimsim.trace.onnx_graph import Graph


def from_onnx(
    path: str | Path,
    *,
    allow_unknown: bool = False,
    bindings: Mapping[str, int] | None = None,
    model: str | None = None,
    command: str = "",
) -> Trace:
    """Export an ONNX model as a trace.

    Constants are folded, so a weight that is computed from constants is a weight. BatchNormalization and
    per-channel scales fold into the Conv before them if nothing else reads it. Identity and Dropout vanish.
    Stored weights count as ``trained``: a file does not say whether they are.

    Parameters
    ----------
    path : str or Path
        The ONNX file.
    allow_unknown : bool
        Make ops that a trace does not know DataMovement instead of refusing them.
    bindings : mapping of str to int, optional
        Values of symbolic dimensions. A symbolic first dimension is bound to 1 by default, and the trace's
        ``notes`` say so.
    model : str, optional
        The trace's name; by default the file's.
    command : str
        Kept in the header.

    Raises
    ------
    TraceError
        If the file is not a valid ONNX model; if it holds unknown ops (all are listed); if a dimension is
        not bound or a shape cannot be inferred; if the package ``onnx`` is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        message = "reading ONNX files needs the package 'onnx'"
        raise TraceError(message, where=str(path), mend="pip install 'pimsim[onnx]'")
    from pimsim.trace.onnx_graph import Graph

    graph = Graph(Path(path), dict(bindings or {}))
    notes = list(graph.notes)
    unknown = _unknown(graph)
    if unknown:
        listed = ", ".join(f"{name} ({count})" for name, count in sorted(unknown.items()))
        if not allow_unknown:
            message = f"the model has ops that a trace does not know: {listed}"
            mend = "--allow-unknown treats them as data movement, without their computation"
            raise TraceError(message, where=str(path), mend=mend)
        notes.append(f"unknown ops treated as data movement, their computation not modelled: {listed}")
    graph.infer_shapes()
    ops, outputs = _Converter(graph).convert()
    ops, outputs = fold_scales(ops, outputs)
    header = {
        "source": graph.source,
        "command": command,
        "symbols": graph.symbols,
        "weights": _weights(graph, ops),
        "notes": notes,
    }
    try:
        return Trace.from_ops(model or Path(path).stem, drop_unread(ops, outputs), outputs, header)
    except TraceError as error:
        raise TraceError(error.message, where=f"{path}: {error.where}", mend=error.mend) from None


def _unknown(graph: Graph) -> Counter[str]:
    from pimsim.trace.onnx_ops import VANISHING, full_type, known

    return Counter(
        full_type(node) for node in graph.live if not known(node) and full_type(node) not in VANISHING
    )


def _weights(graph: Graph, ops: list[Op]) -> str:
    """Say where the weights' values come from: one that is filled makes the model's values meaningless."""
    if not any(op.weight for op in ops):
        return "absent"
    origins = {graph.constants.origin(name) for name in graph.weight_names}
    return next(origin for origin in ("absent", "constant", "trained") if origin in origins)


class _Converter:
    """Turns the graph's nodes into ops, and value names into (op, output) pairs."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.ops: list[Op] = []
        self.names: set[str] = set()
        self.made: dict[str, tuple[str, int]] = {}  # value name -> op that computes it, and which output

    def convert(self) -> tuple[list[Op], list[str]]:
        """Return the ops, in the file's order, and the names of the output ops."""
        from pimsim.trace.onnx_ops import VANISHING

        for value in self.graph.inputs:
            name = self._unique(value)
            self.ops.append(Op(name, "Input", (), (self.graph.tensor(value),)))
            self.made[value] = (name, 0)
        for node in self.graph.live:
            if not node.domain and node.op_type in VANISHING:
                self._vanish(node)
            else:
                self._add(node)
        outputs = []
        for value in self.graph.outputs:
            if value in self.made and self.made[value][0] not in outputs:
                outputs.append(self.made[value][0])
        if not outputs:
            raise TraceError("no output depends on an input: there is nothing to run", where=self.graph.where)
        return self.ops, outputs

    def _unique(self, name: str) -> str:
        name = "".join(letter if letter.isprintable() else "_" for letter in name)[:900]
        number, found = 1, name
        while found in self.names:
            number += 1
            found = f"{name}#{number}"
        self.names.add(found)
        return found

    def _vanish(self, node: NodeProto) -> None:
        from pimsim.trace.onnx_ops import check_vanishing

        check_vanishing(self.graph, node)
        self.made[node.output[0]] = self.made[node.input[0]]

    def _add(self, node: NodeProto) -> None:
        from pimsim.trace.onnx_ops import normalize
        from pimsim.trace.optypes import OP_TYPES

        type_, operands, attributes = normalize(self.graph, node)
        outputs = [value for value in node.output if value]
        name = self._unique(node.name or outputs[0])
        weight_at = self._weight_position(type_, operands)
        inputs = tuple(self._operand(value, position == weight_at) for position, value in enumerate(operands))
        if weight_at is not None:
            self.graph.weight_names.append(operands[weight_at])
        tensors: tuple[Tensor, ...] = tuple(self.graph.tensor(value) for value in outputs)
        if not OP_TYPES[type_].many_outputs:
            self._refuse_side_outputs(node, outputs[1:])
            tensors = tensors[:1]
        self.ops.append(Op(name, type_, inputs, tensors, attributes))
        self.made.update({value: (name, index) for index, value in enumerate(outputs)})

    def _weight_position(self, type_: str, operands: list[str]) -> int | None:
        from pimsim.trace.optypes import OP_TYPES

        positions = OP_TYPES[type_].weight_at
        constant = [
            at for at in positions if at < len(operands) and operands[at] in self.graph.constants.names
        ]
        return constant[-1] if constant else None

    def _operand(self, value: str, weight: bool) -> Operand:
        tensor = self.graph.tensor(value)
        if value in self.graph.constants.names:
            return Operand("weight" if weight else "constant", tensor)
        source, index = self.made[value]
        return Operand("activation", tensor, source, index)

    def _refuse_side_outputs(self, node: NodeProto, values: list[str]) -> None:
        """Side outputs (a pool's indices, an inference's masks) may stand there, but nobody may read them."""
        used = [value for value in values if self.graph.is_read(value)]
        if used:
            message = (
                f"{node.op_type} '{node.name or node.output[0]}': its output '{used[0]}' is not supported"
            )
            raise TraceError(message, where=self.graph.where)
