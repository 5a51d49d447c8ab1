"""What the plan was predicted to do, how far off that was, and what the chip allows any plan."""

from __future__ import annotations

from typing import Any

from pimsim.machine.machine import Machine
from pimsim.mapping.lowering.predicted import predict_rows
from pimsim.mapping.planning.latency import latency_bound
from pimsim.mapping.planning.optimum import chip_bound
from pimsim.result.interval import Interval

MEASURED = ("settled", "not settled")
"""How an interval is known that a prediction can be held against; others are bounds or means themselves."""


def prediction_rows(machine: Machine, interval: Interval) -> dict[str, Any]:
    """Return the predicted interval, what sets it, and the error of the one with waits against an interval.

    Parameters
    ----------
    machine : Machine
        That runs inferences.
    interval : Interval
        What came out.
    """
    found = predict_rows(machine.plan, machine.net, machine.batch)
    return {
        "interval_fs": found.interval_fs,
        "expected_fs": found.expected_fs,
        "error": found.error(interval.fs) if interval.how in MEASURED else None,
        "busiest": [each._asdict() for each in found.busiest],
        "by_what": [each._asdict() for each in found.by_what],
    }


def chip_bounds(machine: Machine, interval: Interval, predicted_fs: int) -> dict[str, Any]:
    """Return the least interval and latency of any plan, how far the plan is from it, and the run from the plan.

    Parameters
    ----------
    machine, interval
        As of `prediction_rows`.
    predicted_fs : int
        The interval that the plan allows.
    """
    chip, latency = chip_bound(machine.plan), latency_bound(machine.plan)
    return {
        "chip_latency_fs": latency.fs,
        "chip_latency_by": latency.what,
        "chip_interval_fs": chip.fs,
        "chip_by": chip.what,
        "plan_over_chip": predicted_fs / chip.fs if chip.fs else None,
        "interval_over_plan": interval.fs / predicted_fs if interval.how in MEASURED else None,
    }
