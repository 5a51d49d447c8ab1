"""A network on its own: latency against load, the time of a fixed batch, and lists of packets.

Latency is measured as BookSim2 does (Jiang et al., ISPASS 2013), so that figures can be compared: three periods of
warm-up, then periods until mean latency and throughput change by at most 5 % three times in a row, at most ten in
all; then the packets that began in the measured time are waited for while traffic goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pimsim.errors import ConfigError, SimulationError
from pimsim.network.fabric import Fabric, Routes
from pimsim.network.traffic import Pattern, order

if TYPE_CHECKING:
    from pimsim_core.network import Network

Ints = npt.NDArray[np.int64]

WARM_UP, ALIKE, MOST_PERIODS, CHANGE = 3, 3, 10, 0.05
PERIOD_CYCLES, PERIOD_PACKETS = 1500, 1000
LATENCY_LIMIT = (
    500  # mean cycles at which a load is called unstable, as in BookSim2; more where packets are long
)
GROWTH = 0.05  # of the packets created that may stay behind in the sources before a load is called unstable
STILL_CYCLES = 1_000_000  # without a flit moving, after which nothing will: more than any delay
LEAST_RATE = 1e-6
# Student's t for 95 % (two-sided), by degrees of freedom from 1 on; beyond, by Abramowitz and Stegun (1964), 26.7.5.
T_95 = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
)


@dataclass
class Links:
    """What every channel carried.

    Parameters
    ----------
    cycles : int
        In how many cycles.
    flits, waited : numpy.ndarray of int64, shape (channels,)
        Flits it carried, and cycles that heads waited for it.
    """

    cycles: int
    flits: Ints
    waited: Ints


@dataclass
class Load:
    """What came of one offered load, over all seeds.

    Parameters
    ----------
    rate : float
        Flits offered a terminal and cycle.
    status : str
        ``stable`` or ``unstable``.
    latency_cycles, latency_ci95, network_latency_cycles : float, optional
        Mean from a packet's creation to its tail's arrival, half the width of the 95 % interval over the seeds' means
        (None for one seed), and the mean from its head's departure; None if unstable.
    percentiles : dict of str to int
        Of the latency of all packets of all seeds; empty if unstable.
    accepted : float
        Flits delivered a terminal and cycle in the measured time.
    routers : float
        Mean number of routers that a packet crosses.
    packets : int
        Measured packets.
    links : Links
        Load of the channels.
    """

    rate: float
    status: str
    latency_cycles: float | None
    latency_ci95: float | None
    network_latency_cycles: float | None
    percentiles: dict[str, int]
    accepted: float
    routers: float
    packets: int
    links: Links = field(repr=False)

    def row(self) -> dict[str, Any]:
        """Return its figures as plain data."""
        names = "rate latency_cycles latency_ci95 network_latency_cycles accepted status percentiles routers packets"
        return {name: getattr(self, name) for name in names.split()}


@dataclass
class Batch:
    """How long a fixed number of packets took.

    Parameters
    ----------
    makespans : list of int
        Cycles from the first cycle to the last arrival, both included; one for each seed.
    latency_cycles : float
        Mean from creation to the tail's arrival; the packets of a batch are all created at once.
    network_latency_cycles : float
        Mean from the head's departure.
    flits, packets : int
        Delivered, in one seed.
    links : Links
        Load of the channels.
    """

    makespans: list[int]
    latency_cycles: float
    network_latency_cycles: float
    flits: int
    packets: int
    links: Links = field(repr=False)


class Source:
    """Packets of a pattern for one network, and the routes they take."""

    def __init__(self, fabric: Fabric, network: Network, pattern: Pattern, size: int, seed: int) -> None:
        self.fabric, self.network, self.pattern, self.size = fabric, network, pattern, size
        self.rng = np.random.default_rng(seed)
        self.order = order(fabric.topology)
        self.routes = Routes(fabric, network, self.rng)
        self.number = np.zeros(len(self.order), dtype=np.int64)
        self.created: list[Ints] = []
        self.routers: list[Ints] = []
        self.count = 0

    def load(self, cycles: Ints, sources: Ints) -> None:
        """Give the network packets that are created at these cycles, in order."""
        numbers = self._numbers(sources) if self.pattern.by_number else sources
        targets = self.pattern.target(self.rng, sources, numbers)
        self.load_pairs(cycles, self.order[sources], self.order[targets])

    def load_pairs(self, cycles: Ints, sources: Ints, targets: Ints, sizes: Ints | None = None) -> None:
        """Give the network packets from one tile to another each."""
        numbers, routers = self.routes.between(sources, targets)
        self.count += len(cycles)
        self.routers.append(routers)
        self.created.append(cycles)
        self.network.watch(self.count)
        self.network.load(
            cycles, sources, numbers, np.full(len(cycles), self.size) if sizes is None else sizes
        )

    def bernoulli(self, first: int, last: int, rate: float) -> None:
        """Load the packets of the cycles from `first` to before `last`: every terminal decides in every cycle."""
        terminals, chance = len(self.order), rate / self.size
        places = terminals * (last - first)
        found: list[Ints] = []
        end = -1
        while chance > 0 and end < places:  # the gaps between successes are geometric
            some = int(places * chance * 1.01) + 100
            gaps = end + np.cumsum(self.rng.geometric(chance, some))
            found.append(gaps)
            end = int(gaps[-1])
        every = np.concatenate([np.zeros(0, dtype=np.int64), *found])
        every = every[every < places]
        self.load(first + every // terminals, every % terminals)

    def _numbers(self, sources: Ints) -> Ints:
        """Return each packet's number at its source."""
        by_source = np.argsort(sources, kind="stable")
        counts = np.bincount(sources, minlength=len(self.number))
        first = np.cumsum(counts) - counts
        rank = np.empty(len(sources), dtype=np.int64)
        rank[by_source] = np.arange(len(sources)) - np.repeat(first, counts)
        numbers = self.number[sources] + rank
        self.number += counts
        return numbers

    def packets(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Return when each packet was created, entered and arrived (-1: not yet), and the routers it crosses."""
        entered, arrived = self.network.packet_cycles()
        created = np.concatenate([np.zeros(0, dtype=np.int64), *self.created])
        routers = np.concatenate([np.zeros(0, dtype=np.int64), *self.routers])
        return created, entered[: self.count], arrived[: self.count], routers


@dataclass
class Sample:
    """What one seed measured: the latencies (cycles) of its packets, and what was delivered."""

    stable: bool
    latency: Ints
    network_latency: Ints
    routers: Ints
    accepted: float
    links: Links


class Trial:
    """One network under one load with one seed; see the module for the procedure.

    Parameters
    ----------
    fabric, pattern, rate, size, seed, period
        As for `measure`.
    """

    def __init__(
        self, fabric: Fabric, pattern: Pattern, rate: float, size: int, seed: int, period: int | None
    ) -> None:
        self.network = fabric.network()
        self.source = Source(fabric, self.network, pattern, size, seed)
        self.rate, self.size, self.terminals = rate, size, len(self.source.order)
        packets = self.terminals * rate / size  # a cycle
        self.period = period or max(PERIOD_CYCLES, math.ceil(PERIOD_PACKETS / packets))
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
            ages = np.concatenate(
                [(arrived - created)[done], np.repeat(self.now - created[under_way], self.size)]
            )
            stable = stable and not (len(ages) and ages.mean() > self.limit)
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
        self.network.run(self.now)

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


def check_rate(rate: float) -> None:
    """Refuse a load that no terminal can offer, or so low that it takes for ever to measure.

    Raises
    ------
    ConfigError
        If it is not in its range.
    """
    if not LEAST_RATE <= rate <= 1:
        raise ConfigError(
            f"found {rate:g}, expected {LEAST_RATE:g} to 1 flits a terminal and cycle", where="--rate"
        )


def measure(
    fabric: Fabric,
    pattern: Pattern,
    rate: float,
    size: int,
    seeds: Sequence[int],
    period: int | None = None,
    on_progress: Callable[[], None] | None = None,
) -> Load:
    """Offer a load with every seed and summarise.

    Parameters
    ----------
    fabric : Fabric
        The network.
    pattern : Pattern
        Who sends to whom.
    rate : float
        Flits a terminal and cycle.
    size : int
        Flits of a packet.
    seeds : sequence of int
        One run each.
    period : int, optional
        Cycles of a period; by default as many as make a thousand packets, at least a thousand.
    on_progress : callable, optional
        Called after each seed.

    Raises
    ------
    ConfigError
        If the rate is out of its range, or the period so short that no packet was measured.
    """
    check_rate(rate)
    samples = []
    for seed in seeds:
        samples.append(Trial(fabric, pattern, rate, size, seed, period).run())
        if on_progress is not None:
            on_progress()
    stable = all(sample.stable for sample in samples)
    if stable and not any(len(sample.latency) for sample in samples):
        raise ConfigError(f"no packet came at a rate of {rate:g}", where="--period", mend="give a longer one")
    together = np.concatenate([sample.latency for sample in samples])
    means = [float(sample.latency.mean()) for sample in samples if len(sample.latency)]
    network = [float(sample.network_latency.mean()) for sample in samples if len(sample.latency)]
    crossed = np.concatenate([sample.routers for sample in samples])
    ranks = {"p50": 50, "p95": 95, "p99": 99, "max": 100}
    return Load(
        rate=rate,
        status="stable" if stable else "unstable",
        latency_cycles=float(np.mean(means)) if stable else None,
        latency_ci95=half_width(means) if stable else None,
        network_latency_cycles=float(np.mean(network)) if stable else None,
        percentiles={
            name: int(np.percentile(together, rank, method="inverted_cdf")) for name, rank in ranks.items()
        }
        if stable
        else {},
        accepted=float(np.mean([sample.accepted for sample in samples])),
        routers=float(crossed.mean()) if len(crossed) else 0.0,
        packets=len(together),
        links=_together([sample.links for sample in samples]),
    )


def half_width(values: Sequence[float]) -> float | None:
    """Return half the width of the 95 % confidence interval of a mean (Student's t); None for a single value."""
    if len(values) < 2:
        return None
    freedom = len(values) - 1
    if freedom <= len(T_95):
        t = T_95[freedom - 1]
    else:
        z = 1.959964
        t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return t * float(np.std(values, ddof=1)) / math.sqrt(len(values))


def curve(
    fabric: Fabric,
    pattern: Pattern,
    rates: Sequence[float],
    size: int,
    seeds: Sequence[int],
    period: int | None = None,
    on_progress: Callable[[], None] | None = None,
) -> Iterator[Load]:
    """Measure one load after another; see `measure`."""
    for rate in rates:
        yield measure(fabric, pattern, rate, size, seeds, period, on_progress)


def run_batch(
    fabric: Fabric,
    pattern: Pattern,
    packets: int,
    size: int,
    seeds: Sequence[int],
    on_progress: Callable[[], None] | None = None,
) -> Batch:
    """Let every terminal send so many packets as fast as it can, until the network is empty.

    Raises
    ------
    SimulationError
        If the packets do not come to an end.
    """
    outcomes = []
    for seed in seeds:
        network = fabric.network()
        source = Source(fabric, network, pattern, size, seed)
        terminals = len(source.order)
        everybody = np.tile(np.arange(terminals), packets)
        source.load(np.zeros(len(everybody), dtype=np.int64), everybody)
        outcomes.append((_finish(network, source), source, network))
        if on_progress is not None:
            on_progress()
    return _batch(outcomes)


def run_packets(fabric: Fabric, cycles: Ints, sources: Ints, targets: Ints, sizes: Ints) -> Batch:
    """Send the packets of a list and wait for the last.

    Parameters
    ----------
    fabric : Fabric
        The network.
    cycles, sources, targets, sizes : numpy.ndarray of int64, shape (packets,)
        As `pimsim.network.traffic.packet_list` returns them.

    Raises
    ------
    SimulationError
        If the packets do not come to an end.
    """
    network = fabric.network()
    source = Source(fabric, network, Pattern("list", lambda rng, s, i: s), 1, 0)
    source.load_pairs(cycles, sources, targets, sizes)
    result = _batch([(_finish(network, source), source, network)])
    result.flits = int(sizes.sum())
    return result


def _finish(network: Network, source: Source) -> int:
    """Run until all loaded packets have come; return the cycles that took."""
    while network.packets_done < source.count:
        hops, event = network.flit_hops, network.next_event
        if event is not None:
            network.run(event + STILL_CYCLES, source.count)
        if network.packets_done < source.count and network.flit_hops == hops:
            missing = source.count - network.packets_done
            raise SimulationError(f"{missing} packets never arrive: the network is deadlocked")
    return network.last_arrival + 1


def _batch(outcomes: list[tuple[int, Source, Network]]) -> Batch:
    latency, inside, links = [], [], []
    for cycles, source, network in outcomes:
        created, entered, arrived, _ = source.packets()
        latency.append(float((arrived - created).mean()))
        inside.append(float((arrived - entered).mean()))
        links.append(Links(cycles, *network.channel_figures()))
    source = outcomes[0][1]
    return Batch(
        [cycles for cycles, _, _ in outcomes],
        float(np.mean(latency)),
        float(np.mean(inside)),
        source.count * source.size,
        source.count,
        _together(links),
    )


def _together(links: Sequence[Links]) -> Links:
    """Add up what the channels carried under each seed."""
    return Links(
        sum(each.cycles for each in links),
        np.sum([each.flits for each in links], axis=0),
        np.sum([each.waited for each in links], axis=0),
    )
