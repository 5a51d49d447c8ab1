"""DeviceMemory: the memory of a processor, behind one interface with a bandwidth and a latency."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from pimsim.chip.base import Visit
from pimsim.chip.parts.buffer import Buffer
from pimsim.chip.parts.clock import Clocks, period_fs


class DeviceMemory(Buffer):
    """A processor's memory: accesses follow each other, a fixed share of the cycles moves data.

    Reads and writes share its bandwidth. Banks, rows and refresh are not modelled: `achievable` stands for what they
    take.

    Parameters
    ----------
    achievable : float
        Share of the peak bandwidth that long streams reach, as measured: between 0 and 1.
    """

    kind: Literal["device_memory"] = "device_memory"
    achievable: Annotated[float, Field(gt=0, le=1)] = 1.0

    def read(self, bits: int, clocks: Clocks) -> Visit:
        """Read so many bits; they are there when the last access is."""
        return self._moved(bits, clocks)

    def write(self, bits: int, clocks: Clocks) -> Visit:
        """Write so many bits; they are there when the last access is."""
        return self._moved(bits, clocks)

    def _moved(self, bits: int, clocks: Clocks) -> Visit:
        period, accesses = period_fs(clocks, self.clock), self.accesses(bits)
        cycles = math.ceil(accesses / self.achievable)
        return Visit(cycles * period, (cycles - 1 + max(1, self.latency_cycles)) * period, accesses)

    def per_second(self, clocks: Clocks, count: int = 1) -> float:
        """Return the accesses of a second, at the share that long streams reach."""
        return super().per_second(clocks, count) * self.achievable
