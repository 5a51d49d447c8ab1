"""Traces: a model as a graph of ops on tensors, read from and written to ``pimsim-trace`` files."""

from typing import TYPE_CHECKING

from pimsim.trace.op import Op
from pimsim.trace.schema import Trace
from pimsim.trace.tensor import Operand, Tensor

if TYPE_CHECKING:
    from pimsim.trace.onnx.export import from_onnx as from_onnx
    from pimsim.trace.tables.scalesim import from_scalesim as from_scalesim
    from pimsim.trace.torch.load import from_torch as from_torch

_IMPORTERS = {"from_onnx": "onnx", "from_scalesim": "tables.scalesim", "from_torch": "torch"}

__all__ = ["Op", "Operand", "Tensor", "Trace", *_IMPORTERS]


def __getattr__(name: str) -> object:
    """Import an importer when it is used."""
    import importlib

    if name not in _IMPORTERS:
        raise AttributeError(f"module 'pimsim.trace' has no attribute '{name}'")
    return getattr(importlib.import_module(f"pimsim.trace.{_IMPORTERS[name]}"), name)
