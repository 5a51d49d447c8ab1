"""An ADC bank as SimPy processes see it."""

from __future__ import annotations

import simpy

from pimsim.machine.substrate import Substrate
from pimsim.netlist.rows import Step
from pimsim.units import cycles, fs_from_ns


class AdcBank:
    """The converters of one bank of a core.

    Parameters
    ----------
    substrate : Substrate
        What it stands on.
    resource : int
        Its resource in the engine.
    arrays : int, optional
        The resource of the arrays that it serves, if it serves no others: who holds it keeps them from reading,
        since the engine takes a bank that nobody contends for as part of its arrays.
    """

    def __init__(self, substrate: Substrate, resource: int, arrays: int | None = None) -> None:
        self.substrate, self.resource = substrate, resource
        self._arrays, self._held = arrays, resource if arrays is None else arrays

    @property
    def mode(self) -> str:
        """What it does now: ``idle``, ``converting`` or ``calibrating``.

        A bank that serves no other arrays converts from the time that these begin to read until the last conversion.
        """
        env = self.substrate.env
        held = env.doing(self._held)
        if "maintenance" in held:
            return "calibrating"
        late = self._arrays is not None and env.converting(self._arrays)
        return "converting" if "compute" in held or late else "idle"

    def convert(self, samples: int) -> simpy.Event:
        """Convert so many samples of each converter's queue, one after another."""
        tile = self.substrate.net.resources[self.resource].tile
        adc = self.substrate.plan.package.site(tile or 0).part_at("core.adc")
        period = self.substrate.net.resources[self.resource].period_fs
        return self._hold(samples * adc.convert_cycles * period)

    def calibrate(self, nanoseconds: float) -> simpy.Event:
        """Hold the bank for a calibration; conversions wait meanwhile."""
        period = self.substrate.net.resources[self.resource].period_fs
        return self._hold(cycles(fs_from_ns(nanoseconds), period) * period, "maintenance")

    def _hold(self, duration_fs: int, cause: str | None = None) -> simpy.Event:
        period = self.substrate.net.resources[self._held].period_fs
        occupancy = cycles(duration_fs, period) * period
        step = Step(self._held, occupancy, duration_fs, cause=cause)
        return self.substrate.submit([step])
