"""What the parts of a machine stand on: its rows, the ways of data, and the clock that they share with the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import simpy

from pimsim.machine.environment import Environment
from pimsim.mapping.lowering.transport import Transport
from pimsim.mapping.planning.plan import Plan
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Step
from pimsim.network.fabric import add_ways
from pimsim_core.network import Network


@dataclass
class Substrate:
    """What a tile, a crossbar, a bank of converters and the interconnect need of the machine that they are in.

    Parameters
    ----------
    plan : Plan
        What is where.
    net : Netlist
        The rows; processes may be the first to use some parts, which then get rows of their own.
    transport : Transport
        Which of them move data.
    instances : dict of int to int
        Arrays, and converters, that a resource stands for.
    env : Environment
        The clock.
    network : Network or None
        The compiled network, by flit.
    parts : list of str
        What time is charged to, in the order of the engine.
    host_op : int
        The op that jobs of processes are charged to.
    """

    plan: Plan
    net: Netlist
    transport: Transport
    instances: dict[int, int]
    env: Environment
    network: Network | None
    parts: list[str]
    host_op: int

    def __post_init__(self) -> None:
        """Note what the engine knows."""
        self._resources, self._routes = len(self.net.resources), len(self.net.routes)

    def sync(self) -> None:
        """Hand the engine the resources and routes that a process is the first to use."""
        new, last = self.net.resources[self._resources :], len(self.parts) - 1
        if new:
            numbers = {part: number for number, part in enumerate(self.parts)}
            self.env.add_resources((row, numbers.get(row.part, last)) for row in new)
            self._resources = len(self.net.resources)
        if self.network is not None and self._routes < len(self.net.routes):
            add_ways(self.network, self.net.routes[self._routes :])
            self._routes = len(self.net.routes)

    def submit(self, steps: Sequence[Step]) -> simpy.Event:
        """Send a job along steps beside the machine's own work; its value is the time of its end."""
        self.sync()
        return self.env.submit(steps, self.host_op)
