"""How long a network takes for a fixed number of packets, or for a list of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pimsim.errors import SimulationError
from pimsim.network.fabric import Fabric
from pimsim.network.figures import Batch, Ints, Links, together
from pimsim.network.source import Source
from pimsim.network.traffic import Pattern
from pimsim_core.clock import Clock

if TYPE_CHECKING:
    from pimsim_core.network import Network

STILL_CYCLES = 1_000_000  # without a flit moving, after which nothing will: more than any delay


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
    clock = Clock(network)
    while network.packets_done < source.count:
        hops, event = network.flit_hops, network.next_event
        if event is not None:
            clock.run(event + STILL_CYCLES, source.count)
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
        together(links),
    )
