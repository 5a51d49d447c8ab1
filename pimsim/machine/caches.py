"""The caches of the sequences under way: how many tokens each holds while an inference runs."""

from __future__ import annotations

from collections import Counter

from pimsim.netlist.netlist import Netlist
from pimsim_core.engine import Engine


class Caches:
    """What the visits of an inference depend on.

    Parameters
    ----------
    net : Netlist
        The machine's rows.
    engine : Engine
        That runs them.
    """

    def __init__(self, net: Netlist, engine: Engine) -> None:
        self.engine = engine
        self.cached: list[list[int]] = [[0] * inferences for inferences in net.selectors]
        """Tokens in the cache of each inference, by selector."""
        self._first = {row.selector: row.first for row in net.growing}

    def hold(self, selector: int, inference: int, cached: int) -> None:
        """Say how many tokens the cache of an inference holds."""
        self.cached[selector][inference] = cached
        if selector in self._first:
            self.engine.select(selector, inference, cached - self._first[selector])

    def counts(self, selector: int) -> Counter[int]:
        """Return how many inferences had so many tokens in their cache."""
        return Counter(self.cached[selector])
