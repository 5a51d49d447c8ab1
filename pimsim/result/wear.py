"""How often cells are written in a run, and for how long the device stands that."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby
from typing import Any

from pimsim.machine.machine import Machine
from pimsim.mapping.planning.stationary import ARRAYS, Stationary
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
    written = machine.residents if turns or machine.substrate.written else []
    residents = {op: list(own) for op, own in groupby(written, key=lambda each: each.op)}
    for op in machine.plan.ops:
        operand = op.operand
        if operand is None or operand.home != ARRAYS:
            continue
        if operand.what == "weights":
            what = "weights"
            writes = max(
                (
                    turns[each.share.tile, each.share.core] + machine.substrate.written[each.resource]
                    for each in residents.get(op.node.name, ())
                ),
                default=0,
            )
        else:
            what, writes = "activations", _activations(machine, operand)
        if writes == 0:  # there before the run, or of an expert that no token went to
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


def _turns(machine: Machine) -> Counter[tuple[int, int]]:
    """Return how often a cell of each core that several rounds use is written, at most: once for each of them."""
    by_round: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for number, op in enumerate(machine.plan.ops):
        writes = sum(machine.inferences(each, number) for each in range(len(machine.programs)))
        for share in op.operand.at("round") if op.operand is not None else ():
            rounds = by_round[share.tile, share.core]
            rounds[op.round] = max(rounds.get(op.round, 0), writes)
    return Counter({core: sum(rounds.values()) for core, rounds in by_round.items()})


def _activations(machine: Machine, operand: Stationary) -> int:
    """Return how often a cell of a right matrix is written: in caches once for each sequence that had its place."""
    first, last = machine.programs[0], machine.programs[-1]
    if len(machine.programs) > 1:
        return -(-first.inferences // last.places)
    return first.inferences * operand.times
