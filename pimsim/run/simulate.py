"""Simulate a trace on a chip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack, overload

from pimsim.chip import Chip
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.result.freeze import freeze
from pimsim.result.recording import MOST_RECORDS, recording_of
from pimsim.result.result import Result
from pimsim.run.experiment import Experiment, experiment_of
from pimsim.run.generate import generate
from pimsim.run.options import BatchKeywords
from pimsim.run.steady import steady_machine
from pimsim.trace.schema import Trace


class IntervalInterrupted(KeyboardInterrupt):
    """Ctrl-C came when the run was over, and its interval was being measured.

    Parameters
    ----------
    result : pimsim.Result
        Of the run; its interval is the mean of the whole run.
    """

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result


@overload
def simulate(
    experiment: Experiment,
    /,
    *,
    timeline: tuple[int, int] | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> Result: ...


@overload
def simulate(
    chip: Chip,
    trace: Trace,
    batch: int = 1,
    *,
    timeline: tuple[int, int] | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
    **options: Unpack[BatchKeywords],
) -> Result: ...


def simulate(
    chip: Chip | Experiment,
    trace: Trace | None = None,
    batch: int = 1,
    *,
    timeline: tuple[int, int] | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
    **options: Any,
) -> Result:
    """Run an experiment, or `batch` inferences of a trace through a chip, cycle by cycle.

    Parameters
    ----------
    chip : Chip or Experiment
        What to run on; or the whole experiment, which may generate, too, and nothing else.
    trace : Trace
        What to run.
    batch : int
        Inferences, all requested at time 0; they follow one another through the pipeline.
    timeline : (int, int), optional
        Keep what was held by what between two times, in fs, for `pimsim.write_timeline`: the result's `recording`.
    on_progress : callable, optional
        Called now and then with the firings done, the firings in all, and the simulated time in fs.
    **options
        ``chips``, ``weight_bits``, ``input_bits``, ``reload``, ``many``, ``effort``, ``cold``, ``pace``: see
        `pimsim.Options`.

    Returns
    -------
    Result
        Latency, interval, energy, area, bounds and the attribution of the latency.

    Raises
    ------
    ConfigError
        If an option is wrong.
    MappingError
        If the model does not fit.
    SimulationError
        If the machine cannot go on.
    IntervalInterrupted
        If Ctrl-C comes when all that is left is to measure the interval: a KeyboardInterrupt that has the result.
    """
    experiment = experiment_of(chip, trace, {"batch": batch, **options})
    if experiment.options.generates:
        return generate(experiment, timeline=timeline, on_progress=on_progress)
    asked = experiment.options
    plan = make_plan(experiment.chip, experiment.trace, asked)
    wanted = None if timeline is None else (*timeline, MOST_RECORDS)
    machine = Machine(plan, asked.batch, timeline=wanted, cold=asked.cold, pace=asked.pace)
    if on_progress is not None:
        machine.env.on_progress = lambda done, now: on_progress(done, machine.firings, now)
    machine.run()
    stopped = False
    several = machine
    try:
        several = steady_machine(machine, on_progress)
    except KeyboardInterrupt:
        stopped = True
    result = freeze(machine, experiment.trace, several, experiment.identity)
    if timeline is not None:
        result.recording = recording_of(machine, timeline)
    if stopped:
        raise IntervalInterrupted(result)
    return result
