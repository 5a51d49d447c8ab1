"""The host: it sends inferences and takes their outputs."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import simpy

if TYPE_CHECKING:
    from pimsim.machine.machine import Machine


class Host:
    """Where inferences come from and go to.

    Parameters
    ----------
    machine : Machine
        What it drives.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.env = machine.env
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
        if self.requested + inferences > self.machine.batch:
            raise ValueError(
                f"{self.requested + inferences} inferences requested of a machine built for {self.machine.batch}"
            )
        first = self.requested
        self.requested += inferences
        if self.machine.pace is None:
            self.send(self.requested)
        return self.env.process(self._collect(first, self.requested))

    def send(self, inferences: int, *, after_output: bool = False) -> None:
        """Let the first so many inferences in from now on; `after_output`: because one has come."""
        for source in self.machine.ends[0].sources:
            period = self.machine.net.actors[source].period
            self.env.allow(source, inferences * period, after_output=after_output)

    def _collect(self, first: int, last: int) -> Generator[simpy.Event, Any, None]:
        for inference in range(first, last):
            outputs = [self.env.reached(sink, inference + 1) for sink in self.machine.ends[0].sinks]
            times = yield self.env.all_of(outputs)
            self.outputs.append(max(times.values()))
            if inference in phase_marks(self.machine.batch):
                self.end_phase()

    def end_phase(self) -> None:
        """Let the run's next phase begin now."""
        self.phase_ends.append(self.machine.engine.now)
        self.machine.engine.open_phase()


def phase_marks(batch: int) -> list[int]:
    """Return the inferences whose outputs end a phase of the run: the first, and the last of the earlier half."""
    return sorted({0, (batch - 1) // 2}) if batch > 1 else []
