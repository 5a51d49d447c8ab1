"""The critical path's time by cause, part and op: of the latency, of each phase of the run, and of an interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.machine.machine import Machine
from pimsim.result.interval import Interval
from pimsim_core.kernel import CAUSES

Rows = list[dict[str, Any]]


def rows_of(charges: npt.NDArray[np.int64], machine: Machine) -> Rows:
    """Return charges of shape (causes, parts, ops) as rows of `cause`, `part`, `op`, `fs`, the longest first."""
    rows = [
        {"cause": CAUSES[c], "part": machine.parts[p], "op": machine.ops[o], "fs": int(charges[c, p, o])}
        for c, p, o in zip(*np.nonzero(charges), strict=True)
    ]
    return sorted(rows, key=lambda row: (-row["fs"], row["cause"], row["part"], row["op"]))


def phases_of(machine: Machine, steady: Interval | None) -> list[dict[str, Any]]:
    """Return the phases of a run, with the part of the critical path that lies in each.

    A batch fills the pipeline until its first output, settles until the outputs that its interval is measured between
    begin, is steady up to the last of them, and then drains; without any, it drains from the first output on. A single
    inference has no phases. A sequence that is generated takes in its prompt, and then decodes; of several at once the
    phases overlap and are not told apart.
    """
    host = machine.host
    if not host.phase_ends:
        return []
    charges, count = machine.engine.charges(), len(host.phase_ends)
    if len(machine.programs) > 1:
        names, firsts = ["prompt", "decode"], [0, 1]
    elif steady is None or steady.begin is None or steady.end is None:
        names, firsts = ["fill", "drain"], [0, 1]
    else:
        names = ["fill", "settle", "steady", "drain"]
        firsts = [0, 1, steady.begin.phase, steady.end.phase]
    ends = [0, *host.phase_ends, host.outputs[-1]]
    found = []
    for name, first, last in zip(names, firsts, [*firsts[1:], count + 1], strict=True):
        if ends[first] < ends[last]:
            part = charges[first:last].sum(axis=0)
            found.append(
                {
                    "phase": name,
                    "begin_fs": ends[first],
                    "end_fs": ends[last],
                    "attribution": rows_of(part, machine),
                }
            )
    return found


def interval_rows(machine: Machine, steady: Interval) -> Rows:
    """Return the attribution of one interval: its window's part of the critical path, or all, brought to scale."""
    charges = machine.engine.charges()
    if steady.begin is not None and steady.end is not None:
        charges = charges[steady.begin.phase : steady.end.phase]
    return scaled(rows_of(charges.sum(axis=0), machine), steady.fs)


def scaled(rows: Rows, total: int, key: str = "fs") -> Rows:
    """Bring whole numbers to scale so that they sum to a given total.

    Parameters
    ----------
    rows : list of dict
        Their `key` is scaled.
    total : int
        What it is to sum to; what rounding leaves goes to the largest remainders.
    """
    whole = sum(row[key] for row in rows)
    if whole == 0:
        return []
    shares = [divmod(row[key] * total, whole) for row in rows]
    rest = total - sum(each for each, _ in shares)
    by_remainder = sorted(range(len(rows)), key=lambda i: (-shares[i][1], i))
    more = set(by_remainder[:rest])
    found = [{**row, key: shares[i][0] + (i in more)} for i, row in enumerate(rows)]
    return [row for row in found if row[key]]
