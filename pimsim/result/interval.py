"""The interval between outputs in steady state: measured while the machine is full, never below a bound.

Up to the time at which the host has nothing left to send, a run is the same as one of an endless batch. Only outputs of
that time count: those behind which the machine was still full.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from pimsim.machine.host import Mark
from pimsim.machine.machine import Machine
from pimsim.result.bounds import busiest

SETTLED = Fraction(1, 100)
"""An interval is taken to have settled if it is known to such a share of itself."""
EXACT = Fraction(1, 200)
"""A share that is not worth going on for."""


@dataclass(frozen=True)
class Interval:
    """The time between two outputs in steady state.

    Parameters
    ----------
    fs : int
        In fs, rounded.
    error_fs : int or None
        How far it may be off, as docs/results.md says. None where it was not measured.
    how : str
        ``settled``; ``not settled``: measured, but the error is more than `SETTLED`; ``bound``: it may be
        longer, since too little came while the machine was full; ``mean``: of the whole run, filling and draining
        included.
    outputs : int
        Intervals between outputs that it is the mean of; 0 where it is told from the work alone.
    inferences : int
        That had come out of the run that it was measured in.
    begin, end : Mark, optional
        The outputs that it was measured between.
    """

    fs: int
    error_fs: int | None
    how: str
    outputs: int
    inferences: int
    begin: Mark | None = None
    end: Mark | None = None


def least_interval_fs(machine: Machine) -> tuple[int, str]:
    """Return the work of the busiest resource for one inference of a run that is over, in fs, and its name.

    What controllers do there is left out: it need not be done for each inference.
    """
    _, busy, _ = machine.engine.resource_figures()
    jobs, by_network = machine.engine.job_busy()
    held = np.maximum(busy - jobs, 0)[: len(machine.net.resources)]
    work, name = busiest(machine, held, None if by_network else machine.link_figures()[0])
    return -(-work // machine.batch), name


def interval_of(machine: Machine, least_fs: int = 0) -> Interval:
    """Return the interval that a run shows.

    Parameters
    ----------
    machine : Machine
        One that has run a batch, or a part of it.
    least_fs : int
        The work of the busiest resource for one inference: no interval is less.
    """
    found = _measured(machine)
    if found is not None and found.fs + (found.error_fs or 0) >= least_fs:
        return replace(found, fs=max(found.fs, least_fs))
    outputs = machine.host.outputs
    if found is None and machine.engine.finished:
        mean = round(Fraction(outputs[-1], len(outputs)))
        return Interval(max(mean, least_fs), None, "mean", len(outputs), len(outputs))
    # What was measured is too short to go on so: the busiest resource will hold up the outputs.
    return Interval(least_fs, None, "bound", 0, len(outputs))


def is_exact(machine: Machine) -> bool:
    """Whether the outputs of a run show its interval well enough to stop."""
    found = _measured(machine)
    return found is not None and found.outputs > 0 and (found.error_fs or 0) <= EXACT * found.fs


def _measured(machine: Machine) -> Interval | None:
    """Return the interval from the outputs that count, or the work after the first; None for too little."""
    outputs, marks = machine.host.outputs, machine.host.marks
    if not marks:
        return None
    whole = int(machine.host.periods.sum())
    takes = _times_of_work([each for each in machine.work if each[0] >= marks[0].fs], whole)
    furthest = [min(takes), max(takes)] if takes else []  # of any mean, one of the two is the furthest off
    windows = [
        _between(machine, mark, marks[-1], whole, furthest) for mark in marks[:-1] if mark.fs < marks[-1].fs
    ]
    if windows:
        return min(windows, key=lambda each: (each.outputs == 1, each.error_fs or 0, -each.outputs))
    if not takes:
        return None
    mean = sum(takes, Fraction(0)) / len(takes)
    error = round(max(abs(each - mean) for each in takes))
    return Interval(round(mean), error, _how(error, mean), 0, len(outputs))


def _between(machine: Machine, begin: Mark, end: Mark, whole: int, takes: Sequence[Fraction]) -> Interval:
    """Return the interval between two outputs, and how far it may be off.

    Parameters
    ----------
    machine, begin, end
        Which outputs of which machine.
    whole : int
        Firings of an inference, but the host's sends.
    takes : sequence of Fraction
        Times in which as many were begun, fs.
    """
    count, time = end.outputs - begin.outputs, end.fs - begin.fs
    mean = Fraction(time, count)
    outputs = machine.host.outputs[begin.outputs - 1 : end.outputs]
    by_actor = end.begun - begin.begun
    begun = int(by_actor.sum())
    # In steady state as much is begun between two outputs as their inferences are.
    errors = [_standard_errors(outputs)]
    errors += [abs(mean - Fraction(time * whole, begun))] if begun else [mean]  # nothing begun: nothing known
    errors += [abs(each - mean) / count for each in takes]
    if count == 1:  # actors may be as far on as before it, and yet not at the same point of a firing
        errors += [Fraction(math.floor(EXACT * mean))]
    if count == 1 and not takes:  # one gap alone, if every actor is as far on as before it
        errors += [2 * mean * int(np.abs(by_actor - machine.host.periods).sum()) / whole]
    error = round(max(errors))
    return Interval(round(mean), error, _how(error, mean), count, len(machine.host.outputs), begin, end)


def _standard_errors(outputs: Sequence[int]) -> Fraction:
    """Return two standard errors of the mean time between outputs, as if one did not depend on another; 0 for one."""
    count, time = len(outputs) - 1, outputs[-1] - outputs[0]
    if count == 1:
        return Fraction(0)
    squares = sum((count * (b - a) - time) ** 2 for a, b in pairwise(outputs))
    return Fraction(math.isqrt(4 * squares // (count**3 * (count - 1))))


def _how(error: int, mean: Fraction) -> str:
    return "settled" if error <= SETTLED * mean else "not settled"


def _times_of_work(work: Sequence[tuple[int, int]], whole: int) -> list[Fraction]:
    """Return how long as many firings took as an inference is, from each of some times on, as far as is known."""
    found, last = list[Fraction](), 0
    for time, begun in work:
        while last < len(work) and work[last][1] < begun + whole:
            last += 1
        if last == len(work):
            break
        (before, less), (after, more) = work[last - 1], work[last]
        at = before + Fraction((after - before) * (begun + whole - less), more - less)
        found.append(at - time)
    return found
