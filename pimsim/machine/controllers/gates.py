"""Several controllers may hold an actor closed: it opens when the last of them lets it go."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import simpy

from pimsim.machine.environment import Environment, Job


class Gates:
    """Who holds which actors closed.

    Parameters
    ----------
    env : Environment
        Where they run.
    """

    def __init__(self, env: Environment) -> None:
        self.env = env
        self._holders: dict[int, set[Hashable]] = {}
        self._waiting: list[tuple[Hashable, list[int], simpy.Event]] = []

    def close(self, holder: Hashable, actors: Iterable[int]) -> None:
        """Let actors start no more firings until this holder, and all others, have let them go."""
        actors = list(actors)
        for actor in actors:
            self._holders.setdefault(actor, set()).add(holder)
        self.env.close(actors)

    def are_held(self, holder: Hashable, actors: Iterable[int]) -> bool:
        """Whether others than this holder keep an actor closed."""
        for actor in actors:
            holders = self._holders.get(actor)
            if holders and (len(holders) > 1 or holder not in holders):
                return True
        return False

    def let_go(self, holder: Hashable, actors: Iterable[int]) -> simpy.Event:
        """Return an event that happens when no other than this holder keeps any of these actors closed."""
        event = self.env.event()
        self._waiting.append((holder, list(actors), event))
        self._tell()
        return event

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for holder, actors, event in waiting:
            if self.are_held(holder, actors):
                self._waiting.append((holder, actors, event))
            else:
                event.succeed()

    def open(self, holder: Hashable, actors: Iterable[int], cause: str, job: Job | None = None) -> None:
        """Let actors go; see `Environment.open`. The time of an actor is charged to what the last holder says."""
        free = []
        for actor in actors:
            holders = self._holders.get(actor, set())
            holders.discard(holder)
            if not holders:
                free.append(actor)
        if free:
            self.env.open(free, cause, job)
        self._tell()
