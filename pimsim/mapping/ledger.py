"""Energy per inference, counted action by action as a plan is lowered."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Ledger:
    """Dynamic energy of one inference by part and op, and which parts have no figure.

    Parameters
    ----------
    terms : dict of (part, op) to list of float
        Picojoules of one inference, a term for each kind of action.
    unknown : dict of str to None
        Parts that act but whose energy is not modelled, in the order they were met.
    """

    terms: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)

    def add(self, part: str, op: str, actions: float, energy_pj: float | None) -> None:
        """Count so many actions of a part for an op."""
        if energy_pj is None:
            self.unknown[part] = None
        elif actions:
            self.terms.setdefault((part, op), []).append(actions * energy_pj)

    def totals(self) -> dict[tuple[str, str], float]:
        """Return picojoules of one inference by (part, op), summed without rounding on the way."""
        return {key: math.fsum(values) for key, values in self.terms.items()}
