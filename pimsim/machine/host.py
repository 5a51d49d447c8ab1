"""The host: it sends inferences, takes their outputs, and notes which of them came while the machine was full."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import simpy

from pimsim.machine.environment import Environment
from pimsim.mapping.lowering.lowered import Ends
from pimsim.netlist.netlist import Netlist


@dataclass(frozen=True)
class Mark:
    """What a machine had done when an output came behind which it was still full.

    Parameters
    ----------
    outputs : int
        That had come by then.
    fs : int
        When that was.
    begun : int64, shape (actors,)
        Firings that each actor had started; 0 of those that send inputs.
    phase : int
        The phase of the run that began then.
    """

    outputs: int
    fs: int
    begun: npt.NDArray[np.int64]
    phase: int


class Host:
    """Where inferences come from and go to.

    Parameters
    ----------
    env : Environment
        The clock.
    net : Netlist
        The machine's rows.
    ends : Ends
        The actors on the host's side.
    batch : int
        Inferences that the machine is built for.
    pace : int, optional
        Where somebody else lets inferences in: at most so many under way.
    """

    def __init__(
        self, env: Environment, net: Netlist, ends: Ends, batch: int, pace: int | None = None
    ) -> None:
        self.env, self.net, self.ends = env, net, ends
        self.batch, self.pace = batch, pace
        self.requested = 0
        self.outputs: list[int] = []
        """Times, in fs, at which each inference's last output had come."""
        self.phase_ends: list[int] = []
        """Times, in fs, at which a phase of the run ended and the next began."""
        self.periods = np.fromiter((actor.period for actor in net.actors), np.int64, len(net.actors))
        """Firings of each actor for an inference: 0 of those that send inputs, as far ahead as there is room."""
        self.periods[ends.sources] = 0
        self.marks: list[Mark] = []
        """The outputs number 1, 2, 4, 8, … and the last one, of those behind which the machine was still full."""

    def request(self, inferences: int = 1) -> simpy.Process:
        """Send the inputs of so many inferences from now on; the process ends when the outputs have come.

        Raises
        ------
        ValueError
            If the machine was not built for so many.
        """
        if self.requested + inferences > self.batch:
            raise ValueError(
                f"{self.requested + inferences} inferences requested of a machine built for {self.batch}"
            )
        first = self.requested
        self.requested += inferences
        if self.pace is None:
            self.send(self.requested)
        return self.env.process(self._collect(first, self.requested))

    def send(self, inferences: int, *, after_output: bool = False) -> None:
        """Let the first so many inferences in from now on; `after_output`: because one has come."""
        for source in self.ends.sources:
            period = self.net.actors[source].period
            self.env.allow(source, inferences * period, after_output=after_output)

    def _collect(self, first: int, last: int) -> Generator[simpy.Event, Any, None]:
        for inference in range(first, last):
            outputs = [self.env.reached(sink, inference + 1) for sink in self.ends.sinks]
            times = yield self.env.all_of(outputs)
            self.outputs.append(max(times.values()))
            if self.batch > 1:
                self._mark()

    @property
    def is_full(self) -> bool:
        """Whether every source has something left to send: up to now the run is that of an endless batch."""
        begun, actors = self.env.engine.firings_begun(), self.net.actors
        return all(begun[source] < self.requested * actors[source].period for source in self.ends.sources)

    def begun(self) -> npt.NDArray[np.int64]:
        """Return the firings that each actor has started, as `periods` counts them."""
        found: npt.NDArray[np.int64] = self.env.engine.firings_begun()[: len(self.periods)].copy()
        found[self.ends.sources] = 0
        return found

    def _mark(self) -> None:
        """Note an output that has followers; phases begin at the first one and at those that are noted."""
        count = len(self.outputs)
        if self.is_full:
            last = self.marks[-1] if self.marks else None
            if last is not None and last.outputs & (last.outputs - 1):
                self.marks.pop()  # neither the last one any more, nor a power of two
                self.phase_ends[-1] = self.env.engine.now
                self.env.engine.move_phase()
            else:
                self.end_phase()
            self.marks.append(Mark(count, self.env.engine.now, self.begun(), len(self.phase_ends)))
        elif count == 1:
            self.end_phase()

    def end_phase(self) -> None:
        """Let the run's next phase begin now."""
        self.phase_ends.append(self.env.engine.now)
        self.env.engine.open_phase()
