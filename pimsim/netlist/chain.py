"""The longest chain of dependences of an inference, from the rows alone: nothing that is contended for counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from pimsim.netlist.netlist import Netlist
from pimsim.netlist.times import path_latency_fs


def dependence_fs(
    net: Netlist,
    sinks: Collection[int] | None = None,
    latencies: Mapping[int, int] | None = None,
    top: Mapping[int, int] | None = None,
) -> int:
    """Return the time of one inference if every resource had a server for everybody and every buffer were endless.

    Each firing starts when its tokens are there, whatever else happens. Inferences do not depend on one another,
    so the chain of one is the chain of all.

    Parameters
    ----------
    net : Netlist
        The machine.
    sinks : collection of int, optional
        Actors that end it; by default all that put out what the model does.
    latencies : mapping of int to int, optional
        Of paths that take something else than the netlist says, fs.
    top : mapping of int to int, optional
        Selectors of experts, and how many of a layer's a token goes to; without it all are passed by that can be.

    Returns
    -------
    int
        Femtoseconds from the first input to the last output.
    """
    top = top or {}
    latency = [path_latency_fs(path) for path in net.paths]
    for path, time in (latencies or {}).items():
        latency[path] = time
    ready: list[npt.NDArray[np.int64]] = [np.zeros(s.tokens + 1, dtype=np.int64) for s in net.streams]
    missing = [0] * len(net.streams)  # producers whose tokens have not come yet
    readers: list[list[int]] = [[] for _ in net.streams]
    inputs: list[list[tuple[int, int]]] = [[] for _ in net.actors]
    outputs: list[list[tuple[int, int, int]]] = [[] for _ in net.actors]
    experts: list[int | None] = [None] * len(net.streams)  # whose rows come there
    for row in net.inputs:
        if not net.tables[row.need].any():
            continue  # it waits for the inference before, if for any
        inputs[row.actor].append((row.stream, row.need))
        readers[row.stream].append(row.actor)
    for out in net.outputs:
        way = out.path if out.path is None or out.selector not in top else out.path + 1
        sent = way is None or net.paths[way]  # where it passes an expert by, nothing is sent
        transport = (0 if way is None else latency[way]) + (out.cast or 0 if sent else 0)
        if net.actors[out.actor].selector in top:
            experts[out.stream] = net.actors[out.actor].selector
        outputs[out.actor].append((out.stream, out.token, transport))
        missing[out.stream] += 1
    waiting = [len(rows) for rows in inputs]
    order = [actor for actor, count in enumerate(waiting) if count == 0]
    longest = 0
    for actor in order:  # grows while it is read: actors follow once their last input is complete
        start = np.zeros(net.actors[actor].period, dtype=np.int64)
        within = net.actors[actor].selector in top
        rows: dict[int, npt.NDArray[np.int64]] = {}
        for stream, need in inputs[actor]:
            expert, come = None if within else experts[stream], ready[stream][net.tables[need]]
            if expert is not None:
                rows[expert] = np.maximum(rows[expert], come) if expert in rows else come
            else:
                np.maximum(start, come, out=start)
        if rows:  # a token waits for as many of them as it goes to
            enough = min(len(rows), *(top[expert] for expert in rows))
            np.maximum(start, np.sort(list(rows.values()), axis=0)[enough - 1], out=start)
        end = np.maximum.accumulate(start) + latency[net.actors[actor].path + within]
        if net.actors[actor].milestone and (sinks is None or actor in sinks):  # an output of the model
            longest = max(longest, int(end[-1]))
        for stream, token, transport in outputs[actor]:
            tokens = net.tables[token]
            put = tokens >= 0
            ready[stream][tokens[put] + 1] = end[put] + transport
            missing[stream] -= 1
            if missing[stream] == 0:
                np.maximum.accumulate(ready[stream], out=ready[stream])  # tokens come in order
                for reader in readers[stream]:
                    waiting[reader] -= 1
                    if waiting[reader] == 0:
                        order.append(reader)
    return longest
