"""Ops of ONNX's domain for classical learning: what scales and what is linear; trees are refused."""

from __future__ import annotations

from typing import Any

from pimsim.errors import ModelError
from pimsim.trace.onnx.lowering.table import expands
from pimsim.trace.onnx.piece import OnnxMaker

ML = "ai.onnx.ml:"


@expands(f"{ML}Scaler")
def _scaler(m: OnnxMaker) -> list[Any]:
    """An offset is taken off, and what is left multiplied: a number each for all features, or one a feature."""
    made = m.needed(0)
    for name, type_ in (("offset", "Sub"), ("scale", "Mul")):
        values = m.attribute(name) or []
        if values:
            shape = (len(values),) if len(values) > 1 else ()
            value = float(values[0]) if len(values) == 1 else None
            made = m.broadcast(type_, made, m.number(shape, "float32", value), dtype="float32")
    m.puts_out(0, made)
    return []


@expands(f"{ML}LinearRegressor")
def _linear(m: OnnxMaker) -> list[Any]:
    """A product with a stored matrix, and what is added to it."""
    source, targets = m.needed(0), m.attribute("targets", 1)
    count = len(m.attribute("coefficients") or [])
    if len(source.shape) != 2 or count != source.shape[1] * targets:
        raise m.refuse(f"it has {count} coefficients for {targets} targets and an input of {source.shape}")
    made = m.matmul(source, m.number((source.shape[1], targets), "float32"))
    if m.attribute("intercepts"):
        made = m.broadcast("Add", made, m.number((targets,), "float32"))
    m.puts_out(0, made)
    return []


@expands(f"{ML}TreeEnsemble", f"{ML}TreeEnsembleClassifier", f"{ML}TreeEnsembleRegressor")
def _trees(m: OnnxMaker) -> list[Any]:
    message = f"{m.node.op_type} '{m.label}': decision trees compare and branch on data, which a trace has no op for"
    raise ModelError(message, where=m.graph.where, mend="export the model without them")
