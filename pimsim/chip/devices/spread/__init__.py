"""How conductances of cells spread and change, as published: a file a publication."""

from pimsim.chip.devices.spread.base import MODELS, Bits, Spread, Unpublished

__all__ = ["MODELS", "Bits", "Spread", "Unpublished"]
