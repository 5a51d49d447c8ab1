"""Importer of ONNX files."""

from pimsim.trace.onnx.export import from_onnx

__all__ = ["from_onnx"]
