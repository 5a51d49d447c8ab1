"""What the controllers of a run did, as plain data."""

from __future__ import annotations

from typing import Any

from pimsim.machine.controllers.base import Deeds
from pimsim.machine.controllers.faults import Faults
from pimsim.machine.controllers.power import Power
from pimsim.machine.machine import Machine
from pimsim.result.energy import AJ_PER_PJ


def controller_rows(machine: Machine) -> list[dict[str, Any]]:
    """Return a row for every controller: which, where, how often it acted, what that held and cost, and its figures."""
    return [row_of(controller.deeds) for controller in machine.controllers]


def controller_notes(machine: Machine) -> list[str]:
    """Return in words what is approximate about the controllers of a run."""
    notes = []
    for controller in machine.controllers:
        if isinstance(controller, Power) and not controller.static_energy_aj():
            notes.append(
                f"No part of {controller.site.name} has static power: its power states change the time alone."
            )
        if isinstance(controller, Faults) and controller.deeds.times:
            notes.append(
                "Faults: what waits in a buffer moves with it for nothing, packets on a new way cost the energy of the "
                "old one, and a replaced site keeps its number."
            )
    return notes


def row_of(deeds: Deeds) -> dict[str, Any]:
    """Return the row of one controller; its energy is None where all that it costs is not modelled."""
    nothing_known = not deeds.energy_pj and "energy_not_modelled_of" in deeds.figures
    return {
        "controller": deeds.controller,
        "where": deeds.where,
        "times": deeds.times,
        "held_fs": deeds.held_fs,
        "energy_aj": None if nothing_known else round(deeds.energy_pj * AJ_PER_PJ),
        **deeds.figures,
    }
