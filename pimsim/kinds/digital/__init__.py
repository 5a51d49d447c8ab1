"""The kind ``digital``: tiles of digital units beside a buffer, with or without a memory for weights; no arrays."""

from pimsim.kinds.digital.site import Digital

__all__ = ["Digital"]
