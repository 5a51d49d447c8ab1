"""What each op did: when, how much, and what its firings waited for and from whom."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from pimsim.machine.machine import Machine
from pimsim.mapping.flow.rules import rule_of
from pimsim.netlist.rows import HOST, Input, Output


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
            "bytes_in": 0.0,
            "bytes_out": 0.0,
            "network_bytes_in": 0.0,
            "network_bytes_out": 0.0,
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
    """Count what comes into an op's buffers, and what it sends into those of others; of all inferences.

    What an op sends to several places in one packet leaves it once.
    """
    net = machine.net
    _, takers = _ends(machine)
    emitted = [int(np.count_nonzero(table >= 0)) for table in net.tables]
    growing = {row.path: row for row in net.growing}
    for out in net.outputs:
        stream, path = net.streams[out.stream], net.paths[out.path] if out.path is not None else ()
        if out.selector in machine.went and out.path is not None:
            path = net.paths[out.path + 1]
        maker, taker = rows[net.actors[out.actor].op], rows[takers[out.stream]]
        actor = net.actors[out.actor]
        inferences = machine.taken(out.selector, actor.firings // actor.period)
        size = emitted[out.token] * stream.bits * inferences / 8
        if out.path in growing:
            bits_at = net.bits_at[out.stream]
            counts = machine.caches.counts(growing[out.path].selector)
            size = emitted[out.token] * sum(bits_at(cached) * n for cached, n in counts.items()) / 8
        maker["bytes_out"] += size
        taker["bytes_in"] += size
        if out.cast is not None:
            taker["network_bytes_in"] += size
        elif any(net.resources[step.resource].link is not None for step in path):
            taker["network_bytes_in"] += size
            maker["network_bytes_out"] += size
    first = np.cumsum([0, *(np.bincount([out.actor for out in net.outputs], minlength=len(net.actors)))])
    outputs = sorted(net.outputs, key=_actor)
    for cast in net.casts:
        actor = net.actors[cast.actor]
        inferences = machine.taken(actor.selector, actor.firings // actor.period)
        packets = np.bincount(net.tables[cast.tree] + 1, minlength=len(cast.trees) + 1)[1:]
        for count, tree in zip(packets.tolist(), cast.trees, strict=True):
            bits = net.streams[outputs[first[cast.actor] + tree.leaves[0].output].stream].bits
            rows[net.actors[cast.actor].op]["network_bytes_out"] += count * bits * inferences / 8


def _named(values: Any, names: list[str]) -> dict[str, int]:
    return _largest_first({names[i]: int(values[i]) for i in np.nonzero(values)[0]})


def _largest_first(sums: dict[str, int]) -> dict[str, int]:
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))
