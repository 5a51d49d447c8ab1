"""The arrays of a core as SimPy processes see them."""

from __future__ import annotations

import simpy

from pimsim.machine.adc import AdcBank
from pimsim.machine.substrate import Substrate
from pimsim.netlist.rows import Mvm, Step, Written

MODES = {"maintenance": "calibrating", "programming": "programming", "compute": "computing"}


class Crossbar:
    """The arrays of one core that hold one op's weights and work in step, with their ADC bank.

    Parameters
    ----------
    substrate : Substrate
        What it stands on.
    resource : int
        Its resource in the engine.
    mvm : Mvm
        Its phases.
    """

    def __init__(self, substrate: Substrate, resource: int, mvm: Mvm) -> None:
        self.substrate, self.resource, self.phases = substrate, resource, mvm
        self.bank = AdcBank(substrate, mvm.bank, None if mvm.shared else resource)

    @property
    def mode(self) -> str:
        """What they do now: ``idle``, ``computing``, ``programming`` or ``calibrating``, for whomever."""
        held = self.substrate.env.doing(self.resource)
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
        ground = self.substrate
        kind = ground.plan.package.kind(ground.net.resources[self.resource].tile or 0)
        cells = rows * kind.site.part_at("core.array").columns * ground.instances[self.resource]
        writing = kind.write_step(self.resource, rows, cells)
        return self._visit(writing._replace(tally=Written(self.resource)))

    def _visit(self, step: Step) -> simpy.Event:
        return self.substrate.submit([step])
