"""Weights are brought and written before what works with them begins.

They come from the off-chip memory where the chip has one, else from the host, over the network and the tile's bus: a
job for what an op has in a core, all of its weights in one piece, then row after row is written and verified. All jobs
stand in the queues of links and memory from time 0, those of early ops first. A tile's ops open together, when the last
of its weights are written.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import ClassVar

import simpy

from pimsim.chip.control import Control
from pimsim.errors import ConfigError
from pimsim.machine.controllers.base import Controller, Span
from pimsim.machine.environment import Job
from pimsim.machine.residents import Resident, users_of
from pimsim.netlist.rows import Step


class Cold(Control):
    """What a run with ``cold`` asks of each name of sites: that weights are not there at time 0."""

    @classmethod
    def process(cls) -> type[Programming]:
        """Return what writes them."""
        return Programming


class Programming(Controller):
    """Brings and writes the weights of the sites of a name; until then, what works with them is closed."""

    name: ClassVar[str] = "programming"

    def start(self) -> None:
        """A process for each site with weights, in the order of the ops.

        Raises
        ------
        ConfigError
            If the chip file does not say how long writing takes.
        """
        machine, by_tile = self.machine, dict[int, list[Resident]]()
        for each in machine.residents:
            if each.share.when == "before" and each.kind.site.name == self.site.name:
                by_tile.setdefault(each.share.tile, []).append(each)
        own = [op.operand for op in machine.plan.ops if op.site == self.site.name and op.operand is not None]
        if not by_tile and any(each.what == "weights" and each.at("before") for each in own):
            raise ConfigError(
                f"writing what sites of kind {self.site.kind} hold is not modelled",
                where=self.site.name,
                mend="leave cold out",
            )
        users = users_of(machine.residents, machine.net.actors, machine.net.paths)
        order = list(in_turns(list(by_tile.values()), machine.transport.sources))
        self._ways: dict[tuple[int, int, int], list[Step]] = {}
        visits = [self._visits(rank, each) for rank, each in order]
        ops = [machine.ops.index(each.op) for _, each in order]
        machine.substrate.sync()
        paths = self.env.paths_of(zip(visits, ops, strict=True))
        jobs: dict[int, list[Job]] = {tile: [] for tile in by_tile}
        for (_, each), steps, path, op in zip(order, visits, paths, ops, strict=True):
            jobs[each.share.tile].append(self.env.send(path, op, keep=True))
            self._note(each, steps)
        for tile, here in by_tile.items():
            actors = sorted({actor for each in here for actor in users[each.resource]})
            self.close(actors)
            self.process(self._program(tile, jobs[tile], actors))

    def _program(
        self, tile: int, jobs: Sequence[Job], actors: Sequence[int]
    ) -> Generator[simpy.Event, None, None]:
        """One site: when its slots are written, its ops may begin."""
        yield self.env.all_of(jobs)
        self.deeds.spans.append(Span(0, int(self.env.now), "programming", tile))
        self.deeds.figures["until_fs"] = int(self.env.now)
        self.open(actors, "programming", max(jobs, key=lambda job: (job.value, job.number)))

    def _visits(self, rank: int, resident: Resident) -> list[Step]:
        """The way of what an op has in a core: from where it comes, and into its arrays."""
        way = resident.share.tile, self._bits(resident), rank
        if way not in self._ways:
            self._ways[way] = self.machine.transport.weights(*way)
        return [*self._ways[way], resident.writing()]

    def _bits(self, resident: Resident) -> int:
        return resident.share.elements * resident.share.width

    def _note(self, resident: Resident, steps: Sequence[Step]) -> None:
        deeds = self.deeds
        deeds.times += 1
        deeds.held_fs += steps[-1].occupancy
        self.spend(steps)
        deeds.figures["rows"] = deeds.figures.get("rows", 0) + resident.share.rows
        deeds.figures["bytes"] = deeds.figures.get("bytes", 0) + -(-self._bits(resident) // 8)


def in_turns(tiles: Sequence[Sequence[Resident]], sources: int) -> Iterator[tuple[int, Resident]]:
    """Yield what is to be written, each with the rank of its tile: as many tiles take turns as sources feed them.

    So each of the sources (gateways of the host's links, ports of the memory) feeds a tile of its own.
    """
    for first in range(0, len(tiles), sources):
        together = list(enumerate(tiles))[first : first + sources]
        for turn in range(max(len(here) for _, here in together)):
            yield from ((rank, here[turn]) for rank, here in together if turn < len(here))
