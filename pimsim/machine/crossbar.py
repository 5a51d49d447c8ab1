"""The arrays of a core as SimPy processes see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import simpy

from pimsim.machine.adc import AdcBank
from pimsim.netlist.rows import Mvm, Step

if TYPE_CHECKING:
    from pimsim.machine.machine import Machine

MODES = {"maintenance": "calibrating", "programming": "programming", "compute": "computing"}


class Crossbar:
    """The arrays of one core that hold one op's weights and work in step, with their ADC bank.

    Parameters
    ----------
    machine : Machine
        Where it is.
    resource : int
        Its resource in the engine.
    mvm : Mvm
        Its phases.
    """

    def __init__(self, machine: Machine, resource: int, mvm: Mvm) -> None:
        self.machine, self.resource, self.phases = machine, resource, mvm
        self.bank = AdcBank(machine, mvm.bank, None if mvm.shared else resource)

    @property
    def mode(self) -> str:
        """What they do now: ``idle``, ``computing``, ``programming`` or ``calibrating``, for whomever."""
        held = self.machine.env.doing(self.resource)
        return next((mode for cause, mode in MODES.items() if cause in held), "idle")

    def mvm(self) -> simpy.Event:
        """Multiply one vector, phase by phase, after what the arrays are doing already."""
        return self._visit(Step(self.resource, 0, 0, self.phases))

    def program(self, rows: int) -> simpy.Event:
        """Write so many rows of all arrays, one after another; multiplications wait meanwhile.

        Raises
        ------
        ConfigError
            If the chip file gives no write time.
        """
        machine = self.machine
        kind = machine.plan.package.kind(machine.net.resources[self.resource].tile or 0)
        cells = rows * kind.site.part_at("core.array").columns * machine.instances[self.resource]
        machine.written[self.resource] += 1
        return self._visit(kind.write_step(self.resource, rows, cells))

    def _visit(self, step: Step) -> simpy.Event:
        return self.machine.env.submit([step], self.machine.host_op)
