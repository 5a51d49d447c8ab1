"""The tables of this folder, and the networks of pimsim that their rows stand for."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from pimsim.chip.router import Router
from pimsim.chip.topology.spec import from_spec
from pimsim.network.fabric import Fabric
from pimsim.network.measure import Source
from pimsim.network.traffic import order, pattern

FOLDER = Path(__file__).parent
WARM_UP = MEASURED = 3  # periods of BookSim2 where a load is more than the network takes


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
    for now in (WARM_UP * period, until):
        network.run(now)
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
