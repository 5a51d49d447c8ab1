"""The caches of the sequences under way: how many tokens each holds, and what visits cost because of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Growing, Step
from pimsim_core.engine import Engine

Rows = npt.NDArray[np.int64]


class Caches:
    """What depends on how full a cache is.

    A batch has so many places, each with a cache of its own. Before an inference goes to a place, the visits of that
    place are given the costs that its cache makes them have.

    Parameters
    ----------
    net : Netlist
        The machine's rows.
    arrays : dict
        The same, frozen.
    engine : Engine
        That runs them.
    """

    def __init__(self, net: Netlist, arrays: dict[str, npt.NDArray[Any]], engine: Engine) -> None:
        self.engine = engine
        self.cached: list[list[int]] = [[0] * inferences for inferences in net.selectors]
        """Tokens in the cache of each inference, by selector."""
        self._memo: dict[tuple[Hashable, int], tuple[Step, ...]] = {}
        self._alike: dict[Hashable, list[Growing]] = {}
        for row in net.growing:
            self._alike.setdefault(row.key, []).append(row)
        self._path_ptr = np.asarray(arrays["path_ptr"], dtype=np.int64)
        self._charges = np.asarray(arrays["steps"]["charge"], dtype=np.int64)

    def hold(self, selector: int, inference: int, place: int, cached: int) -> None:
        """Send an inference to a place whose cache holds so many tokens."""
        self.cached[selector][inference] = cached
        self.engine.select(selector, inference, place)
        for rows in self._alike.values():
            starts = self._path_ptr[[row.path + place for row in rows]]
            for number, step in enumerate(self.steps(rows[0], cached)):
                each = starts + number
                energy = np.array([pj for _, pj in step.energy if pj is not None], dtype=np.float64)
                charges = self._charges[each]
                self.engine.set_costs(each, step.occupancy, step.latency, step.flits, charges, energy)

    def steps(self, row: Growing, cached: int) -> tuple[Step, ...]:
        """Return what a growing path costs with so many cached tokens; its resources are those of one like it."""
        key = row.key, cached
        if key not in self._memo:
            self._memo[key] = row.at(cached)
        return self._memo[key]

    def counts(self, selector: int) -> Counter[int]:
        """Return how many inferences had so many tokens in their cache."""
        return Counter(self.cached[selector])
