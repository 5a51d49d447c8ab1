"""Simulate a trace on a chip."""

from __future__ import annotations

from collections.abc import Callable

from pimsim.chip import Chip
from pimsim.errors import ConfigError
from pimsim.machine.machine import Machine
from pimsim.mapping.planning.planner import make_plan
from pimsim.result.freeze import freeze
from pimsim.result.recording import MOST_RECORDS, recording_of
from pimsim.result.result import Result
from pimsim.trace.schema import Trace

INTERVAL_BATCH = 3  # inferences of the extra run that measures the interval of a single one
MOST = {"batch": 1_000_000, "chips": 100_000, "weight_bits": 64, "input_bits": 64}


def simulate(
    chip: Chip,
    trace: Trace,
    batch: int = 1,
    *,
    chips: int | None = None,
    weight_bits: int | None = None,
    input_bits: int | None = None,
    reload: bool = False,
    timeline: tuple[int, int] | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> Result:
    """Run `batch` inferences of a trace through a chip, cycle by cycle.

    Parameters
    ----------
    chip : Chip
        What to run on.
    trace : Trace
        What to run.
    batch : int
        Inferences, all requested at time 0; they follow one another through the pipeline.
    chips : int, optional
        How many chips; by default as few as hold the model.
    weight_bits, input_bits : int, optional
        Precision; by default the trace's where it states one, else the chip's.
    reload : bool
        Where the weights exceed all arrays, write them anew from the off-chip memory in the course of each inference.
    timeline : (int, int), optional
        Keep what was held by what between two times, in fs, for `pimsim.write_timeline`: the result's `recording`.
    on_progress : callable, optional
        Called now and then with the firings done, the firings in all, and the simulated time in fs.

    Returns
    -------
    Result
        Latency, interval, energy, area, bounds and the attribution of the latency.

    Raises
    ------
    ConfigError
        If the batch is not a positive number.
    MappingError
        If the model does not fit.
    SimulationError
        If the machine cannot go on.
    """
    check_options(batch=batch, chips=chips, weight_bits=weight_bits, input_bits=input_bits)
    plan = make_plan(chip, trace, chips=chips, weight_bits=weight_bits, input_bits=input_bits, reload=reload)
    measuring = batch if batch > 1 else INTERVAL_BATCH
    total = 0

    def run(count: int, before: int) -> Machine:
        nonlocal total
        wanted = None if timeline is None or count != batch else (*timeline, MOST_RECORDS)
        machine = Machine(plan, count, timeline=wanted)
        total = total or machine.firings * (1 if batch > 1 else 1 + INTERVAL_BATCH)
        if on_progress is not None:
            machine.env.on_progress = lambda done, now: on_progress(before + done, total, now)
        machine.run()
        return machine

    machine = run(batch, 0)
    result = freeze(machine, trace, machine if batch > 1 else run(measuring, machine.engine.firings), chips)
    if timeline is not None:
        result.recording = recording_of(machine, timeline)
    return result


def check_options(**options: int | None) -> None:
    """Check the options of a run that are counts; None is not given.

    Parameters
    ----------
    **options : int, optional
        ``batch``, ``chips``, ``weight_bits``, ``input_bits``.

    Raises
    ------
    ConfigError
        If one is not a whole number in its range.
    """
    for name, value in options.items():
        if value is None and name != "batch":
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST[name]:
            raise ConfigError(
                f"found {value!r:.30}, expected a whole number from 1 to {MOST[name]}", where=name
            )
