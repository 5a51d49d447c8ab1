"""A tile as SimPy processes see it: what is resident, what is running, and its parts."""

from __future__ import annotations

from functools import cached_property

import simpy

from pimsim.machine.crossbar import Crossbar
from pimsim.machine.substrate import Substrate
from pimsim.netlist.rows import Mvm


class Tile:
    """One tile of the machine.

    Parameters
    ----------
    substrate : Substrate
        What it stands on.
    index : int
        Which tile, counted over all chips.
    """

    def __init__(self, substrate: Substrate, index: int) -> None:
        self.substrate, self.index = substrate, index

    @cached_property
    def resident(self) -> list[str]:
        """The ops whose weights are programmed into this tile's arrays, in the trace's order."""
        return [
            op.node.name
            for op in self.substrate.plan.ops
            if any(chunk.tile == self.index for replica in op.replicas for chunk in replica.chunks)
        ]

    @cached_property
    def crossbars(self) -> list[Crossbar]:
        """The groups of arrays in use on this tile, in the order of the plan."""
        net = self.substrate.net
        found: dict[int, Mvm] = {}  # by resource; several paths may multiply there
        for step in (step for path in net.paths for step in path):
            if step.mvm is not None and net.resources[step.resource].tile == self.index:
                found.setdefault(step.resource, step.mvm)
        return [Crossbar(self.substrate, resource, mvm) for resource, mvm in found.items()]

    def read(self, bits: int) -> simpy.Event:
        """Read from the buffer and over the bus; the event happens when the last word is there."""
        return self.substrate.submit(self.substrate.transport.read_buffer(self.index, bits))

    def mvm(self, crossbar: int = 0) -> simpy.Event:
        """Multiply one vector on one of the tile's groups of arrays; see `Crossbar.mvm`.

        Raises
        ------
        IndexError
            If the plan put no weights there.
        """
        return self.crossbars[crossbar].mvm()
