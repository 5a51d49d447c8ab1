"""The machine: a plan brought to life."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property

import numpy as np
import numpy.typing as npt
import simpy

from pimsim.errors import SimulationError
from pimsim.machine.caches import Caches
from pimsim.machine.controllers.base import Controller
from pimsim.machine.controllers.gates import Gates
from pimsim.machine.controllers.start import start_controllers
from pimsim.machine.environment import Environment
from pimsim.machine.horizon import horizon_fs
from pimsim.machine.host import Host
from pimsim.machine.interconnect import Interconnect
from pimsim.machine.residents import Resident, residents_of
from pimsim.machine.substrate import Substrate
from pimsim.machine.tile import Tile
from pimsim.mapping.flow.dataflow import Expert
from pimsim.mapping.lowering.lowered import Lowered
from pimsim.mapping.lowering.lowering import lower_programs
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.program import Program
from pimsim.netlist.freeze import freeze
from pimsim.netlist.memory import memory_ports
from pimsim.netlist.rows import Tally
from pimsim.units import format_time
from pimsim_core.engine import Engine

Figures = npt.NDArray[np.int64]


class Machine:
    """Everything of one run: the engine, SimPy's environment, the host and the parts.

    Parameters
    ----------
    plan : Plan
        What runs where.
    batch : int
        Inferences that the host will request.
    programs : sequence of Program, optional
        Data flows that share the parts, and how often each runs; by default the plan's, for the batch. The plan is
        then that of the first.
    on_progress : callable, optional
        Called now and then with the firings done and the time in fs.
    record : bool
        Keep the engine's log of every visit, and the critical path itself (for tests).
    timeline : (int, int, int), optional
        Keep a log to draw, until the last output: from one time to another, in fs, and at most so many records.
    cold : bool
        Weights are not there at time 0: they are brought and written before what works with them begins.
    pace : int, optional
        Inferences under way at once, at most: the host adapts how many; by default it lets all in at once.
    lowered : Lowered, optional
        The programs as rows, if they are at hand.

    Raises
    ------
    ConfigError
        If an op alone would take longer than can be counted.
    """

    def __init__(
        self,
        plan: Plan,
        batch: int = 1,
        on_progress: Callable[[int, int], None] | None = None,
        record: bool = False,
        timeline: tuple[int, int, int] | None = None,
        programs: Sequence[Program] = (),
        cold: bool = False,
        pace: int | None = None,
        lowered: Lowered | None = None,
    ) -> None:
        self.plan, self.batch = plan, batch
        self.cold, self.pace = cold, pace
        self.programs = tuple(programs) or (Program(plan, batch),)
        self.lowered = lower_programs(self.programs) if lowered is None else lowered
        """As it was before processes appended rows."""
        lowered = self.lowered.copy()
        self.net, self.transport = lowered.net, lowered.transport
        self.ends, self.instances = lowered.ends, lowered.instances
        self.parts, self.ops, self.energy_parts = self.net.parts, self.net.ops, self.net.energy_parts
        self.is_timed, self.record_every = timeline is not None, 1
        self.host_op = len(self.ops) - 1
        horizon = horizon_fs(self.net)
        arrays = freeze(self.net)
        for ends in self.ends:
            arrays["actors"]["limit"][ends.sources] = 0  # the host says when
        self.network = self.net.build_network()
        period = self.net.network.period_fs if self.net.network is not None else 1
        self.engine = Engine(
            arrays,
            len(self.parts),
            len(self.ops),
            record=record,
            network=self.network,
            network_period=period,
            tiles=self.net.tiles,
            energy_parts=len(self.energy_parts),
            timeline=timeline,
            memory=memory_ports(self.net),
        )
        self.caches = Caches(self.net, self.engine)
        self.went = {selector: 0 for ends in self.ends for selector in ends.experts.values()}
        """How many inferences went to each expert that they could have passed by, by selector."""
        self.env = Environment(
            self.engine, on_progress, horizon, len(self.net.trees), self.energy_parts, self.net.tallies
        )
        self.gates = Gates(self.env)
        self.controllers: list[Controller] = []
        self.work: list[tuple[int, int]] = []
        """Of a run that is kept full: times, fs, and the firings, but the host's sends, that had been begun by then."""
        self.host = Host(self.env, self.net, self.ends[0], batch, pace)
        self.take_figures()
        self.substrate = Substrate(
            plan,
            self.net,
            self.transport,
            self.instances,
            self.env,
            self.network,
            self.parts,
            self.host_op,
        )
        self.interconnect = Interconnect(self.substrate)

    @cached_property
    def tiles(self) -> list[Tile]:
        """All tiles, chip by chip."""
        return [Tile(self.substrate, index) for index in range(self.plan.package.tiles)]

    @cached_property
    def residents(self) -> list[Resident]:
        """All weights, and the slots that they are in."""
        found = residents_of(self.plan, self.transport)
        self.substrate.sync()
        return found

    @property
    def firings(self) -> int:
        """Firings that the whole run takes."""
        return sum(actor.firings for actor in self.net.actors)

    def take_figures(self) -> None:
        """Note the figures of everything up to now."""
        self.figures, self.links = self.engine.resource_figures(), self.link_figures()
        self.states, self.op_figures = self.engine.state_figures(), self.engine.op_figures()

    def link_figures(self) -> tuple[Figures, Figures]:
        """Return the flits that each channel of the network has carried, and the fs that packets waited for it."""
        assert self.net.network is not None
        period = self.net.network.period_fs
        if self.network is not None:
            flits, waited = self.network.channel_figures()
            # The network counts from a packet's entrance; who waits for the entrance itself waits for its channel too.
            waited = waited * period
            figures = self.engine.resource_figures()
            for index, row in enumerate(self.net.resources[: len(figures[2])]):
                if row.link is not None:
                    waited[row.link] += figures[2][index]
            return flits, waited
        flits, waited = (np.zeros(self.net.links, dtype=np.int64) for _ in range(2))
        _, busy, queued = self.engine.resource_figures()
        for index, row in enumerate(self.net.resources[: len(busy)]):
            if row.link is not None:
                flits[row.link], waited[row.link] = busy[index] // period, queued[index]
        return flits, waited

    def hold(self, program: int, inference: int, cached: int) -> None:
        """Say how many tokens the cache of an inference of a program holds."""
        selector = self.ends[program].selector
        if selector is not None:
            self.caches.hold(selector, inference, cached)

    def choose(self, program: int, inference: int, experts: Iterable[Expert]) -> None:
        """Let an inference of a program go to these experts, and pass the others by."""
        for expert in experts:
            selector = self.ends[program].experts.get(expert)
            if selector is not None:
                self.engine.select(selector, inference, 1)
                self.went[selector] += 1

    def tallied(self) -> Iterator[tuple[Tally, int]]:
        """Yield what visits were counted as beside energy, and how many are over."""
        tallies = list(self.net.tallies)
        for number, visits in self.engine.visits_by_tally().tolist():
            yield tallies[number], visits

    def taken(self, selector: int | None, inferences: int) -> int:
        """Return how many of some inferences do what a selector chooses: all, unless it is an expert."""
        return inferences if selector is None else self.went.get(selector, inferences)

    def inferences(self, program: int, number: int) -> int:
        """Return how many inferences of a program an op took part in: those that did not pass its expert by."""
        expert = self.programs[program].plan.ops[number].node.expert
        selector = self.ends[program].experts.get(expert) if expert is not None else None
        return self.taken(selector, self.programs[program].inferences)

    def run(self, everything: simpy.Event | None = None) -> None:
        """Run until all that is requested has come and all its work is done: the whole batch from time 0 by default.

        What no output waits for (the pixels that a stride skips) may end later than the last output. It is done, but
        `figures` and the like are those of the time up to the last output.

        Raises
        ------
        SimulationError
            If the machine cannot go on: says which streams are full and which actors wait for what; or if the time
            comes to its end.
        """
        everything = self.host.request(self.batch) if everything is None else everything
        self.controllers = start_controllers(self)
        self.env.on_idle = self.check_alive
        self.env.run(until=everything)
        self.take_figures()
        if self.is_timed:
            self.record_every = self.engine.stop_records()
        # The host asks for nothing more, but a controller may still open what it has closed.
        self.env.on_idle = lambda done: self.check_alive(done or not self.engine.closed)
        with suppress(simpy.core.EmptySchedule):
            while not self.engine.finished and self.env.peek() < self.env.horizon:
                self.env.step()
        self.env.on_idle = None
        while self.engine.next_time is not None and self.engine.next_time < self.env.horizon:
            self.engine.run(self.env.horizon, deaf=True)  # visits under way come to their ends
        self.check_alive()
        for controller in self.controllers:
            controller.finish(self.host.outputs[-1])

    def run_full(self, inferences: float, few_events: int, every: int, enough: Callable[[], bool]) -> None:
        """Run while the host keeps the machine full; leave what is under way as it is.

        Parameters
        ----------
        inferences : float
            It stops when as many firings have begun as so many of them take.
        few_events : int
            Of the engine: it does not stop for that before so many have happened.
        every : int
            Events between two entries of `work`.
        enough : callable
            Called after each event of SimPy, and thus after each output: whether to stop.

        Raises
        ------
        SimulationError
            As `run`.
        """
        everything = self.host.request(self.batch)
        self.controllers = start_controllers(self)
        self.env.on_idle, self.env.most_events = self.check_alive, every
        most, begun = inferences * int(self.host.periods.sum()), 0
        while not everything.triggered and not enough():
            self.env.step()
            if self.engine.events >= self.env.most_events:
                begun = int(self.host.begun().sum())
                self.work.append((self.engine.now, begun))
                self.env.most_events = self.engine.events + every
            if begun >= most and self.engine.events >= few_events:
                return

    def check_alive(self, host_is_done: bool = True) -> None:
        """Raise if the engine has nothing left to do, but firings to go, and nothing that the host does can help.

        Parameters
        ----------
        host_is_done : bool
            Whether SimPy has no events left but those that come again and again; while it has, the host may still let
            more in.

        Raises
        ------
        SimulationError
            If so; says which streams are full and which actors wait for what.
        """
        if (
            self.engine.next_time is None
            and not self.engine.finished
            and (host_is_done or not (self.engine.gated or self.engine.closed))
        ):
            raise self.stuck()

    def stuck(self) -> SimulationError:
        """Describe why nothing can go on."""
        net, lines = self.net, []
        stuck = self.engine.stuck()
        for actor, firing, starved, blocked in stuck[:10]:
            waits = [
                f"for token {need} of '{net.streams[s].name}', which has had {have}"
                for s, need, have in starved
            ]
            waits += [
                f"for room in '{net.streams[s].name}' (all {places} places full)"
                for s, _, _, places in blocked
            ]
            reasons = " and ".join(waits) or "for its path"
            if self.engine.is_closed(actor):
                reasons = "to be opened"
            lines.append(f"  {net.actors[actor].name} at firing {firing} waits {reasons}")
        if len(stuck) > 10:
            lines.append(f"  and {len(stuck) - 10} more")
        return SimulationError(
            f"the machine cannot go on at {format_time(self.engine.now)}, after {len(self.host.outputs)} of "
            f"{self.batch} inferences:\n" + "\n".join(lines)
        )
