"""Where the packets of a network on its own come from: a pattern of traffic, offered at a rate or at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pimsim.network.fabric import Fabric, Routes
from pimsim.network.figures import Ints
from pimsim.network.traffic import Pattern, order

if TYPE_CHECKING:
    from pimsim_core.network import Network


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
