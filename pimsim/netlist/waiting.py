"""How long packets hold their tile's port because others are on the links that they want, before anything is simulated.

A port sends in order: a packet that waits for a link holds up those behind it, wherever they go. Of a link, it meets
what other ports send over it; what its own port sends comes one after another anyway. A link that is taken for the
share r of the time, for s at a time, is waited for s r / (2 (1 - r)) in the mean if packets come at random (the queue
M/D/1; Kleinrock, Queueing Systems I, 1975). In an interval T, r is the time of the others' packets by T. The interval
is the least T in which each port gets its packets off, waits included. Virtual channels, by which packets could pass
one another, are not looked at.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from pimsim.netlist.loads import held_by, loads_of, packets_of
from pimsim.netlist.netlist import Netlist

STEPS = 40
"""Halvings of the interval."""


def waited_fs(net: Netlist, inferences: int, interval_fs: int) -> int:
    """Return the interval with waits at ports, fs: no less than the one without.

    Parameters
    ----------
    net : Netlist
        The machine; only of packets that go flit by flit something is known.
    inferences : int
        That it runs.
    interval_fs : int
        What the busiest part takes for an inference.
    """
    if net.network is None or not net.network.by_flit:
        return interval_fs
    counts, times = Counter[tuple[int, int]](), Counter[tuple[int, int]]()  # by port and channel
    for port, channels, flits, often in packets_of(net):
        for channel in channels:
            if channel != net.resources[port].link:
                counts[port, channel] += often
                times[port, channel] += often * flits
    if not counts:
        return interval_fs
    pairs = np.array(list(counts))
    ports, links = pairs[:, 0], pairs[:, 1]
    packets = np.array(list(counts.values())) / inferences
    own = np.array([times[pair] for pair in counts], dtype=np.float64) * net.network.period_fs / inferences
    load, sent = np.zeros(net.links), np.zeros(net.links)
    np.add.at(load, links, own)
    np.add.at(sent, links, packets)
    each = (load / np.maximum(sent, 1e-9))[links]
    others = loads_of(net)[links] * (net.network.period_fs / inferences) - own
    held = held_by(net) / inferences

    def fits(interval: float) -> bool:
        taken = others / interval
        if (taken >= 1).any():
            return False
        need = held.copy()
        np.add.at(need, ports, packets * each * taken / (2 * (1 - taken)))
        return bool((need[ports] <= interval).all())

    low, high = float(interval_fs), 2.0 * interval_fs
    if fits(low):
        return interval_fs
    while not fits(high):
        low, high = high, 2 * high
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return round(high)
