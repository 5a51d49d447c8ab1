"""Symbolic dimensions of inputs that have no value: which are sums of others, and the error of those that need one."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import GraphProto

from pimsim.errors import TraceError
from pimsim.trace.batch import is_named
from pimsim.trace.symbols import NAME, Size, parse


class UnboundError(TraceError):
    """Symbolic dimensions have no value.

    Attributes
    ----------
    names : tuple of str
        Which.
    """

    names: tuple[str, ...] = ()


def unbound(names: Sequence[str], where: str, why: str = "") -> UnboundError:
    """Make the error of symbolic dimensions that have no value, and must have one."""
    message = f"symbolic dimensions without a value: {', '.join(names)}{why and f': {why}'}"
    mend = "say " + " ".join(f"--bind {name}=N" for name in names)
    error = UnboundError(message, where=where, mend=mend)
    error.names = tuple(names)
    return error


def sums_of(graph: GraphProto) -> dict[str, Size]:
    """Return the dimensions whose names are written as sizes of others: ``past + seq``."""
    dims = [dim for value in graph.input for dim in value.type.tensor_type.shape.dim]
    named = {dim.dim_param for dim in dims if NAME.fullmatch(dim.dim_param)}
    found = {}
    for text in {dim.dim_param for dim in dims} - named:
        try:
            size = parse(text) if is_named(text) else None
        except TraceError:  # a name of another kind
            continue
        if size is not None and size.names and size.names <= named:
            found[text] = size
    return found
