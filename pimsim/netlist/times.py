"""What a visit takes on an idle machine with aligned clocks."""

from __future__ import annotations

from collections.abc import Sequence

from pimsim.netlist.rows import Step


def step_latency_fs(step: Step) -> int:
    """Return the least time from the request of a step to its end, fs."""
    mvm = step.mvm
    if mvm is None:
        return step.latency
    phase = max(mvm.read, mvm.convert)
    return mvm.setup + mvm.read + (mvm.phases - 1) * phase + mvm.convert + mvm.tail


def step_held_fs(step: Step) -> int:
    """Return the least time between two visits of a step to a server, fs."""
    mvm = step.mvm
    return step.occupancy if mvm is None else mvm.setup + mvm.phases * max(mvm.read, mvm.convert)


def path_latency_fs(path: Sequence[Step]) -> int:
    """Return the least time from the first request of a path to its end, fs."""
    return sum([step.latency if step.mvm is None else step_latency_fs(step) for step in path])
