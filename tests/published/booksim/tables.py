"""The tables of this folder, and the networks of pimsim that their rows stand for."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from pimsim.chip.router import Router
from pimsim.chip.topology.spec import from_spec
from pimsim.network.fabric import Fabric
from pimsim.network.source import Source
from pimsim.network.traffic import order, pattern
from pimsim_core.clock import Clock

FOLDER = Path(__file__).parent
WARM_UP = MEASURED = 3  # periods of BookSim2 where a load is more than the network takes
SERIES = (
    *("topology", "k", "n", "c", "packet_size", "vcs", "buf", "pattern", "credit_delay", "speculative"),
    *("routing_delay", "vc_alloc_delay", "sw_alloc_delay", "st_final_delay"),
)
SHARED = ("mesh", "seed_noise", "zero_load", "topologies")
KNEE = 3.0
"""A network is saturated at the load whose mean latency is so many times that of its packets alone."""


def rows(*names: str, **values: str) -> list[dict[str, str]]:
    """Return the rows of tables whose status is ok and whose columns have these values."""
    found = []
    for name in names:
        with (FOLDER / f"booksim_{name}.csv").open(newline="") as file:
            found += [row for row in csv.DictReader(file) if row["status"] == "ok"]
    return [row for row in found if all(row[name] == value for name, value in values.items())]


def spec(row: dict[str, str]) -> str:
    """Return the topology of a row as pimsim spells it."""
    kind, k, n = row["topology"], row["k"], row.get("n", "2")
    if kind == "mesh":
        return f"mesh:{k}x{k}" if n == "2" else f"mesh:{k}x1"
    if kind == "torus":
        return f"torus:{k}x{k}" if n == "2" else f"ring:{k}"
    return f"cmesh:{k}x{k}x{row['c']}" if kind == "cmesh" else f"{kind}:{k},{n}"


def fabric(row: dict[str, str]) -> Fabric:
    """Return the network of a row; what a table has no column for is as in the base configuration."""
    columns = {
        "vcs": "vcs",
        "buffer": "buf",
        "rd": "routing_delay",
        "va": "vc_alloc_delay",
        "sa": "sw_alloc_delay",
        "st": "st_final_delay",
        "credit": "credit_delay",
    }
    delays = {name: int(row[column]) for name, column in columns.items() if column in row}
    topology = from_spec(spec(row))
    return Fabric(
        topology.graph(topology.places), Router(**delays, speculative=row.get("speculative") == "1")
    )


def accepted(
    network_of: Fabric, text: str, size: int, period: int, *, rate: float | None = None, seed: int = 1
) -> float:
    """Return the flits delivered a terminal and cycle behind a warm-up, as BookSim2 counts them under overload.

    Parameters
    ----------
    network_of : Fabric
        The network.
    text : str
        Pattern of the traffic.
    size : int
        Flits of a packet.
    period : int
        Cycles; three of warm-up, three measured.
    rate : float, optional
        Flits a terminal and cycle, from Bernoulli sources; by default sources always have a packet to send.
    seed : int
        Of the traffic.
    """
    network = network_of.network()
    source = Source(network_of, network, pattern(text, network_of.topology), size, seed)
    until, terminals = (WARM_UP + MEASURED) * period, len(source.order)
    if rate is None:
        everybody = np.tile(np.arange(terminals), until // size + 1)
        source.load(np.zeros(len(everybody), dtype=np.int64), everybody)
    else:
        source.bernoulli(0, until, rate)
    ejection = [i for i, (_, target, *_) in enumerate(network_of.ports) if target < 0]
    counts = []
    clock = Clock(network)
    for now in (WARM_UP * period, until):
        clock.run(now)
        counts.append(int(network.channel_figures()[0][ejection].sum()))
    return (counts[1] - counts[0]) / (until - WARM_UP * period) / terminals


def zero_load(network_of: Fabric, text: str, size: int) -> float:
    """Return the mean latency of a pattern's packets if each is alone, by the formula."""
    tiles = order(network_of.topology)
    n = len(tiles)
    if text == "uniform":
        pairs = [(a, b) for a in range(n) for b in range(n)]
    else:
        every = np.arange(n)
        targets = pattern(text, network_of.topology).target(np.random.default_rng(1), every, every)
        pairs = list(zip(tiles.tolist(), tiles[targets].tolist(), strict=True))
    ends = network_of.terminals
    return float(np.mean([network_of.zero_load(network_of.hops(ends[a], ends[b]), size) for a, b in pairs]))


@dataclass
class Series:
    """BookSim2's mean latencies of one network, pattern and packet size.

    Parameters
    ----------
    row : dict of str to str
        One of its rows.
    shared : dict of float to list of (int, float)
        By rate: seed and mean latency of each row of the tables that stand for themselves.
    seeds : dict of float to list of (int, float)
        By rate: the same of more seeds, with the same periods.
    """

    row: dict[str, str]
    shared: dict[float, list[tuple[int, float]]] = field(default_factory=dict)
    seeds: dict[float, list[tuple[int, float]]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Flits of a packet."""
        return int(self.row["packet_size"])

    def means(self, rate: float) -> list[float]:
        """Return the mean latency of each seed at a rate."""
        by_seed: dict[int, list[float]] = {}
        for seed, latency in self.shared[rate] + self.seeds.get(rate, []):
            by_seed.setdefault(seed, []).append(latency)
        return [float(np.mean(values)) for values in by_seed.values()]


def key(row: Mapping[str, str]) -> tuple[str, ...]:
    """Return what tells a row's series from others."""
    return tuple(row[name] for name in SERIES)


def series() -> dict[tuple[str, ...], Series]:
    """Return all latencies of the tables, by series."""
    found: dict[tuple[str, ...], Series] = {}
    for row in rows(*SHARED, sim_type="latency"):
        one = found.setdefault(key(row), Series(row))
        point = int(row["seed"]), float(row["avg_packet_latency"])
        points = one.shared.setdefault(float(row["injection_rate"]), [])
        points += [point] if point not in points else []
    for row in rows("latency_seeds"):
        points = found[key(row)].seeds.setdefault(float(row["injection_rate"]), [])
        points.append((int(row["seed"]), float(row["avg_packet_latency"])))
    return found


def brackets() -> dict[tuple[str, ...], dict[float, float | None]]:
    """Return, by series and rate, BookSim2's mean latency near saturation; None where a seed is unstable."""
    found: dict[tuple[str, ...], dict[float, list[float | None]]] = {}
    with (FOLDER / "booksim_saturation.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            points = found.setdefault(key(row), {}).setdefault(float(row["injection_rate"]), [])
            points.append(float(row["avg_packet_latency"]) if row["status"] == "ok" else None)
    return {
        name: {rate: None if None in values else float(np.mean(values)) for rate, values in points.items()}
        for name, points in found.items()
    }


def saturation(points: Mapping[float, float | None], alone: float) -> float | None:
    """Return the rate at which latency is `KNEE` times that of packets alone, between the rates that bracket it.

    Near it latency grows as 1 / (distance from the pole), so its inverse is interpolated; unstable counts as 0.

    Parameters
    ----------
    points : mapping of float to float or None
        Mean latency by rate; None if unstable.
    alone : float
        Latency of packets alone.
    """
    goal = 1 / (KNEE * alone)
    inverse = [(rate, 1 / latency if latency else 0.0) for rate, latency in sorted(points.items())]
    for (low, before), (high, after) in pairwise(inverse):
        if before > goal >= after:
            return low + (high - low) * (before - goal) / (before - after)
    return None
