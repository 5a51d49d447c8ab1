"""Which nodes vanish and which are replaced by others; everything else is an op of a trace, or unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from onnx import FunctionProto, defs

from pimsim.errors import TraceError
from pimsim.trace.onnx import bodies
from pimsim.trace.onnx.constants import dtype_name, type_of
from pimsim.trace.onnx.lowering import classical, layers, microsoft, products, quantized, sequences, signals
from pimsim.trace.onnx.lowering.table import EXPANSIONS
from pimsim.trace.onnx.ops import check_vanishing, full_type, known
from pimsim.trace.onnx.piece import OnnxMaker

if TYPE_CHECKING:
    from onnx import NodeProto

    from pimsim.trace.onnx.values import Values

__all__ = [
    "EXPANSIONS",
    "FREE",
    "classical",
    "layers",
    "lowered",
    "microsoft",
    "products",
    "quantized",
    "sequences",
    "signals",
]

EXPANSIONS.update({"If": bodies.choose, "Loop": bodies.loop, "Scan": bodies.scan})


def _nothing(graph: Values, node: NodeProto) -> None:
    """Nothing to check."""


FREE: dict[str, Callable[[Values, NodeProto], None]] = {
    "Identity": _nothing,
    "Cast": _nothing,
    "CastLike": _nothing,
    "BitCast": _nothing,
    "DequantizeLinear": _nothing,
    "Dropout": check_vanishing,
    "QuantizeLinear": quantized.note_bits,
}
"""Ops that cost nothing, and what is to be checked or noted of them: what they put out is what they were given."""


def free_dtype(graph: Values, node: NodeProto) -> str:
    """Return the element type of what an op puts out that costs nothing."""
    given = {attribute.name: attribute.i for attribute in node.attribute}
    if node.op_type == "QuantizeLinear":
        zero = node.input[2] if len(node.input) > 2 else ""
        stated = dtype_name(given["output_dtype"]) if given.get("output_dtype") else "uint8"
        return graph.tensor(zero).dtype if zero in graph.constants.tensors else stated
    if "to" in given:
        return dtype_name(given["to"])
    like = {"CastLike": 1, "DequantizeLinear": 1}.get(node.op_type, 0)
    return graph.tensor(node.input[like]).dtype


def lowered(graph: Values, node: NodeProto, only_ask: bool = False) -> list[Any] | None:
    """Return what stands in a node's place; None if it stays.

    Parameters
    ----------
    only_ask : bool
        Return an empty list instead of doing it: whether a node is known, though the shapes that it reads are not.
    """
    expansion = EXPANSIONS.get(full_type(node))
    if expansion is not None:
        if only_ask:
            return []
        maker = OnnxMaker(graph, node)
        made = _taken_apart(expansion, maker)
        return made if made is None else [*maker.pieces, *made]
    if node.domain or known(node):
        return None
    about = _function(graph, node)
    if about is None or only_ask:
        return None if about is None else []
    return bodies.function(OnnxMaker(graph, node), about)


def _taken_apart(expansion: Callable[[OnnxMaker], list[Any] | None], maker: OnnxMaker) -> list[Any] | None:
    """Do an expansion. The ONNX library does not check all that an op takes: too few dimensions, say."""
    try:
        return expansion(maker)
    except TraceError as error:
        raise error if error.where else maker.refuse(error.message, error.mend) from None
    except (LookupError, ValueError, TypeError, ArithmeticError) as error:
        why = f"its operands or attributes are not what it takes ({type(error).__name__}: {error})"
        raise maker.refuse(why, "if onnxruntime takes the file, report this as a fault of pimsim") from error


def _function(graph: Values, node: NodeProto) -> FunctionProto | None:
    """Return the function that ONNX defines an op by."""
    schema: Any = defs.get_schema(node.op_type, graph.opset, "")
    about: FunctionProto | None = None
    if schema.has_function:
        about = schema.function_body
        return about
    if not schema.has_context_dependent_function:
        return None
    types = [type_of(graph.tensor(v)).SerializeToString() if v else b"" for v in node.input]
    try:
        made = schema.get_context_dependent_function(node.SerializeToString(), types)
    except (RuntimeError, ValueError) as error:
        raise TraceError(f"{node.op_type}: {error}", where=graph.where) from None
    return FunctionProto.FromString(made) if made else None
