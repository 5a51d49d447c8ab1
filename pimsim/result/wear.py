"""How often cells are written in a run, and for how long the device stands that."""

from __future__ import annotations

from typing import Any

from pimsim.machine.machine import Machine
from pimsim.mapping.planning.plan import ARRAYS, PlannedOp
from pimsim.mapping.planning.program import Program
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
    turns, rows = _turns(machine), []
    for number, op in enumerate(machine.plan.ops):
        cores = {(chunk.tile, chunk.core) for replica in op.replicas for chunk in replica.chunks}
        if cores & turns.keys():
            what, writes = "weights", max(turns.get(core, 0) for core in cores)
        elif op.held_in == ARRAYS:
            what, writes = "activations", _activations(machine, number)
        else:
            continue
        if writes == 0:  # of an expert that no token went to
            continue
        endurance = kinds[op.site].endurance if op.site is not None else None
        lifetime = None if endurance is None else endurance / writes * latency / FS_PER_S
        rows.append(
            {
                "op": op.node.name,
                "what": what,
                "writes": writes,
                "endurance": endurance,
                "lifetime_s": lifetime,
            }
        )
    return sorted(rows, key=lambda row: -row["writes"])


def _turns(machine: Machine) -> dict[tuple[int, int], int]:
    """Return how often a cell of each core that several rounds use is written, at most: once for each of them."""
    rewritten = machine.plan.rewritten
    by_round: dict[tuple[int, int], dict[int, int]] = {core: {} for core in rewritten}
    for number, op in enumerate(machine.plan.ops):
        writes = sum(machine.inferences(each, number) for each in range(len(machine.programs)))
        for chunk in (chunk for replica in op.replicas for chunk in replica.chunks):
            rounds = by_round.get((chunk.tile, chunk.core))
            if rounds is not None:
                rounds[op.round] = max(rounds.get(op.round, 0), writes)
    return {core: sum(rounds.values()) for core, rounds in by_round.items()}


def _activations(machine: Machine, number: int) -> int:
    """Return how often a cell of a right matrix is written: in caches once for each sequence that had its place."""
    first, last = machine.programs[0], machine.programs[-1]
    if len(machine.programs) > 1:
        return -(-first.inferences // last.places)
    return first.inferences * _sets(first, first.plan.ops[number])


def _sets(program: Program, op: PlannedOp) -> int:
    """Return how many images of an inference use the same arrays one after another."""
    right = op.node.right
    assert right is not None
    return 1 if right.cached else op.node.positions // right.rows
