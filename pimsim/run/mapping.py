"""The plan of an experiment as data: to be kept, read, edited, and run."""

from __future__ import annotations

from typing import Any, Unpack, overload

from pimsim.chip import Chip
from pimsim.mapping.given.write import saved_of
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.saved import SavedPlan
from pimsim.run.experiment import Experiment, experiment_of
from pimsim.run.generate import programs_of
from pimsim.run.options import OptionKeywords
from pimsim.trace.schema import Trace


@overload
def saved_plan(experiment: Experiment, /) -> SavedPlan: ...


@overload
def saved_plan(chip: Chip, trace: Trace, **options: Unpack[OptionKeywords]) -> SavedPlan: ...


def saved_plan(chip: Chip | Experiment, trace: Trace | None = None, **options: Any) -> SavedPlan:
    """Map a trace on a chip and return the plan as data.

    Parameters
    ----------
    chip : Chip or Experiment
        What to map on; or the whole experiment, and nothing else.
    trace : Trace
        What to map.
    **options
        ``chips``, ``weight_bits``, ``input_bits``, ``reload``, ``many``, ``effort``, ``mapper``; and of a model that
        generates ``prompt``, ``tokens``, ``requests``, ``places``: see `pimsim.Options`.

    Raises
    ------
    ConfigError
        If an option is wrong.
    MappingError
        If the model does not fit.
    """
    experiment = experiment_of(chip, trace, options)
    asked = experiment.options
    generation = None
    if asked.generates:
        assert asked.prompt is not None
        assert asked.tokens is not None
        plans = [program.plan for program in programs_of(experiment)]
        places = min(asked.sequences, asked.requests)
        generation = {"prompt": asked.prompt, "tokens": asked.tokens, "places": places}
    else:
        plans = [make_plan(experiment.chip, experiment.trace, asked)]
    return saved_of(experiment.chip, experiment.trace, plans, asked, generation)
