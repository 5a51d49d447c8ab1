"""Launcher: what starts one kernel of a processor after another."""

from __future__ import annotations

from typing import Any

from pimsim.chip.base import ClockName, Part, TimeNs, Visit
from pimsim.chip.parts.clock import Clocks, period_fs
from pimsim.units import fs_from_ns


class Launcher(Part):
    """A processor's queue of commands: kernels start one after another, each some time after the one before has ended.

    Parameters
    ----------
    launch_ns : float
        From the end of a kernel to the first access of the next, in nanoseconds; rounded up to whole cycles.
    clock : str
        Name of its clock.
    """

    launch_ns: TimeNs
    clock: ClockName

    def launch(self, clocks: Clocks) -> Visit:
        """Start a kernel."""
        period = period_fs(clocks, self.clock)
        held = max(1, -(-fs_from_ns(self.launch_ns) // period)) * period
        return Visit(held, held, 1)

    def per_second(self, clocks: Clocks) -> float:
        """Return the kernels of a second, had they nothing to do."""
        return 1e15 / self.launch(clocks).held

    def faster(self, factor: int) -> dict[str, Any]:
        """Start kernels so many times as fast."""
        return {"launch_ns": max(0.001, self.launch_ns / factor) if factor else 0.001}
