"""Importer of PyTorch models."""

from pimsim.trace.torch.load import from_torch

__all__ = ["from_torch"]
