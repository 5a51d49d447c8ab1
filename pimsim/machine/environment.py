"""One clock for two queues: SimPy's processes and the compiled engine's events."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import simpy

from pimsim.chip.base import Energy
from pimsim.dram.behind_port import digits, idle
from pimsim.errors import SimulationError
from pimsim.machine.horizon import past_horizon
from pimsim.netlist.rows import Resource, Step, Tally
from pimsim.units import MAX_FS
from pimsim_core.dram_ports import StarvedError
from pimsim_core.engine import Engine
from pimsim_core.kernel import CAUSES

INFINITY = float("inf")
BUDGET = 1 << 20  # events of the engine between two looks at progress and signals


class Job(simpy.Event):
    """A job is over; the value is the time of its end, fs."""

    number: int  # that the engine knows it by; where it is sent along several paths, the last one's
    under_way = 0  # paths that it is on


class Tick(simpy.Timeout):
    """A wait for something that comes again and again, whether the machine can go on or not."""


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
    energy_parts : list of str, optional
        The parts whose energy the engine keeps; those that only jobs cost energy in are appended.
    tallies : dict of Tally to int, optional
        What visits are counted as beside energy; what only jobs are counted as is added.

    Attributes
    ----------
    simpy_events : int
        Events of SimPy that have happened.
    unknown_parts : set of str
        Parts that jobs act on, and whose energy is not known.
    most_events : int, optional
        Of the engine; when so many have happened, `step` returns although no process sees anything.
    """

    def __init__(
        self,
        engine: Engine,
        on_progress: Callable[[int, int], None] | None = None,
        horizon: int = MAX_FS,
        first_route: int = 0,
        energy_parts: list[str] | None = None,
        tallies: dict[Tally, int] | None = None,
    ) -> None:
        super().__init__(initial_time=0)
        self.engine = engine
        self.on_progress = on_progress
        self.horizon, self.first_route = horizon, first_route
        self.on_idle: Callable[[bool], None] | None = None
        self.energy_parts = [] if energy_parts is None else energy_parts
        self.tallies = {} if tallies is None else tallies
        self.simpy_events = 0
        self.most_events: int | None = None
        self.unknown_parts: set[str] = set()
        self._jobs: dict[int, Job] = {}
        self._next_job = 0
        self._paths: dict[tuple[tuple[Step, ...], int], int] = {}
        self._charges: dict[Energy, int] = {}
        self._wants: dict[int, tuple[int, int]] = {}  # site -> actor and time
        self._waking: dict[int, list[simpy.Event]] = {}
        self._resting: dict[int, simpy.Event] = {}
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
                self.on_idle(all(isinstance(event, Tick) for *_, event in self._queue))
            if core is None or core >= mine:
                super().step()
                self.simpy_events += 1
                return
            if core >= self.horizon:
                raise past_horizon(self.engine.now)
            left = BUDGET if self.most_events is None else self.most_events - self.engine.events
            if left <= 0:
                return
            try:
                noticed = self.engine.run(math.ceil(min(mine, self.horizon)), min(BUDGET, left))
            except StarvedError as error:
                raise SimulationError(str(error), where="a memory's channel") from None
            if self.on_progress is not None:
                self.on_progress(self.engine.firings, self.engine.now)
            if noticed:
                self._now = self.engine.now
                self._tell()
                return
            if self.engine.finished:
                return  # whoever steps may stop before a process does any more

    def _tell(self) -> None:
        """Wake the processes that wait for what the engine has just reported.

        Of one instant, in this order: those that wait for outputs, by actor; for jobs, in the order of submission; for
        closed actors and for rest, by site. What one does may change what the next one's act means.
        """
        milestones, jobs, wants, quiet = self.engine.take_notices()
        for actor, count, time in sorted(milestones):
            self._reached.setdefault(actor, []).append(time)
            for event in self._watched.pop((actor, count), ()):
                event.succeed(time)
        for number in sorted(jobs):
            job = self._jobs.pop(number)
            job.under_way -= 1
            if not job.under_way:
                job.succeed(self.engine.now)
        self._note_wants(sorted(wants))
        for site in sorted(quiet):
            self._resting.pop(site).succeed()

    def _note_wants(self, wants: list[tuple[int, int, int]]) -> None:
        for site, actor, time in wants:
            self._wants[site] = actor, time
            for event in self._waking.pop(site, ()):
                event.succeed((actor, time))

    # -- what processes may wait for and do --------------------------------------------------------------------

    def tick(self, delay: int) -> Tick:
        """Return a timeout, fs, that is no sign of life: a machine that has nothing but these to wait for is stuck."""
        return Tick(self, delay)

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

    def wanted(self, site: int) -> simpy.Event:
        """Return an event that happens when a closed actor of a site could start; its value is (actor, time in fs)."""
        event = self.event()
        if site in self._wants:
            return event.succeed(self._wants[site])
        self._waking.setdefault(site, []).append(event)
        return event

    def resting(self, site: int, since: int, span: int) -> simpy.Event:
        """Return an event 1 fs before a site has had no firing under way for `span` fs, not counting before `since`.

        One process at a time may wait for that of a site.
        """
        self.engine.watch(site, since, span)
        event = self._resting[site] = self.event()
        return event

    def close(self, actors: Iterable[int]) -> None:
        """Let actors start no more firings from now on; those under way go on."""
        self._note_wants(self.engine.close(actors))

    def open(self, actors: Iterable[int], cause: str, job: Job | None = None) -> None:
        """Let closed actors start firings again.

        Parameters
        ----------
        actors : iterable of int
            The engine's numbers.
        cause : str
            One of `pimsim_core.kernel.CAUSES`: what the time is charged to that they have lost.
        job : Job, optional
            It was submitted with `keep` and is over: what they waited for, if they could have started before its end.

        Raises
        ------
        ValueError
            If the job is not over, or was not kept.
        """
        actors = list(actors)
        number = None if job is None else job.number
        self.engine.open(actors, math.ceil(self.now), CAUSES.index(cause), number)
        for actor in actors:
            self._wants.pop(self.engine.site_of(actor), None)

    def doing(self, resource: int) -> dict[str, int]:
        """Return how many servers of a resource are held now, by the cause that they are held for."""
        return {CAUSES[cause]: servers for cause, servers in self.engine.doing(resource).items()}

    def converting(self, arrays: int) -> bool:
        """Return whether what arrays with a bank of their own have read is still being converted."""
        return self.engine.converting(arrays, math.ceil(self.now))

    def submit(self, steps: Sequence[Step], op: int, *, keep: bool = False, after: int | None = None) -> Job:
        """Send a job along steps beside the machine's own work; its value is the time of its end.

        Parameters
        ----------
        steps : sequence of Step
            Resources that the engine has.
        op : int
            The op that waiting is charged to, and whose energy it is.
        keep : bool
            It will be given to `open`.
        after : int, optional
            A closed actor that could start: the job answers that, and the critical path goes on there.
        """
        return self.send(self.path_of(steps, op), op, keep=keep, after=after)

    def send(
        self, path: int, op: int, *, keep: bool = False, after: int | None = None, job: Job | None = None
    ) -> Job:
        """Send a job along a path that `paths_of` has returned; else as `submit`.

        A `job` that is given, and was sent in this instant, takes this path, too: it is over when it is on none.
        """
        self._next_job += 1
        job = self._jobs[self._next_job] = Job(self) if job is None else job
        job.number = self._next_job
        job.under_way += 1
        self.engine.submit(path, job.number, math.ceil(self.now), op, keep, -1 if after is None else after)
        return job

    def path_of(self, steps: Sequence[Step], op: int) -> int:
        """Return the engine's path for a job of an op; equal jobs take the same one."""
        return self.paths_of([(steps, op)])[0]

    def paths_of(self, jobs: Iterable[tuple[Sequence[Step], int]]) -> list[int]:
        """Return the engine's paths for jobs (steps and an op each): many at once cost less."""
        keys = [(tuple(steps), op) for steps, op in jobs]
        missing = [key for key in dict.fromkeys(keys) if key not in self._paths]
        if missing:
            rows = [[self._row(step) for step in steps] for steps, _ in missing]
            first = self.engine.add_paths(rows, [op for _, op in missing])
            self._paths.update({key: first + number for number, key in enumerate(missing)})
        return [self._paths[key] for key in keys]

    def _row(self, step: Step) -> tuple[int, ...]:
        """A step as `pimsim_core.engine.Engine.add_paths` takes it."""
        return (
            step.resource,
            step.occupancy,
            step.latency,
            -1 if step.mvm is None else self.engine.add_mvm(*step.mvm),
            -1 if step.route is None else self.first_route + step.route,
            step.terminal,
            step.flits,
            self._charge_of(step.energy),
            -1 if step.cause is None else CAUSES.index(step.cause),
            -1 if step.tally is None else self.tallies.setdefault(step.tally, len(self.tallies)),
            *((0, 0) if step.access is None else (step.access.bursts, int(step.access.write))),
        )

    def _charge_of(self, energy: Energy) -> int:
        """The engine's kind of visit for what a job costs, -1 where that is nothing or not known."""
        self.unknown_parts |= {part for part, pj in energy if pj is None}
        known = [(part, pj) for part, pj in energy if pj is not None]
        if not known:
            return -1
        if energy not in self._charges:
            numbers = [self._energy_part(part) for part, _ in known]
            self._charges[energy] = self.engine.add_charge(numbers, [pj for _, pj in known])
        return self._charges[energy]

    def _energy_part(self, part: str) -> int:
        if part not in self.energy_parts:
            self.energy_parts.append(part)
            self.engine.add_energy_part()
        return self.energy_parts.index(part)

    def add_resources(self, rows: Iterable[tuple[Resource, int]]) -> None:
        """Give the engine resources that its machine did not use so far, each with the number of its part."""
        many = list(rows)
        first = self.engine.add_resources(
            [
                (
                    row.period_fs,
                    row.servers,
                    -1 if row.link is None else row.link,
                    CAUSES.index(row.cause),
                    part,
                )
                for row, part in many
            ]
        )
        for number, (row, _) in enumerate(many, start=first):
            if (channel := row.channel) is not None:
                made = idle(channel), number, channel.period_fs, digits(channel.standard)
                self.engine.memory.add_channel(*made)
