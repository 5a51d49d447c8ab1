"""Start the controllers that a chip file asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pimsim.chip.control import controls_of
from pimsim.machine.controllers.base import Controller
from pimsim.machine.controllers.faults import Faults
from pimsim.machine.controllers.pacing import Pacing
from pimsim.machine.controllers.programming import Cold, Programming

if TYPE_CHECKING:
    from pimsim.machine.machine import Machine


def start_controllers(machine: Machine) -> list[Controller]:
    """Start every controller of a run, before time 0: those that sites ask for in the order of the chip file."""
    sites = machine.plan.chip.config.sites.values()
    controllers: list[Controller] = []
    if machine.cold:
        controllers += [Programming(machine, site, "", Cold()) for site in sites if site.takes_ops]
    controllers += [
        control.process()(machine, site, path, control)
        for site in sites
        for path, control in controls_of(site)
    ]
    if machine.plan.chip.config.faults:
        controllers.append(Faults(machine))
    if machine.pace is not None:
        controllers.append(Pacing(machine, machine.pace))
    for controller in controllers:
        controller.start()
    return controllers
