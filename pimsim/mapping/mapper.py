"""From a trace and a chip to a plan, with the effort that is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

from pimsim.chip import Chip
from pimsim.mapping.planning.options import PlanKeywords, PlanOptions
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planner import plan_trace
from pimsim.mapping.planning.program import Program
from pimsim.mapping.seating.seating import seated
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
        Options by name: ``chips``, ``weight_bits``, ``input_bits``, ``reload``, ``many``, ``effort``.

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
    plan = plan_trace(chip, trace, asked)
    return seated([Program(plan, 1)], asked.effort)[0].plan
