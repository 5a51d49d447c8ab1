"""Forms of values that a trace's own rules give, where ONNX's inference gives none, or another in some version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pimsim.errors import TraceError
from pimsim.trace.onnx.ops import known, normalize, trace_type
from pimsim.trace.op import Op
from pimsim.trace.optypes import OP_TYPES
from pimsim.trace.tensor import Operand, Shape, Tensor

if TYPE_CHECKING:
    from onnx import NodeProto

    from pimsim.trace.onnx.values import Values

_POOLS = ("MaxPool", "AveragePool", "LpPool")
_COMPARING = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
_RULED = ("elementwise", "normalization")  # their operands say what they put out


def pooled_shape(graph: Values, node: NodeProto) -> Shape | None:
    """Return the shape of what a pool puts out; None for other ops.

    ONNX ignores a window that starts in the padding at the end; its shape inference counts it in some versions.
    """
    return _shape(graph, node) if node.op_type in _POOLS and not node.domain else None


def ruled(graph: Values, node: NodeProto) -> Tensor | None:
    """Return the form of what an op puts out by the rule of its type; None where its operands do not tell.

    ONNX has no inference of its own for some ops that it defines by others, of opset 12 to 15 the comparisons.
    """
    if not known(node) or OP_TYPES[trace_type(node)].sort not in _RULED:
        return None
    if not all(value in graph.constants.tensors for value in node.input if value):
        return None
    dtype = "bool" if node.op_type in _COMPARING else graph.tensor(node.input[0]).dtype
    return Tensor(_shape(graph, node), dtype)


def _shape(graph: Values, node: NodeProto) -> Shape:
    type_, names, attributes = normalize(graph, node)
    operands = tuple(Operand("activation", graph.tensor(name)) for name in names)
    op = Op("", type_, operands, (operands[0].tensor,), attributes)
    try:
        return OP_TYPES[type_].shape(op)[0]
    except TraceError as error:
        message = f"{node.op_type} '{node.name or node.output[0]}': {error.message}"
        raise TraceError(message, where=graph.where) from None
