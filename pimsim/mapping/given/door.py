"""The one door to a plan: a file that has it, or a mapper that makes it, pimsim's own or a user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

from pimsim.chip import Chip
from pimsim.errors import MappingError, PimsimError
from pimsim.mapping.given.restore import restore
from pimsim.mapping.given.write import saved_of
from pimsim.mapping.planning.job import Flows
from pimsim.mapping.planning.options import OWN_MAPPER, PlanKeywords, PlanOptions
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planner import plan_flows
from pimsim.mapping.saved import SavedPlan
from pimsim.registry import find
from pimsim.trace.schema import Trace


@dataclass(frozen=True)
class Task:
    """What a mapper is asked for.

    Parameters
    ----------
    chip : Chip
        What to map on.
    trace : Trace
        What to map.
    flows : Flows
        Its data flows, one for inferences, or those of a prompt and of a step, which share their places.
    options : PlanOptions
        What is asked: how many chips, which widths.
    """

    chip: Chip
    trace: Trace
    flows: Flows
    options: PlanOptions

    def start(self, **changes: Unpack[PlanKeywords]) -> SavedPlan:
        """Return the plan of pimsim's own mapper, with some options changed: something to begin with.

        Raises
        ------
        MappingError
            If the model does not fit.
        """
        options = replace(replace(self.options, **changes), mapper=OWN_MAPPER)
        return self.saved(plan_flows(self.chip, self.trace, self.flows, options))

    def saved(self, plans: Sequence[Plan], source: str = "mapping") -> SavedPlan:
        """Return plans of the data flows as data."""
        return saved_of(self.chip, self.trace, plans, self.options, source=source)


Mapper = Callable[[Task], SavedPlan | Mapping[str, Any] | Sequence[Plan]]
"""What the group `pimsim.mappers` holds: a function from a task to a plan as data, or to a plan for each data flow."""


def balanced(task: Task) -> list[Plan]:
    """Pimsim's own mapper: copies that balance the pipeline, along a curve through the chip."""
    return plan_flows(task.chip, task.trace, task.flows, task.options)


def find_plans(chip: Chip, trace: Trace, flows: Flows, options: PlanOptions | None = None) -> list[Plan]:
    """Return a plan for each of the data flows: from the file that is given, or from the mapper that is named.

    What comes of another mapper than pimsim's own is checked as a file is.

    Raises
    ------
    ConfigError
        If there is no mapper of that name.
    MappingError
        If the plan breaks a rule, or the model does not fit.
    """
    options = options or PlanOptions()
    if options.mapping is not None:
        return restore(chip, trace, flows, options.mapping, options)
    mapper: Mapper = find("mappers", options.mapper, where="mapper")
    task, source = Task(chip, trace, flows, options), f"mapper '{options.mapper}'"
    if mapper is balanced:  # tests check all that it makes, and what fails in it is no user's mistake
        return balanced(task)
    try:
        found: Any = mapper(task)
    except PimsimError:
        raise
    except Exception as error:
        raise MappingError(
            f"failed ({type(error).__name__}: {error!s:.200})", where=source, mend="mend it"
        ) from error
    if isinstance(found, list | tuple) and found and all(isinstance(each, Plan) for each in found):
        if len(found) != len(flows.programs):
            raise MappingError(
                f"returned {len(found)} plans, expected {len(flows.programs)}: one a data flow", where=source
            )
        found = task.saved(found, source)
    if isinstance(found, Mapping):
        found = SavedPlan.from_dict(found, source)
    if not isinstance(found, SavedPlan):
        raise MappingError(
            f"returned {found!r:.60}, expected a plan: a SavedPlan, its data, or a list of plans",
            where=source,
        )
    return restore(chip, trace, flows, SavedPlan(found.content, source), options)
