"""Chips that are asked for beyond those that hold a model are used only where that is expected to be faster.

Copies on more chips send more over the links between them, which are slow: there is a number beyond which chips cost
more than they win.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pimsim.errors import MappingError
from pimsim.mapping.planning.package import Package
from pimsim.mapping.planning.plan import Plan, Slack

WORSE = 2
"""Numbers of chips in a row that win nothing, after which no more are tried."""


def on_some(chips: int, plan_on: Callable[[int | None], Plan], expected_fs: Callable[[Plan], float]) -> Plan:
    """Return the plan with the least expected interval on the fewest chips that hold a model, or on more of them.

    Parameters
    ----------
    chips : int
        That there are.
    plan_on : function
        Returns the plan on so many, or, for None, on as few as hold the model.
    expected_fs : function
        Returns the expected interval of a plan.

    Returns
    -------
    Plan
        On all chips that there are; `chosen` says so if some are left unused. Of equals that on the fewest.

    Raises
    ------
    MappingError
        If the model does not fit.
    """
    try:
        best = plan_on(None)
    except MappingError:  # such as more than are taken unasked
        return plan_on(chips)
    if best.package.chips >= chips or best.rounds > 1:
        return plan_on(chips)
    least, count, in_vain = expected_fs(best), best.package.chips, 0
    while count < chips and in_vain < WORSE:
        count = min(chips, count + max(1, count // 4))
        try:
            plan = plan_on(count)
        except MappingError:  # no room in reach, as it happens
            in_vain += 1
            continue
        expected = expected_fs(plan)
        in_vain = 0 if expected < least else in_vain + 1
        if expected < least:
            best, least = plan, expected
    return widened(best, chips)


def widened(plan: Plan, chips: int) -> Plan:
    """Return the same plan in a row of more chips, which have nothing to do."""
    used = plan.package.chips
    if used == chips:
        return plan
    package = Package(plan.chip.config, chips)
    room = [*plan.slack.room]
    room += [package.site(tile).store.capacity_bytes for tile in range(len(room), package.tiles)]
    are = "is" if used == 1 else "are"
    said = f"Of {chips} chips {used} {are} used: on more of them it is not expected to be faster."
    return replace(plan, package=package, slack=Slack(plan.slack.needed, room), chosen=said)
