"""The host: it sends inferences and takes their outputs."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from pimsim.machine.environment import Environment
from pimsim.mapping.lowering.lowered import Ends
from pimsim.netlist.netlist import Netlist


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
            if inference in phase_marks(self.batch):
                self.end_phase()

    def end_phase(self) -> None:
        """Let the run's next phase begin now."""
        self.phase_ends.append(self.env.engine.now)
        self.env.engine.open_phase()


def phase_marks(batch: int) -> list[int]:
    """Return the inferences whose outputs end a phase of the run: the first, and the last of the earlier half."""
    return sorted({0, (batch - 1) // 2}) if batch > 1 else []
