"""The kind ``crossbar``: tiles of cores of arrays that multiply in place, with converters and digital units."""

from pimsim.kinds.crossbar.site import Crossbar

__all__ = ["Crossbar"]
