"""What is done to the parts of each site again and again, at intervals, the sites one after another."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import simpy

from pimsim.chip.upkeep import Periodic
from pimsim.machine.controllers.base import Change, Controller, Span
from pimsim.machine.environment import Job
from pimsim.netlist.rows import Step

Visits = Sequence[tuple[Step, int]]
"""Visits, each with the number of the op that it is charged to."""


class PeriodicController(Controller):
    """Visits parts of each site at intervals; of ``n`` sites the ``k``-th begins after ``k + 1`` parts of ``n`` of one.

    The next time begins an interval after this one began, or when this one is over, if it waited so long for parts.
    """

    control: Periodic

    @abstractmethod
    def visits(self) -> Mapping[int, Visits]:
        """Return the visits that are due each time, by tile."""

    def start(self) -> None:
        """A process for each site that has something to visit."""
        self.due = dict(self.visits())
        self._find_paths()
        for rank, tile in enumerate(self.due):
            self.process(self._repeat(tile, self.control.interval_fs * (rank + 1) // len(self.due)))

    def moved(self, change: Change) -> None:
        """Visit the parts that took over."""
        self.due = {tile: [(change(step), op) for step, op in visits] for tile, visits in self.due.items()}
        self._find_paths()

    def _find_paths(self) -> None:
        """Have the paths of all visits at hand."""
        self.machine.substrate.sync()
        found = iter(self.env.paths_of(([step], op) for visits in self.due.values() for step, op in visits))
        self._paths = {tile: [(next(found), op) for _, op in visits] for tile, visits in self.due.items()}

    def _repeat(self, tile: int, first_fs: int) -> Generator[simpy.Event, Any, None]:
        """One site: all its parts at once, then wait."""
        env, wait = self.env, first_fs
        while True:
            yield env.tick(wait)
            begin, visits = int(env.now), self.due[tile]
            self.note(visits)
            job: Job | None = None
            for path, op in self._paths[tile]:
                job = env.send(path, op, job=job)
            assert job is not None
            yield job
            where = self.machine.net.resources[visits[0][0].resource].tile
            self.deeds.spans.append(Span(begin, int(env.now), self.name, where))
            wait = max(0, begin + self.control.interval_fs - int(env.now))

    def note(self, visits: Visits) -> None:
        """Count what was done to a site."""
        self.deeds.times += len(visits)
        self.spend(step for step, _ in visits)
        for step, _ in visits:
            self.deeds.held_fs += step.occupancy
