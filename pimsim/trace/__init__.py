"""Traces: a model as a graph of ops on tensors, read from and written to ``pimsim-trace/1`` files."""

from pimsim.trace.schema import Op, Operand, Tensor, Trace

__all__ = ["Op", "Operand", "Tensor", "Trace"]
