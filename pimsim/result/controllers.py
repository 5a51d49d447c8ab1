"""What the controllers of a run did, as plain data."""

from __future__ import annotations

from typing import Any

from pimsim.machine.controllers.base import Deeds
from pimsim.machine.machine import Machine
from pimsim.result.energy import AJ_PER_PJ


def controller_rows(machine: Machine) -> list[dict[str, Any]]:
    """Return a row for every controller: which, where, how often it acted, what that held and cost, and its figures."""
    return [row_of(controller.deeds) for controller in machine.controllers]


def row_of(deeds: Deeds) -> dict[str, Any]:
    """Return the row of one controller."""
    return {
        "controller": deeds.controller,
        "where": deeds.where,
        "times": deeds.times,
        "held_fs": deeds.held_fs,
        "energy_aj": round(deeds.energy_pj * AJ_PER_PJ),
        **deeds.figures,
    }
