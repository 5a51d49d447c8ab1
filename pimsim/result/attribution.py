"""The critical path's time by cause, part and op: of the latency, of each phase of the run, and of an interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.machine.machine import Machine
from pimsim_core.kernel import CAUSES

Rows = list[dict[str, Any]]
GENERATING = ("prompt", "decode")
PHASES = {2: ("fill", "steady"), 3: ("fill", "settle", "steady")}


def rows_of(charges: npt.NDArray[np.int64], machine: Machine) -> Rows:
    """Return charges of shape (causes, parts, ops) as rows of `cause`, `part`, `op`, `fs`, the longest first."""
    rows = [
        {"cause": CAUSES[c], "part": machine.parts[p], "op": machine.ops[o], "fs": int(charges[c, p, o])}
        for c, p, o in zip(*np.nonzero(charges), strict=True)
    ]
    return sorted(rows, key=lambda row: (-row["fs"], row["cause"], row["part"], row["op"]))


def phases_of(machine: Machine) -> list[dict[str, Any]]:
    """Return the phases of a run, with the part of the critical path that lies in each.

    A batch fills the pipeline until its first output, settles until the first half of its outputs has come, and is
    then taken to be steady. A single inference has no phases. A sequence that is generated takes in its prompt, and
    then decodes; of several at once the phases overlap and are not told apart.
    """
    host = machine.host
    if not host.phase_ends:
        return []
    ends = [*host.phase_ends, host.outputs[-1]]
    names = GENERATING if len(machine.programs) > 1 else PHASES[len(ends)]
    charges = machine.engine.charges()
    return [
        {"phase": name, "begin_fs": begin, "end_fs": end, "attribution": rows_of(part, machine)}
        for name, begin, end, part in zip(names, [0, *ends], ends, charges, strict=False)
    ]


def steady_window(outputs: list[int]) -> tuple[int, int]:
    """Return when the steady state began (fs), and how many inferences came out since.

    It is the later half of the inferences; where all of those came at one instant, it is the whole run.
    """
    first = (len(outputs) - 1) // 2
    if outputs[-1] == outputs[first]:
        return 0, len(outputs)
    return outputs[first], len(outputs) - 1 - first


def interval_fs(outputs: list[int]) -> int:
    """Return the time between outputs in steady state, in fs, rounded: the mean over `steady_window`."""
    begin, inferences = steady_window(outputs)
    return round((outputs[-1] - begin) / inferences)


def interval_rows(machine: Machine) -> Rows:
    """Return the attribution of one interval: an equal share of the steady window's part of the critical path."""
    begin, inferences = steady_window(machine.host.outputs)
    charges = machine.engine.charges()
    rows = rows_of(charges[-1] if begin else charges.sum(axis=0), machine)
    return share_out(rows, inferences, interval_fs(machine.host.outputs))


def share_out(rows: Rows, divisor: int, total: int, key: str = "fs") -> Rows:
    """Divide whole numbers so that the parts, whole again, sum to a given total.

    Parameters
    ----------
    rows : list of dict
        Their `key` is divided.
    divisor : int
        By what.
    total : int
        The sum of the rows divided, rounded; what rounding leaves goes to the largest remainders.
    """
    shares = [divmod(row[key], divisor) for row in rows]
    rest = total - sum(whole for whole, _ in shares)
    by_remainder = sorted(range(len(rows)), key=lambda i: (-shares[i][1], i))
    more = set(by_remainder[:rest])
    divided = [{**row, key: shares[i][0] + (i in more)} for i, row in enumerate(rows)]
    return [row for row in divided if row[key]]
