"""One network under one load with one seed: warmed up, measured, and waited for.

Latency is measured as BookSim2 does (Jiang et al., ISPASS 2013), so that figures can be compared: three periods of
warm-up, then periods until mean latency and throughput change by at most 5 % three times in a row, at most ten in
all; then the packets that began in the measured time are waited for while traffic goes on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pimsim.network.fabric import Fabric
from pimsim.network.figures import Ints, Links
from pimsim.network.source import Source
from pimsim.network.traffic import Pattern
from pimsim_core.clock import Clock

WARM_UP, ALIKE, MOST_PERIODS, CHANGE = 3, 3, 10, 0.05
PERIOD_CYCLES, PERIOD_PACKETS = 1500, 1000
LATENCY_LIMIT = (
    500  # mean cycles at which a load is called unstable, as in BookSim2; more where packets are long
)
GROWTH = 0.05  # of the packets created that may stay behind in the sources before a load is called unstable


@dataclass
class Sample:
    """What one seed measured: the latencies (cycles) of its packets, and what was delivered."""

    stable: bool
    latency: Ints
    network_latency: Ints
    routers: Ints
    accepted: float
    links: Links


def least_cycles(terminals: int, rate: float, size: int, period: int | None) -> int:
    """Return the cycles that a stable load is measured for at least; see `Trial` for what is given."""
    return (WARM_UP + ALIKE) * (period or _period(terminals, rate, size))


def _period(terminals: int, rate: float, size: int) -> int:
    """Return the cycles of a period in which enough packets come."""
    return max(PERIOD_CYCLES, math.ceil(PERIOD_PACKETS / (terminals * rate / size)))


class Trial:
    """One network under one load with one seed; see the module for the procedure.

    Parameters
    ----------
    fabric, pattern, rate, size, seed, period
        As for `pimsim.network.measure.measure`.
    """

    def __init__(
        self, fabric: Fabric, pattern: Pattern, rate: float, size: int, seed: int, period: int | None
    ) -> None:
        self.network = fabric.network()
        self.clock = Clock(self.network)
        self.source = Source(fabric, self.network, pattern, size, seed)
        self.rate, self.size, self.terminals = rate, size, len(self.source.order)
        self.period = period or _period(self.terminals, rate, size)
        self.began = WARM_UP * self.period
        self.limit = max(LATENCY_LIMIT, 20 * size)
        self.now = 0

    def run(self) -> Sample:
        """Warm up, measure, and wait for the packets that were measured."""
        stable = self._periods()
        until = self.now
        stable = stable and not self._falls_behind()
        while stable and self._missing(until):
            self._advance(max(100, self.period // 10))
            stable = self._mean_age(until) <= self.limit
        created, entered, arrived, routers = self.source.packets()
        keep = self._measured(until) & (arrived >= 0)
        links = Links(self.now, *self.network.channel_figures())
        return Sample(
            stable,
            (arrived - created)[keep],
            (arrived - entered)[keep],
            routers[keep],
            self._accepted(self.began, until),
            links,
        )

    def _periods(self) -> bool:
        """Run periods until the means settle; return whether the load is stable so far.

        What an unstable load delivers is measured over as long a time, and without waiting for its latency to settle.
        """
        before, alike, stable = (0.0, 0.0), 0, True
        for phase in range(MOST_PERIODS):
            self._advance(self.period)
            since = self.began if phase >= WARM_UP else 0 if phase < 2 else 2 * self.period
            created, entered, arrived, _ = self.source.packets()
            done = (arrived >= 0) & (arrived < self.now) & (entered >= since)
            under_way = (entered >= 0) & (arrived < 0)
            # BookSim2 counts what is under way by flit, and what has come by packet.
            count = int(done.sum()) + self.size * int(under_way.sum())
            ages = int((arrived - created)[done].sum()) + self.size * int(
                (self.now - created[under_way]).sum()
            )
            stable = stable and not (count and ages / count > self.limit)
            if not stable:
                if phase + 1 >= WARM_UP + ALIKE:
                    break
                continue
            latency = float((arrived - created)[done].mean()) if done.any() else 0.0
            figures = latency, self._accepted(since, self.now)
            close = all(abs(a - b) <= CHANGE * a for a, b in zip(figures, before, strict=True))
            alike = alike + 1 if close and phase >= WARM_UP else 0
            before = figures
            if alike == ALIKE:
                break
        return stable

    def _advance(self, cycles: int) -> None:
        self.source.bernoulli(self.now, self.now + cycles, self.rate)
        self.now += cycles
        self.clock.run(self.now)

    def _accepted(self, since: int, until: int) -> float:
        """Flits delivered a terminal and cycle."""
        arrived = self.source.packets()[2]
        packets = int(((arrived >= since) & (arrived < until)).sum())
        return packets * self.size / (until - since) / self.terminals

    def _measured(self, until: int) -> npt.NDArray[np.bool_]:
        """Which packets count: created before the end, and not on their way before the beginning."""
        created, entered, _, _ = self.source.packets()
        counted: npt.NDArray[np.bool_] = (created < until) & ((entered >= self.began) | (entered < 0))
        return counted

    def _missing(self, until: int) -> bool:
        return bool((self.source.packets()[2][self._measured(until)] < 0).any())

    def _mean_age(self, until: int) -> float:
        created, _, arrived, _ = self.source.packets()
        ages = (np.where(arrived < 0, self.now, arrived) - created)[self._measured(until)]
        return float(ages.mean()) if len(ages) else 0.0

    def _falls_behind(self) -> bool:
        """Whether more stays behind in the sources than chance would leave there, and waits there most of its time."""
        created, entered, arrived, _ = self.source.packets()

        def waiting(at: int) -> int:
            return int(((created < at) & ((entered < 0) | (entered >= at))).sum())

        offered = max(1, int(((created >= self.began) & (created < self.now)).sum()))
        come = arrived >= 0
        if not come.any() or waiting(self.now) - waiting(self.began) <= GROWTH * offered:
            return False
        return bool((arrived - created)[come].mean() > 3 * (arrived - entered)[come].mean())
