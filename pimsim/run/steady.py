"""The interval of a run: from its own outputs, or else from a second run of its plan that is kept full.

For the second run the host has more inferences to send than are waited for, and it stops as soon as the interval is
known, or when it has begun as many firings as `MEASURED` inferences take.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pimsim.errors import InterruptedRunError
from pimsim.machine.machine import Machine
from pimsim.result.interval import is_exact
from pimsim.units import MAX_FS

MEASURED = 3.5  # inferences, as many firings as which may be begun for it
LOOKS = 16  # at an inference's work
FEW_EVENTS = 50_000  # of the engine: not worth saving
SENT = 64  # inferences that there are to be sent, at most
ENOUGH = 3  # outputs behind which a batch was full: its own interval is taken


def steady_machine(machine: Machine, on_progress: Callable[[int, int, int], None] | None = None) -> Machine:
    """Return a machine that has run so that it shows the interval: the same, or another of its plan.

    Parameters
    ----------
    machine : Machine
        One that has run to its end.
    on_progress : callable, optional
        Called now and then with the firings begun, those that are begun at most, and the simulated time in fs.

    Raises
    ------
    SimulationError
        If the second run cannot go on.
    """
    marks = machine.host.marks
    if marks and marks[-1].outputs >= ENOUGH:
        return machine
    each_fs = max(1, machine.host.outputs[-1] // machine.batch)
    sent = max(
        math.ceil(MEASURED), min(SENT, MAX_FS // 4 // each_fs)
    )  # all of them must fit into what can be counted
    # Its weights are there: writing them does not change a steady pace.
    again = Machine(machine.plan, sent, lowered=machine.lowered.of(sent, machine.batch))
    each, seen = machine.engine.events // machine.batch, 0
    if on_progress is not None:
        most = math.ceil(MEASURED * sum(actor.period for actor in again.net.actors))
        again.env.on_progress = lambda done, now: on_progress(min(done, most), most, now)

    def enough() -> bool:
        nonlocal seen
        if len(again.host.outputs) == seen:
            return False
        seen = len(again.host.outputs)
        return is_exact(again)

    try:
        again.run_full(MEASURED, FEW_EVENTS, 1 + each // LOOKS, enough)
    except InterruptedRunError:  # so many inferences do not come to an end before a part fails for good
        return machine
    return again
