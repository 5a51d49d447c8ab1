"""The host generates: prompts come, each is taken in and then goes round token by token while others do the same."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import simpy

from pimsim.machine.controllers.base import Deeds
from pimsim.machine.controllers.pacing import Window
from pimsim.mapping.flow.layout import Table

if TYPE_CHECKING:
    from pimsim.machine.machine import Machine

PROMPT, STEP = 0, 1  # the machine's programs


@dataclass(frozen=True)
class Requests:
    """What is asked for.

    Parameters
    ----------
    prompt, tokens : int
        Tokens of each prompt, and tokens that are to come back.
    arrivals_fs : tuple of int
        When each prompt comes, in order.
    places : int
        Sequences that may be under way at once; a prompt that comes when all are taken waits for one.
    """

    prompt: int
    tokens: int
    arrivals_fs: tuple[int, ...] = (0,)
    places: int = 1

    @property
    def count(self) -> int:
        """How many prompts come."""
        return len(self.arrivals_fs)


@dataclass
class Sequence:
    """When the tokens of a request came, in fs from time 0."""

    arrival_fs: int
    begin_fs: int = 0
    """When it found a place."""
    token_fs: list[int] = field(default_factory=list)

    @property
    def first_token_fs(self) -> int:
        """From the prompt's arrival to the first token."""
        return self.token_fs[0] - self.arrival_fs

    @property
    def between_fs(self) -> list[int]:
        """From each token to the next."""
        return [b - a for a, b in zip(self.token_fs, self.token_fs[1:], strict=False)]


class Generation:
    """SimPy processes of the host: one a request, and a store of places.

    Parameters
    ----------
    machine : Machine
        With two programs: a prompt, and one token after others.
    requests : Requests
        What is asked for.
    routing : callable, optional
        Gives the experts that the steps of a sequence go to, by its number: of shape (layers, steps, top).
    pace : int, optional
        Places in use at once, at most: their number adapts to the time that a sequence takes for a token.
    """

    def __init__(
        self,
        machine: Machine,
        requests: Requests,
        routing: Callable[[int], Table] | None = None,
        pace: int | None = None,
    ) -> None:
        self.machine, self.env, self.requests = machine, machine.env, requests
        self.routing = routing
        self.sequences = [Sequence(arrival) for arrival in requests.arrivals_fs]
        self.places: simpy.Store = simpy.Store(self.env)
        self.window = Window(min(pace, requests.places)) if pace is not None else None
        first = self.window.size if self.window is not None else requests.places
        self.places.items.extend(range(first))
        self.idle = list(range(first, requests.places))
        """Places that the window does not let be taken."""
        self.sent, self.took_fs = [0, 0], list[int]()

    def serve(self) -> simpy.Event:
        """Start; the event happens when all tokens have come."""
        return self.env.all_of([self.env.process(self._one(*each)) for each in enumerate(self.sequences)])

    def _one(self, which: int, sequence: Sequence) -> Generator[simpy.Event, Any, None]:
        host, requests = self.machine.host, self.requests
        yield self.env.timeout(sequence.arrival_fs)
        free = bool(self.places.items)
        place: int = yield self.places.get()
        sequence.begin_fs = int(self.env.now)
        yield from self._pass(PROMPT, sequence, after_output=not free)
        if requests.count == 1 and requests.tokens > 1:
            host.end_phase()
        routes = self.routing(which) if self.routing is not None else None
        for number in range(requests.tokens - 1):
            self.machine.hold(STEP, self.sent[STEP], requests.prompt + number)
            if routes is not None:
                layers = enumerate(routes[:, number].tolist())
                experts = [(layer, expert) for layer, chosen in layers for expert in chosen]
                self.machine.choose(STEP, self.sent[STEP], experts)
            yield from self._pass(STEP, sequence, after_output=True)
        host.outputs.append(sequence.token_fs[-1])
        if self.window is None:
            yield self.places.put(place)
        else:
            self._give_back(
                place, self.window, (sequence.token_fs[-1] - sequence.begin_fs) // requests.tokens
            )

    def _give_back(self, place: int, window: Window, token_fs: int) -> None:
        """A sequence is over that has taken so long for a token: let as many go on as the window says."""
        taken = self.requests.places - len(self.idle) - len(self.places.items) - 1
        self.idle = sorted([*self.idle, place])
        self.took_fs.append(token_fs)
        window.ended(token_fs, int(self.env.now))
        while self.idle and taken + len(self.places.items) < window.size:
            waiting = bool(self.places.get_queue)
            self.places.put(self.idle.pop(0))
            taken += waiting

    def pacing(self) -> Deeds | None:
        """Return what the window did, if there was one."""
        if self.window is None:
            return None
        figures = self.window.figures(self.took_fs)
        return Deeds("pacing", "host", len(self.window.history) - 1, figures=figures)

    def _pass(
        self, program: int, sequence: Sequence, *, after_output: bool
    ) -> Generator[simpy.Event, Any, None]:
        """Run a program once; its output is the sequence's next token."""
        self.sent[program] += 1
        count, ends = self.sent[program], self.machine.ends[program]
        for source in ends.sources:
            period = self.machine.net.actors[source].period
            self.env.allow(source, count * period, after_output=after_output)
        outputs = [self.env.reached(sink, count) for sink in ends.sinks]
        times = yield self.env.all_of(outputs)
        sequence.token_fs.append(max(times.values()))
