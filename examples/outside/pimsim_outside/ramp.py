"""A ramp converter: one voltage rises step by step, and every column's comparator notes the step that passes it."""

from __future__ import annotations

from typing import Literal

from pimsim.chip.base import Cycles, EnergyPj
from pimsim.chip.models import Point
from pimsim.chip.parts import Adc
from pimsim.chip.parts.clock import Clocks, period_fs
from pimsim.units import FS_PER_S


class Ramp(Adc):
    """Single-slope converters: a sample takes a step for each code, so a bit more takes twice the time.

    A column of its own comparator, ``adcs_per_bank`` as many as a bank has columns, lets all convert in one ramp.
    ``convert_cycles`` are the cycles of a step.

    Parameters
    ----------
    reset_cycles : int
        Cycles for the ramp to return before it rises again.
    energy_per_step_pj : float, optional
        Energy of one step of one comparator and its counter, in picojoules; ``energy_per_convert_pj`` of a whole
        sample, where it is given, stands instead.
    """

    kind: Literal["ramp"] = "ramp"
    reset_cycles: Cycles = 0
    energy_per_step_pj: EnergyPj | None = None

    @property
    def cycles(self) -> int:
        """Cycles of one sample."""
        return 2**self.bits * self.convert_cycles + self.reset_cycles

    def conversion_fs(self, samples: int, clocks: Clocks) -> int:
        """Return the time of so many samples of one converter, a ramp each, fs."""
        return samples * self.cycles * period_fs(clocks, self.clock)

    def point(self, clocks: Clocks, technology_nm: float) -> Point:
        """Return bits, rate and node: what a model of energy and area is asked at."""
        return Point(self.bits, FS_PER_S / (self.cycles * period_fs(clocks, self.clock)), technology_nm)

    @property
    def action_pj(self) -> float | None:
        """Energy of one sample, in picojoules: all steps of its ramp."""
        if self.energy_per_convert_pj is not None or self.energy_per_step_pj is None:
            return self.energy_per_convert_pj
        return 2**self.bits * self.energy_per_step_pj
