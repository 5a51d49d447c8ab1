"""How far time can be counted: 64 bits of femtoseconds are 2.5 hours; a run past that is refused."""

from __future__ import annotations

from pimsim.errors import ConfigError, SimulationError
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.times import path_latency_fs, step_latency_fs
from pimsim.units import MAX_FS, format_time

LIMIT = f"{format_time(MAX_FS)} (2.5 hours), the most that 64 bits of femtoseconds can count"


def horizon_fs(net: Netlist) -> int:
    """Return the time before which every event must lie, so that whatever it causes can still be counted.

    Raises
    ------
    ConfigError
        If some actor alone cannot be done by then.
    """
    latency = [path_latency_fs(path) for path in net.paths]
    for actor in net.actors:
        least = -(-actor.firings // actor.depth) * latency[actor.path]
        if least > MAX_FS // 2:
            each = format_time(latency[actor.path])
            raise ConfigError(
                f"{actor.firings} firings of {each} take {format_time(least)} or more, "
                f"expected less than half of {LIMIT}",
                where=f"op '{actor.op}'",
                mend="lower the batch, or look for a part that is too slow",
            )
    steps = [max(step.occupancy, step_latency_fs(step)) for path in net.paths for step in path]
    return MAX_FS - max(steps, default=0) - max((row.period_fs for row in net.resources), default=0)


def past_horizon(now_fs: int) -> SimulationError:
    """Describe a run that has come to the end of time."""
    return SimulationError(
        f"the run is not over at {format_time(now_fs)}, and its next event lies beyond {LIMIT}",
        mend="lower the batch, or look for a part that is too slow",
    )
