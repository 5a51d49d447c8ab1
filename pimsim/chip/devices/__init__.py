"""Technologies of memory cells, a file each: what writing one takes, as far as it is published."""

from pimsim.chip.devices.base import Device

__all__ = ["Device"]
