"""A network's latency against its load, over several seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pimsim.errors import ConfigError
from pimsim.network.fabric import Fabric
from pimsim.network.figures import Load, together
from pimsim.network.traffic import Pattern
from pimsim.network.trial import Trial

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
    latencies = np.concatenate([sample.latency for sample in samples])
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
            name: int(np.percentile(latencies, rank, method="inverted_cdf")) for name, rank in ranks.items()
        }
        if stable
        else {},
        accepted=float(np.mean([sample.accepted for sample in samples])),
        routers=float(crossed.mean()) if len(crossed) else 0.0,
        packets=len(latencies),
        links=together([sample.links for sample in samples]),
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
