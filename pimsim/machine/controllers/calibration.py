"""Banks of converters are calibrated at intervals: who wants to convert waits meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pimsim.chip.base import cost
from pimsim.chip.upkeep import Calibration
from pimsim.machine.controllers.periodic import PeriodicController, Visits
from pimsim.netlist.rows import Mvm, Step
from pimsim.units import cycles, fs_from_ns


class CalibrationControl(PeriodicController):
    """Calibrates the banks in use of each site, all banks of a site at once."""

    name: ClassVar[str] = "calibration"
    control: Calibration

    def visits(self) -> Mapping[int, Visits]:
        """A bank that serves several groups of arrays is held; one that serves no others, with its arrays.

        The engine takes a bank that nobody contends for as part of its arrays.
        """
        machine, own = self.machine, set(self.tiles)
        banks: dict[int, Mvm] = {}  # by the resource that is held
        for step in (step for path in machine.net.paths for step in path):
            if step.mvm is not None:
                banks.setdefault(step.mvm.bank if step.mvm.shared else step.resource, step.mvm)
        found: dict[int, list[tuple[Step, int]]] = {tile: [] for tile in sorted(own)}
        converters = self.site.part_at(self.path)
        for held, mvm in sorted(banks.items()):
            tile = machine.net.resources[held].tile
            if tile is None or tile not in own:
                continue
            period = machine.net.resources[held].period_fs
            duration = cycles(fs_from_ns(self.control.duration_ns), period) * period
            number = machine.instances[mvm.bank] // converters.adcs_per_bank
            energy = cost(self.site.label(self.path), number, self.control.energy_pj)
            step = Step(held, duration, duration, energy=energy, cause="maintenance")
            found[tile].append((step, machine.host_op))
        return {tile: visits for tile, visits in found.items() if visits}
