"""Pimsim's own plan: with an effort, ops on digital units stand in several ways, and the fastest expected is taken.

What the network carries depends on all ops together, so no rule for one of them says what is best. Each plan is made,
lowered and predicted; nothing is simulated.
"""

from __future__ import annotations

import math
from dataclasses import replace

from pimsim.chip import Chip
from pimsim.mapping.lowering.predicted import predict
from pimsim.mapping.planning.copies import Style, joins_stripes
from pimsim.mapping.planning.job import Flows
from pimsim.mapping.planning.options import PlanOptions
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planner import plan_flows
from pimsim.mapping.spare import on_some
from pimsim.trace.schema import Trace

STYLES = (Style(), Style(ports=True), Style(beside=False), Style(beside=False, ports=True))


def own_plan(chip: Chip, trace: Trace, flows: Flows, options: PlanOptions, most: float = 1.0) -> Plan:
    """Map a data flow on a chip, or on as many of those that are asked for as make it faster.

    Parameters
    ----------
    chip, trace, flows, options
        What to map on what.
    most : float
        Of the spare arrays, that copies may take.

    Raises
    ------
    MappingError
        If the model does not fit.
    """

    def plan_on(chips: int | None) -> Plan:
        return _in_best_style(chip, trace, flows, replace(options, chips=chips), most)

    if options.chips is None or options.chips == 1 or options.reload:
        return plan_on(options.chips)
    return on_some(options.chips, plan_on, _expected_fs)


def _in_best_style(chip: Chip, trace: Trace, flows: Flows, options: PlanOptions, most: float) -> Plan:
    """Return a plan: in one way if `quick` is asked, or if no op joins stripes."""
    (first,) = plan_flows(chip, trace, flows, options, most)
    if options.effort == "quick" or not has_styles(first):
        return first
    plans = [first]
    for style in STYLES[1:]:
        (plan,) = plan_flows(chip, trace, flows, options, most, style)
        if plan.package.chips == first.package.chips and all(_seats(plan) != _seats(each) for each in plans):
            plans.append(plan)
    if len(plans) == 1:
        return first
    return min(plans, key=_expected_fs)  # of equals the first


def has_styles(plan: Plan) -> bool:
    """Whether ops of a plan could stand in other ways."""
    return plan.rounds == 1 and any(joins_stripes(op.node) and op.tiling is None for op in plan.ops)


def _expected_fs(plan: Plan) -> float:
    """The expected interval of a plan; what takes longer than can be counted is refused when it is run."""
    try:
        return predict(plan).expected_fs
    except OverflowError:
        return math.inf


def _seats(plan: Plan) -> list[list[int]]:
    return [[replica.home for replica in op.replicas] for op in plan.ops]
