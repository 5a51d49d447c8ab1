"""The best of several plans by an objective: each is planned with other settings, and predicted; none is simulated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.mapping.lowering.lowering import lower
from pimsim.mapping.lowering.predicted import predict_rows
from pimsim.mapping.planning.job import Flows
from pimsim.mapping.planning.options import Effort, PlanOptions, weights_of
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.program import Program
from pimsim.mapping.seating.seating import seated
from pimsim.mapping.styles import own_plan
from pimsim.netlist.chain import dependence_fs
from pimsim.netlist.loads import energy_of
from pimsim.trace.schema import Trace

SHARES = (1.0, 0.5, 0.7, 0.35, 0.2, 0.85, 0.1)
"""Of the spare arrays, for copies: fewer copies send less over the network."""


@dataclass(frozen=True)
class Way:
    """How to plan.

    Parameters
    ----------
    share : float
        Of the spare arrays, that copies may take.
    effort : str
        See `PlanOptions`.
    more : int
        Chips beyond the fewest.
    """

    share: float
    effort: Effort
    more: int = 0

    def __str__(self) -> str:
        chips = f", {self.more} chip{'s' if self.more > 1 else ''} more" if self.more else ""
        return f"{self.share:.0%} of the spare arrays for copies, effort {self.effort}{chips}"


def best_plan(chip: Chip, trace: Trace, flows: Flows, options: PlanOptions) -> Plan:
    """Return the plan with the least product of what counts, each to the power of its weight.

    The interval is the predicted one; the energy of an inference is what its visits cost, exactly, and the static power
    over that interval; the latency is taken to be the longest chain of dependences and one interval, which ranks plans,
    but is no prediction of it. Of equals the first one, so that none is worse by the objective than without it.

    Raises
    ------
    MappingError
        If the model does not fit.
    """
    weights = weights_of(options.optimize)
    found: list[tuple[float, Way, Plan]] = []
    fewest = 0
    for way in islice(_ways(chip, options, "chips" in weights and options.chips is None), options.budget):
        asked = replace(options, effort=way.effort, chips=fewest + way.more if way.more else options.chips)
        try:
            plan = own_plan(chip, trace, flows, asked, way.share)
        except MappingError:
            if not found:
                raise
            continue
        plan = seated([Program(plan, 1)], way.effort, shorter="energy" in weights)[0].plan
        fewest = fewest or plan.package.chips
        figures = figures_of(plan)
        found.append((sum(w * math.log(max(figures[name], 1e-30)) for name, w in weights.items()), way, plan))
    score, way, plan = min(found, key=lambda each: each[0])
    better = 1 - math.exp(score - found[0][0])
    plans = f"{len(found)} plan{'s' * (len(found) > 1)}"
    said = f"Of {plans}, the best by {options.optimize}, as predicted ({better:.1%} below the first): {way}."
    return replace(plan, chosen=f"{said} {plan.chosen}".strip())


def figures_of(plan: Plan) -> dict[str, float]:
    """Return what a plan is judged by: times in fs, energy in pJ, and chips."""
    net = lower(plan, 1).net
    interval = predict_rows(plan, net, 1).expected_fs
    static_mw = sum(row.static_mw for row in plan.chip.peak.rows if row.static_mw is not None)
    return {
        "interval": interval,
        "latency": dependence_fs(net) + interval,
        "energy": energy_of(net) + static_mw * plan.package.chips * interval * 1e-6,
        "chips": plan.package.chips,
    }


def _ways(chip: Chip, options: PlanOptions, chips: bool) -> Iterator[Way]:
    """Yield ways to plan, the one without an objective first."""
    first: Effort = options.effort
    other: Effort = "normal" if first == "quick" else first
    yield Way(1.0, first)
    if other != first:
        yield Way(1.0, other)
    for more in (1, 2) if chips else ():
        yield Way(1.0, other, more)
    for share in SHARES[1:]:
        yield Way(share, other)
    for more in (3, 4, 6, 8) if chips else ():
        yield Way(1.0, other, more)
    for share in SHARES[1:] if other != first else ():
        yield Way(share, first)
