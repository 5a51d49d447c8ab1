"""How often each layer stands on the chip, so that all keep the same pace."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Layer:
    """What an inference of a layer takes, by its replicas.

    Parameters
    ----------
    positions : int
        Firings.
    step_fs : int
        Time between two firings of one replica, fs.
    arrays : int
        Arrays of one replica.
    site : str
        The name of the sites that it is on.
    per_site : int
        Arrays of a site.
    most : int
        Replicas that it can use.
    port_fs : float
        Time that one site's link to the network takes for all that comes in or goes out, whichever is longer, fs;
        sites share that.
    tensor_fs : float
        Likewise for what each site takes in whole.
    host_fs : float
        Time that the host's links take for what comes from there, once.
    again : float
        The share of it that goes to one site more: what lies at the edges of two stripes goes to both.
    seats : int
        Where slots of a site take turns at one unit: the sites, on which copies stand apart while there are enough.
        0 where copies stand close together.
    """

    positions: int
    step_fs: int
    arrays: int
    site: str
    per_site: int
    most: int
    port_fs: float = 0.0
    tensor_fs: float = 0.0
    host_fs: float = 0.0
    again: float = 0.0
    seats: int = 0

    def time_fs(self, replicas: int) -> float:
        """Return how long an inference takes."""
        sites = self.homes(replicas)
        host = self.host_fs * (1 + self.again * (sites - 1))
        ports = max(host, self.tensor_fs, self.port_fs / sites)
        return max(-(-self.positions // replicas) * self.step_fs, ports)

    def next(self, replicas: int) -> int:
        """Return the next number of replicas that takes less time; the same one if none does."""
        time, more = self.time_fs(replicas), replicas
        rounds = -(-self.positions // replicas)
        if rounds * self.step_fs >= time and rounds > 1:
            more = -(-self.positions // (rounds - 1))
        if self.port_fs / self.homes(replicas) >= time:
            full = replicas if self.seats else self.homes(replicas) * self.per_site // self.arrays
            more = max(more, full + 1, replicas + 1)
        more = min(more, self.most)
        return more if self.time_fs(more) < time else replicas

    def homes(self, replicas: int) -> int:
        """Return the sites that share what comes and goes: those where a replica's result comes together."""
        if self.seats:
            return min(replicas, self.seats)
        return min(replicas, -(-replicas * self.arrays // self.per_site))


def balance(layers: Sequence[Layer], budget: Mapping[str, int], floor_fs: float = 0) -> list[int]:
    """Spend the arrays that are left on copies of whichever layer sets the pace.

    Parameters
    ----------
    layers : sequence of Layer
        All of them.
    budget : mapping of str to int
        Arrays there are at the sites of each name, at least as many as one replica of each of their layers takes.
    floor_fs : float
        Time an inference that something other than the layers takes; copies for a faster pace would be idle.

    Returns
    -------
    list of int
        Replicas of each layer.
    """
    replicas = [1] * len(layers)
    left = dict(budget)
    for layer in layers:
        left[layer.site] -= layer.arrays
    slowest = [(-layer.time_fs(1), i) for i, layer in enumerate(layers)]
    heapq.heapify(slowest)
    while slowest:
        longest, i = heapq.heappop(slowest)
        layer = layers[i]
        wanted = layer.next(replicas[i])
        arrays = (wanted - replicas[i]) * layer.arrays
        # The pace is set by a layer that cannot be helped: more copies of others would be idle.
        if -longest <= floor_fs or arrays == 0 or arrays > left[layer.site]:
            break
        left[layer.site] -= arrays
        replicas[i] = wanted
        heapq.heappush(slowest, (-layer.time_fs(wanted), i))
    return replicas


def pace_fs(layers: Sequence[Layer], replicas: Sequence[int]) -> int:
    """Return the time an inference takes the slowest layer."""
    return max((round(layer.time_fs(n)) for layer, n in zip(layers, replicas, strict=True)), default=0)


class Weight(NamedTuple):
    """A weight that copies may be made of.

    Parameters
    ----------
    slots : int
        Of one copy.
    positions : int
        Firings an inference, of all ops that read it.
    step_fs : int
        The least time between two firings of a copy.
    outside_fs : int
        Of the time, what is not for these firings.
    """

    slots: int
    positions: int
    step_fs: int
    outside_fs: int = 0


def optimum_fs(weights: Iterable[Weight], slots: int) -> int:
    """Return the least pace that copies of weights within so many slots allow, fs.

    A weight of p positions keeps the pace T with ``ceil(p / floor((T - outside) / step))`` copies, so the least T is
    found by halving.
    """
    weights = list(weights)
    if not weights:
        return 0

    def copies(pace: int, weight: Weight) -> int:
        return -(-weight.positions // ((pace - weight.outside_fs) // weight.step_fs))

    low = max(weight.outside_fs + weight.step_fs for weight in weights)
    high = max(weight.outside_fs + weight.positions * weight.step_fs for weight in weights)
    while low < high:
        pace = (low + high) // 2
        if sum(weight.slots * copies(pace, weight) for weight in weights) <= slots:
            high = pace
        else:
            low = pace + 1
    return max(
        weight.outside_fs + -(-weight.positions // copies(high, weight)) * weight.step_fs
        for weight in weights
    )
