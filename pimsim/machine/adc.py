"""An ADC bank as SimPy processes see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import simpy

from pimsim.netlist.rows import Step
from pimsim.units import cycles, fs_from_ns

if TYPE_CHECKING:
    from pimsim.machine.machine import Machine


class AdcBank:
    """The converters of one bank of a core.

    Parameters
    ----------
    machine : Machine
        Where it is.
    resource : int
        Its resource in the engine.
    arrays : int, optional
        The resource of the arrays that it serves, if it serves no others: who holds it keeps them from reading,
        since the engine takes a bank that nobody contends for as part of its arrays.
    """

    def __init__(self, machine: Machine, resource: int, arrays: int | None = None) -> None:
        self.machine, self.resource = machine, resource
        self._held = resource if arrays is None else arrays
        self.mode = "idle"
        """``idle``, ``converting`` or ``calibrating``, as far as SimPy processes use it."""

    def convert(self, samples: int) -> simpy.Event:
        """Convert so many samples of each converter's queue, one after another."""
        tile = self.machine.net.resources[self.resource].tile
        adc = self.machine.plan.package.site(tile or 0).part_at("core.adc")
        period = self.machine.net.resources[self.resource].period_fs
        return self._hold(samples * adc.convert_cycles * period, "converting")

    def calibrate(self, nanoseconds: float) -> simpy.Event:
        """Hold the bank for a calibration; conversions wait meanwhile."""
        period = self.machine.net.resources[self.resource].period_fs
        return self._hold(cycles(fs_from_ns(nanoseconds), period) * period, "calibrating")

    def _hold(self, duration_fs: int, mode: str) -> simpy.Event:
        period = self.machine.net.resources[self._held].period_fs
        occupancy = cycles(duration_fs, period) * period
        done = self.machine.env.submit([Step(self._held, occupancy, duration_fs)], self.machine.host_op)
        self.mode = mode
        done.callbacks.append(lambda _: setattr(self, "mode", "idle"))
        return done
