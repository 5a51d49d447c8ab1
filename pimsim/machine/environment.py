"""One clock for two queues: SimPy's processes and the compiled engine's events."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import simpy

from pimsim.machine.horizon import past_horizon
from pimsim.netlist.rows import Resource, Step
from pimsim.units import MAX_FS
from pimsim_core.engine import Engine
from pimsim_core.kernel import CAUSES

INFINITY = float("inf")


class Environment(simpy.Environment):
    """A `simpy.Environment` that also runs an engine; time is a whole number of femtoseconds.

    The engine is advanced to the next event of SimPy, or until something happens that a process waits for. SimPy's
    events of an instant come before the engine's. What a process does at a fraction of a femtosecond reaches the
    engine at the next whole one.

    Parameters
    ----------
    engine : pimsim_core.engine.Engine
        The machine.
    on_progress : callable, optional
        Called now and then with the firings done and the time in fs.
    horizon : int
        The engine's events at this time or later are refused, since time could not be counted on from there.
    first_route : int
        Where the routes of steps begin in the engine's network.
    """

    def __init__(
        self,
        engine: Engine,
        on_progress: Callable[[int, int], None] | None = None,
        horizon: int = MAX_FS,
        first_route: int = 0,
    ) -> None:
        super().__init__(initial_time=0)
        self.engine = engine
        self.on_progress = on_progress
        self.horizon, self.first_route = horizon, first_route
        self.on_idle: Callable[[bool], None] | None = None
        self._jobs: dict[int, simpy.Event] = {}
        self._next_job = 0
        self._paths: dict[tuple[tuple[Step, ...], int], int] = {}
        self._watched: dict[tuple[int, int], list[simpy.Event]] = {}
        self._reached: dict[int, list[int]] = {}

    # -- the merged loop ---------------------------------------------------------------------------------------

    def peek(self) -> float:
        """Return the time of the next event of either queue in fs, infinity if there is none."""
        core = self._core_time()
        return min(super().peek(), INFINITY if core is None else core)

    def _core_time(self) -> int | None:
        """When the engine has something to do or to tell."""
        return self.engine.now if self.engine.noticed else self.engine.next_time

    def step(self) -> None:
        """Advance to the next thing that a SimPy process can see.

        Raises
        ------
        simpy.core.EmptySchedule
            If nothing will ever happen again.
        SimulationError
            If the next event lies beyond the horizon.
        """
        while True:
            mine = super().peek()
            core = self._core_time()
            if core is None and self.on_idle is not None:
                self.on_idle(mine == INFINITY)
            if core is None or core >= mine:
                super().step()
                return
            if core >= self.horizon:
                raise past_horizon(self.engine.now)
            noticed = self.engine.run(math.ceil(min(mine, self.horizon)))
            if self.on_progress is not None:
                self.on_progress(self.engine.firings, self.engine.now)
            if noticed:
                self._now = self.engine.now
                self._tell()
                return

    def _tell(self) -> None:
        """Wake the processes that wait for what the engine has just reported."""
        milestones, jobs = self.engine.take_notices()
        for actor, count, time in milestones:
            self._reached.setdefault(actor, []).append(time)
            for event in self._watched.pop((actor, count), ()):
                event.succeed(time)
        for job in jobs:
            self._jobs.pop(job).succeed(self.engine.now)

    # -- what processes may wait for and do --------------------------------------------------------------------

    def reached(self, actor: int, count: int) -> simpy.Event:
        """Return an event that happens when an actor has put out its `count`-th inference; its value is the time."""
        event = self.event()
        times = self._reached.get(actor, [])
        if len(times) >= count:
            return event.succeed(times[count - 1])
        self._watched.setdefault((actor, count), []).append(event)
        return event

    def allow(self, actor: int, firings: int, *, after_output: bool = False) -> None:
        """Allow an actor to start its first so many firings from now on; `after_output`: because one has come."""
        self.engine.permit(actor, firings, math.ceil(self.now), after_output)

    def submit(self, steps: Sequence[Step], op: int) -> simpy.Event:
        """Send a job along steps beside the machine's own work; its value is the time of its end.

        Parameters
        ----------
        steps : sequence of Step
            Resources that the engine has.
        op : int
            The op that waiting is charged to.
        """
        self._next_job += 1
        self._jobs[self._next_job] = self.event()
        self.engine.submit(self.path_of(steps, op), self._next_job, math.ceil(self.now), op)
        return self._jobs[self._next_job]

    def path_of(self, steps: Sequence[Step], op: int) -> int:
        """Return the engine's path for a job of an op; equal jobs take the same one."""
        key = tuple(steps), op
        if key not in self._paths:
            rows = [
                (
                    s.resource,
                    s.occupancy,
                    s.latency,
                    -1 if s.mvm is None else self.engine.add_mvm(*s.mvm),
                    -1 if s.route is None else self.first_route + s.route,
                    s.terminal,
                    s.flits,
                )
                for s in steps
            ]
            self._paths[key] = self.engine.add_path(rows)
        return self._paths[key]

    def add_resource(self, row: Resource, part: int) -> int:
        """Give the engine a resource that its machine did not use so far."""
        return self.engine.add_resource(
            row.period_fs, row.servers, -1 if row.link is None else row.link, CAUSES.index(row.cause), part
        )
