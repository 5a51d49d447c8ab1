"""What each op did: when, how much, and what its firings waited for and from whom."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from pimsim.machine.machine import Machine
from pimsim.mapping.flow.rules import rule_of
from pimsim.netlist.rows import HOST, Carried, Input, Output

WAYS = ("bytes_out", "bytes_in", "network_bytes_out", "network_bytes_in")
"""What an op sends and gets: in the order of `Carried`."""


def work_of(machine: Machine) -> tuple[dict[str, int], dict[str, float]]:
    """Return the multiply-accumulates of each op in the whole run, and the elements that go through digital units."""
    macs: dict[str, int] = defaultdict(int)
    elements: dict[str, float] = defaultdict(float)
    for which, (program, ends) in enumerate(zip(machine.programs, machine.ends, strict=True)):
        cached = machine.caches.counts(ends.selector) if ends.selector is not None else Counter[int]()
        for number, op in enumerate(program.plan.ops):
            work = program.work_of(number, machine.inferences(which, number), cached)
            if rule_of(op.node.type).multiplies:
                macs[op.node.name] += round(work)
            if op.unit and not op.arrays:
                elements[op.node.name] += work
    return macs, elements


def op_rows(machine: Machine, energy: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for every op that fires, in the order of the plan.

    Parameters
    ----------
    machine : Machine
        That has run.
    energy : list of dict
        Rows of `op` and `aj`.
    """
    net, latency = machine.net, machine.host.outputs[-1]
    working, denied, starved, blocked = machine.states
    begin, end, waited, held_up = machine.op_figures
    done = machine.engine.op_figures()[1]  # what no output waits for may end after the last one
    macs, elements = work_of(machine)
    spent: dict[str, int] = defaultdict(int)
    for row in energy:
        spent[row["op"]] += row["aj"]
    critical = dict(zip(machine.ops, machine.engine.charges().sum(axis=(0, 1, 2)).tolist(), strict=True))
    positions: dict[str, int] = defaultdict(int)
    for which, program in enumerate(machine.programs):
        for number, planned in enumerate(program.plan.ops):
            positions[planned.node.name] += planned.node.positions * machine.inferences(which, number)
    makers, takers = _ends(machine)
    rows: dict[str, dict[str, Any]] = {
        op: {
            "op": op,
            "macs": macs[op],
            "elements": elements[op],
            "positions": positions[op],
            "actors": 0,
            "firings": 0,
            "begin_fs": min(int(begin[i]), int(end[i])),
            "end_fs": int(end[i]),
            "done_fs": int(done[i]),
            "critical_fs": critical[op],
            "working_fs": 0,
            "starved_fs": 0,
            "blocked_fs": 0,
            "denied_fs": 0,
            "over_fs": 0,
            "starved_by": defaultdict(int),
            "blocked_by": defaultdict(int),
            "waited_fs": int(sum(waited[:, i].tolist())),
            "waited_at": _named(waited[:, i], machine.parts),
            "waited_for": _named(held_up[i], machine.ops),
            "energy_aj": spent[op],
            **dict.fromkeys(WAYS, 0.0),
        }
        for i, op in enumerate(machine.ops)
    }
    for i, actor in enumerate(net.actors):
        row = rows[actor.op]
        row["actors"] += 1
        row["firings"] += actor.period * machine.taken(actor.selector, actor.firings // actor.period)
        row["working_fs"] += int(working[i])
        row["denied_fs"] += int(denied[i])
        row["over_fs"] += latency - int(working[i]) - int(denied[i])
    for line, fs in zip(sorted(net.inputs, key=_actor), starved.tolist(), strict=True):
        _lose(rows[net.actors[line.actor].op], "starved", makers[line.stream], fs)
    for out, fs in zip(sorted(net.outputs, key=_actor), blocked.tolist(), strict=True):
        _lose(rows[net.actors[out.actor].op], "blocked", takers[out.stream], fs)
    _count_bytes(machine, rows)
    for row in rows.values():
        for kind in ("starved_by", "blocked_by"):
            row[kind] = _largest_first(row[kind])
    return list(rows.values())


def _actor(line: Input | Output) -> int:
    return line.actor


def _lose(row: dict[str, Any], kind: str, whom: str, fs: int) -> None:
    """Charge time that an actor's next firing waited for another op."""
    if fs:
        row[f"{kind}_fs"] += fs
        row["over_fs"] -= fs
        row[f"{kind}_by"][whom] += fs


def _ends(machine: Machine) -> tuple[list[str], list[str]]:
    """The op that fills each stream, and the one that empties it."""
    net = machine.net
    makers, takers = [HOST] * len(net.streams), [HOST] * len(net.streams)
    for out in net.outputs:
        makers[out.stream] = net.actors[out.actor].op
    for line in net.inputs:
        takers[line.stream] = net.actors[line.actor].op
    return makers, takers


def _count_bytes(machine: Machine, rows: dict[str, dict[str, Any]]) -> None:
    """Count what comes into an op's buffers, and what it sends into those of others: by the visits that bring it.

    What an op sends to several places in one packet leaves it once.
    """
    for tally, visits in machine.tallied():
        if isinstance(tally, Carried):
            size = visits * tally.bits / 8
            for op, way in zip(tally[1:], WAYS, strict=True):
                if op is not None:
                    rows[op][way] += size


def _named(values: Any, names: list[str]) -> dict[str, int]:
    return _largest_first({names[i]: int(values[i]) for i in np.nonzero(values)[0]})


def _largest_first(sums: dict[str, int]) -> dict[str, int]:
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))
