"""How often cells are written in a run, and for how long the device stands that: sums over the visits that write."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import Any

from pimsim.machine.machine import Machine
from pimsim.mapping.planning.stationary import ARRAYS
from pimsim.netlist.rows import Written
from pimsim.units import FS_PER_S


def wear_rows(machine: Machine) -> list[dict[str, Any]]:
    """Return a row for each op whose cells are written in the run, those written most often first.

    Returns
    -------
    list of dict
        ``op``; ``what`` is written, ``weights`` or ``activations``; ``writes``, of a cell at most in the run;
        ``endurance`` in writes and ``lifetime_s``, the time that the run could be repeated without a pause, None where
        the chip gives no endurance.
    """
    latency, kinds = machine.host.outputs[-1], machine.plan.package.kinds
    by_place = writes_by_place(machine)
    places = _places(machine) if by_place else {}
    rows = []
    for op in machine.plan.ops:
        operand = op.operand
        if operand is None or operand.home != ARRAYS:
            continue
        writes = max(
            (sum(by_place[each] for each in some) for some in places.get(op.node.name, ())), default=0
        )
        if operand.what != "weights":  # what several sequences keep at once takes turns in their cells
            writes = -(-writes // machine.programs[-1].places)
        if writes == 0:  # there before the run, or of an expert that no token went to
            continue
        endurance = kinds[op.site].endurance if op.site is not None else None
        lifetime = None if endurance is None else endurance / writes * latency / FS_PER_S
        rows.append(
            {
                "op": op.node.name,
                "what": "weights" if operand.what == "weights" else "activations",
                "writes": writes,
                "endurance": endurance,
                "lifetime_s": lifetime,
            }
        )
    return sorted(rows, key=lambda row: -row["writes"])


def writes_by_place(machine: Machine) -> dict[Hashable, int]:
    """Return how often a cell of each place has been written, at most: in each turn those written most often."""
    visits: dict[Written, int] = defaultdict(int)
    for tally, over in machine.tallied():
        if isinstance(tally, Written):
            visits[tally] += over
    by_cells: dict[tuple[Hashable, int, Hashable], int] = defaultdict(int)
    for tally, over in visits.items():
        by_cells[tally.place, tally.turn, tally.cells] += -(-over // tally.parts)
    by_turn: dict[tuple[Hashable, int], int] = defaultdict(int)
    for (place, turn, _), writes in by_cells.items():
        by_turn[place, turn] = max(by_turn[place, turn], writes)
    found: dict[Hashable, int] = defaultdict(int)
    for (place, _), writes in by_turn.items():
        found[place] += writes
    return found


def _places(machine: Machine) -> dict[str, list[tuple[Hashable, ...]]]:
    """Return where the cells of each op are, and by what names they are written: in rounds and by processes."""
    found: dict[str, list[tuple[Hashable, ...]]] = defaultdict(list)
    for each in machine.residents:
        found[each.op].append(((each.share.tile, each.share.core), each.resource))
    for op in machine.plan.ops:
        if op.operand is not None and op.operand.what != "weights" and op.operand.home == ARRAYS:
            found[op.node.name] += [((op.node.name, index),) for index in range(len(op.replicas))]
    return found
