"""From a trace and a chip to a plan, with the effort that is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

from pimsim.chip import Chip
from pimsim.mapping.best import best_plan
from pimsim.mapping.given.door import find_plans
from pimsim.mapping.planning.options import OWN_MAPPER, PlanKeywords, PlanOptions
from pimsim.mapping.planning.parallel import shared
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planner import flows_of
from pimsim.mapping.planning.program import Program
from pimsim.mapping.seating.seating import require_effect, seated
from pimsim.mapping.styles import has_styles, own_plan
from pimsim.trace.bind import bind_batch
from pimsim.trace.schema import Trace


def make_plan(
    chip: Chip, trace: Trace, options: PlanOptions | None = None, **changes: Unpack[PlanKeywords]
) -> Plan:
    """Map a trace on a chip.

    Parameters
    ----------
    chip : Chip
        What to map on.
    trace : Trace
        What to map.
    options : PlanOptions, optional
        What is asked.
    **changes
        Options by name: ``chips``, ``weight_bits``, ``input_bits``, ``reload``, ``many``, ``effort``,
        ``mapper``, ``mapping``, ``optimize``, ``budget``.

    Raises
    ------
    ConfigError
        If an option is wrong.
    MappingError
        If the model does not fit; says what is needed and what there is.
    TraceError
        If a symbol of the trace has no value.
    """
    asked = replace(options or PlanOptions(), **changes)
    trace = bind_batch(trace)
    trace.require_bound()
    trace = shared(chip, trace)
    flows = flows_of(chip, trace, asked)
    if asked.optimize is not None:
        plan = best_plan(chip, trace, flows, asked)
    elif asked.mapping is None and asked.mapper == OWN_MAPPER:
        plan = own_plan(chip, trace, flows, asked)
    else:
        (plan,) = find_plans(chip, trace, flows, asked)
    if asked.mapping is not None:
        return plan
    if asked.mapper != OWN_MAPPER or not has_styles(plan):
        require_effect(chip.config, asked.effort)
    return plan if asked.optimize is not None else seated([Program(plan, 1)], asked.effort)[0].plan
