"""Weights in arrays that drift are written anew at intervals: who wants to read them waits meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pimsim.chip.upkeep import Refresh
from pimsim.machine.controllers.periodic import PeriodicController, Visits
from pimsim.netlist.rows import Step


class RefreshControl(PeriodicController):
    """Writes all weights that stay in the arrays of each site anew, row after row, all cores of a site at once.

    What is written in the course of the run anyway is left alone.
    """

    name: ClassVar[str] = "refresh"
    control: Refresh

    def visits(self) -> Mapping[int, Visits]:
        """All rows of each core's arrays that an op's weights stay in."""
        numbers = {op: number for number, op in enumerate(self.machine.ops)}
        found: dict[int, list[tuple[Step, int]]] = {}
        for each in self.machine.residents:
            if each.share.when == "before" and each.kind.site.name == self.site.name:
                step = each.writing()._replace(cause="maintenance")
                found.setdefault(each.share.tile, []).append((step, numbers[each.op]))
        return found
