"""The kind ``processor``: a conventional machine, whose ops are kernels that run one after another from its memory."""

from pimsim.kinds.processor.site import Processor

__all__ = ["Processor"]
