"""The host adapts how much it lets in to the queues that it finds.

An inference that waits in a queue of the machine comes no sooner than one that the host sends later. So the host keeps
a window: that many inferences may be under way. When one comes out, it compares the time that took with the shortest
so far: of ``w`` under way, about ``w * (1 - shortest / time)`` wait in queues (Brakmo and Peterson, TCP Vegas, 1995).
While fewer than one waits, the window grows by one; when more than two do, it shrinks to three quarters. It changes
once in as many outputs as it is large, so that each change is judged by its own.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import simpy

from pimsim.machine.controllers.base import Controller, Deeds

if TYPE_CHECKING:
    from pimsim.machine.machine import Machine

PERCENTILES = (50, 90, 99)


class Window:
    """How many may be under way at once, adapted to how long they take.

    Parameters
    ----------
    most : int
        It stays between 1 and this.
    """

    def __init__(self, most: int) -> None:
        self.size, self.most = 1, most
        self.history: list[tuple[int, int]] = [(0, 1)]
        """Its size from each time on, fs."""
        self._shortest: int | None = None
        self._ended = 0

    def ended(self, took_fs: int, now_fs: int) -> None:
        """One is over, having taken so long: adapt."""
        self._shortest = took_fs if self._shortest is None else min(self._shortest, took_fs)
        self._ended += 1
        if self._ended < self.size:
            return
        waiting = self.size * (took_fs - self._shortest)  # in units of took_fs
        size = self.size
        if waiting < took_fs:
            size = min(self.most, size + 1)
        elif waiting > 2 * took_fs:
            size = max(1, size * 3 // 4)
        self._ended = 0
        if size != self.size:
            self.size = size
            self.history.append((now_fs, size))

    def figures(self, took_fs: Sequence[int]) -> dict[str, Any]:
        """Return its sizes over time, and percentiles of how long each took, fs."""
        sizes = [size for _, size in self.history]
        percentiles = {f"time_p{p}_fs": round(float(np.percentile(took_fs, p))) for p in PERCENTILES}
        return {
            "most": self.most,
            "largest_window": max(sizes),
            "last_window": sizes[-1],
            **percentiles,
            "times_fs": list(took_fs),
            "window": [list(each) for each in self.history],
        }


class Pacing(Controller):
    """Sends the inferences of a batch as the window allows.

    Parameters
    ----------
    machine : Machine
        Built for the batch.
    most : int
        Inferences under way at once, at most.
    """

    name: ClassVar[str] = "pacing"

    def __init__(self, machine: Machine, most: int) -> None:
        self.machine, self.env = machine, machine.env
        self.window, self.took_fs = Window(most), list[int]()
        self.deeds = Deeds(self.name, "host")

    def start(self) -> None:
        """One process: it sends, and waits for outputs."""
        self.process(self._send())

    def _send(self) -> Generator[simpy.Event, Any, None]:
        machine, sent = self.machine, list[int]()
        for done in range(machine.batch):
            last = min(machine.batch, done + self.window.size)
            if last > len(sent):
                sent += [int(self.env.now)] * (last - len(sent))
                machine.host.send(last, after_output=done > 0)
            outputs = [self.env.reached(sink, done + 1) for sink in machine.ends[0].sinks]
            times = yield self.env.all_of(outputs)
            took = max(times.values()) - sent[done]
            self.took_fs.append(took)
            self.window.ended(took, int(self.env.now))

    def finish(self, end_fs: int) -> None:
        """How the window went, and how long inferences took from when they were sent."""
        self.deeds.times = len(self.window.history) - 1
        self.deeds.figures = self.window.figures(self.took_fs)
