"""The steps of a machine as they are now, and how they are moved: to another tile, or around a link that is gone."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pimsim.chip.topology.free import FreeGraph
from pimsim.netlist.rows import Step, Written

if TYPE_CHECKING:
    from pimsim.machine.controllers.base import Change
    from pimsim.machine.machine import Machine

Hops = list[tuple[int, int]]


class NoDetour(Exception):
    """It cannot be moved: says why."""


class Steps:
    """What every visit and packet of the machine's own does now.

    Parameters
    ----------
    machine : Machine
        Before anything was moved.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine, self.net, self.transport = machine, machine.net, machine.transport
        self.fabric, self.tiles = machine.transport.fabric, machine.plan.chip.config.tiles
        self.now: dict[int, Step] = {}
        for number, path in enumerate(self.net.paths):
            first = machine.engine.first_step(number)
            self.now |= {first + index: step for index, step in enumerate(path)}
        self._broken: set[tuple[str, str]] = set()
        self._ways: dict[tuple[str, str], Hops] = {}

    def check(self) -> None:
        """Raise `NoDetour` where packets cannot be moved."""
        if self.machine.network is None:
            raise NoDetour("with network.fidelity packet nothing can be moved")
        if self.net.casts:
            raise NoDetour("packets that branch (network.multicast) cannot be moved")

    # -- a tile ------------------------------------------------------------------------------------------------

    def move_core(self, tile: int, cores: tuple[int, int]) -> None:
        """Let what one core of a tile does be done in another from now on."""

        def change(step: Step) -> Step:
            if self.net.resources[step.resource].name.startswith(f"tile{tile}.core{cores[0]}."):
                return self._at(step, tile, tile, cores)
            return step

        new = {number: change(step) for number, step in self.now.items()}
        self._apply({number: step for number, step in new.items() if step is not self.now[number]}, change)

    def move(self, source: int, target: int) -> None:
        """Let everything of one tile be done in another of its chip from now on."""
        chip, (here, there) = source // self.tiles, (f"t{tile % self.tiles}" for tile in (source, target))

        def change(step: Step) -> Step:
            if step.route is not None:
                at, *ends = self._ends(step)
                if at == chip and here in ends:
                    new = there if ends[0] == here else ends[0], there if ends[1] == here else ends[1]
                    return self.transport.rerouted(step, chip, new, self._hops(*new))
            elif self.net.resources[step.resource].tile == source:
                return self._at(step, source, target)
            return step

        new = {number: change(step) for number, step in self.now.items()}
        self._apply({number: step for number, step in new.items() if step is not self.now[number]}, change)

    def _at(self, step: Step, source: int, target: int, cores: tuple[int, int] | None = None) -> Step:
        """Return a visit in another tile, or another core."""
        resource, mvm = self._moved(step.resource, source, target, cores), step.mvm
        if mvm is not None:
            mvm = mvm._replace(bank=self._moved(mvm.bank, source, target, cores))
        tally = step.tally._replace(cells=resource) if isinstance(step.tally, Written) else step.tally
        return step._replace(resource=resource, mvm=mvm, tally=tally)

    def _moved(self, resource: int, source: int, target: int, cores: tuple[int, int] | None) -> int:
        new, instances = self.transport.moved(resource, source, target, cores), self.machine.instances
        if resource in instances:
            instances[new] = instances[resource]
        return new

    # -- a link ------------------------------------------------------------------------------------------------

    def avoid(self, link: Collection[str]) -> None:
        """Send all packets around a link of the chips from now on, up and then down a tree."""
        a, b = link
        self._broken |= {(a, b), (b, a)}
        topology, routers = self._remaining(), self.fabric.graph.copy()
        routers.remove_edges_from([edge for edge in self._broken if routers.has_edge(*edge)])
        routers.graph.pop("ways", None)
        routers.graph.pop("height", None)
        self._ways.clear()
        changed: dict[int, Step] = {}
        for number, step in self.now.items():
            if step.route is None:
                continue
            chip, start, end = self._ends(step)
            if (start, end) not in self._ways:
                path = topology.route(routers, start, end)
                if len(path) == 1:  # to oneself: to the router and back
                    path = [start, next(iter(routers.adj[start])), start]
                edges = list(zip(pairwise(path), topology.classes(path), strict=True))[1:]
                self._ways[start, end] = [(self.fabric.index[edge], vcs) for edge, vcs in edges]
            changed[number] = self.transport.rerouted(step, chip, (start, end), self._ways[start, end])
        self._apply(changed)

    def _remaining(self) -> FreeGraph:
        """Return the routers without the broken links as a graph of any form."""
        graph = self.fabric.graph
        if graph.is_directed():
            raise NoDetour("its links lead one way, and there is no other")
        number = {node: int(graph.nodes[node]["index"]) for node in self.fabric.routers}
        edges = [
            [number[a], number[b]]
            for a, b, data in graph.edges(data=True)
            if data["kind"] == "link" and (a, b) not in self._broken
        ]
        try:
            remaining = FreeGraph(kind="graph", edges=edges)
        except ValidationError:
            raise NoDetour("there is no way around") from None
        if remaining.routers < len(number):
            raise NoDetour("there is no way around")
        return remaining

    # -- both --------------------------------------------------------------------------------------------------

    def _ends(self, step: Step) -> tuple[int, str, str]:
        """The chip that a packet crosses, and the nodes where it begins and ends."""
        assert step.route is not None
        chip, terminal = divmod(step.terminal, len(self.fabric.terminals))
        last = self.net.routes[step.route][-1][0] % len(self.fabric.channels)
        return chip, self.fabric.terminals[terminal], self.fabric.channels[last][1]

    def _hops(self, start: str, end: str) -> Hops:
        if self._broken:
            found = self._ways.get((start, end))
            if found is None:
                raise NoDetour("a tile cannot move once a link has failed")
            return found
        return self.fabric.hops(start, end)

    def _apply(self, changed: dict[int, Step], change: Change | None = None) -> None:
        """Let the machine's own visits be others from now on, and with `change` those of controllers, too."""
        machine, env = self.machine, self.machine.env
        if change is not None:
            for controller in machine.controllers:
                controller.moved(change)
        machine.substrate.sync()
        mvms: dict[object, int] = {}
        for number, step in changed.items():
            if step.mvm is not None and step.mvm not in mvms:
                mvms[step.mvm] = machine.engine.add_mvm(*step.mvm)
            machine.engine.redirect(
                number,
                resource=step.resource,
                route=None if step.route is None else env.first_route + step.route,
                terminal=step.terminal if step.route is not None else None,
                latency=step.latency if step.route is not None else None,
                mvm=mvms[step.mvm] if step.mvm is not None else None,
                tally=self.net.add_tally(step.tally) if isinstance(step.tally, Written) else None,
            )
        self.now |= changed
