"""Where the time of the data buses went: bursts, and before each burst what it waited for, to the cycle.

A column command takes its data bus for a burst. What lies between one and the next is cut, from its beginning on, at
what held the next one up: nothing was asked for; its banks were refreshed; its bank's row was closed; its activate came
late; its row was opened; the bus turned around. The pieces sum to the time exactly.
"""

from __future__ import annotations

import numpy as np

from pimsim.dram.channel import Served
from pimsim.dram.requests import Ints
from pimsim.dram.schema import Standard
from pimsim.dram.tables import bank_paths, rows_of

CAUSES = {
    "data": "bursts",
    "no_request": "nothing waited",
    "refresh": "its banks were refreshed",
    "precharge": "another row was open: until it may close, and tRP",
    "activate_spacing": "activates too close: tRRD, tFAW, the command bus",
    "activate": "its row was opened: tRCD",
    "turnaround": "the bus turned between reads and writes",
    "bank_group": "columns of a bank group too close: tCCD_L",
    "other": "another request waited for its row, or a command took the bus",
    "latency": "the last column's data was on its way",
}
LONG_AGO = -(2**60)


def bus_cycles(served: Served) -> dict[str, int]:
    """Return the cycles of all data buses by cause; they sum to buses times cycles.

    Parameters
    ----------
    served : Served
        A run that kept its commands.
    """
    standard, found = served.standard, dict.fromkeys(CAUSES, 0)
    depth = standard.nest.index(standard.data.level)
    bus_of = bank_paths(standard)[:, depth]
    columns = np.flatnonzero(served.issued >= 0)
    columns = columns[np.argsort(served.issued[columns], kind="stable")]
    marks = _marks(served, columns)
    buses = bus_of[served.requests.bank[columns]]
    for bus in range(standard.buses):
        mine = buses == bus
        _add_bus(found, served, columns[mine], {name: each[mine] for name, each in marks.items()})
    return found


def _add_bus(found: dict[str, int], served: Served, columns: Ints, marks: dict[str, Ints]) -> None:
    """Add the cycles of one bus."""
    if not len(columns):
        found["no_request"] += served.cycles
        return
    burst, issued, write = (
        served.standard.cycles["nBL"],
        served.issued[columns],
        served.requests.write[columns],
    )
    ends = np.minimum(issued + burst, np.append(issued[1:], issued[-1] + burst))
    found["data"] += int((ends - issued).sum())
    found["latency"] += served.cycles - int(ends[-1])
    begin = np.concatenate([[0], ends[:-1]])
    turned = np.concatenate([[False], write[1:] != write[:-1]])
    group = marks.pop("group")
    beside = np.concatenate([[False], group[1:] == group[:-1]]) & ~turned
    waiting = np.minimum.accumulate(served.accepted[columns][::-1])[::-1]  # since when anything has waited
    accepted = served.accepted[columns]
    # What a request that came early enough has of tRCD is hidden: its activate, not its column, is what came late.
    hidden = np.clip(begin - accepted, 0, marks["opened"] - marks["activated"])
    cuts = [
        ("no_request", waiting),
        ("other", accepted),
        ("refresh", marks["refreshed"] + hidden),
        ("precharge", marks["closed"] + hidden),
        ("activate_spacing", marks["activated"] + hidden),
        ("activate", marks["opened"]),
        ("turnaround", np.where(turned, issued, LONG_AGO)),
        ("bank_group", np.where(beside, issued, LONG_AGO)),
        ("other", issued),
    ]
    for name, cut in cuts:
        until = np.clip(cut, begin, issued)
        found[name] += int((until - begin).sum())
        begin = until


def _marks(served: Served, columns: Ints) -> dict[str, Ints]:
    """Return for each column when its bank was refreshed, closed and opened last, and its bank group."""
    standard, log = served.standard, served.log
    names, bank = list(standard.commands), served.requests.bank[columns]
    nest, paths = standard.nest, bank_paths(standard)
    issued, write = served.issued[columns], served.requests.write[columns]
    marks = {name: np.full(len(columns), LONG_AGO) for name in ("refreshed", "closed", "activated", "opened")}
    marks["group"] = paths[bank, max(0, len(nest) - 2)]
    rcd = {way: between(standard, "activate", way) for way in ("read", "write")}
    does = np.array([command.does for command in standard.commands.values()])
    closes = np.array(
        [command.leaves == "closed" and command.does != "refresh" for command in standard.commands.values()]
    )
    recovery = {name: after(standard, name) for name in names}
    for each in np.unique(bank):
        mine = np.flatnonzero(bank == each)
        activates = log[(does[log[:, 1]] == "activate") & (log[:, 2] == each), 0]
        opened = _last(activates, issued[mine])
        marks["activated"][mine] = opened
        marks["opened"][mine] = opened + np.where(write[mine], rcd["write"], rcd["read"])
        for kind, mask in (("closed", closes), ("refreshed", does == "refresh")):
            for number in np.flatnonzero(mask):
                level = nest.index(standard.commands[names[number]].level)
                there = paths[log[:, 2], level] == paths[each, level]
                times = log[there & (log[:, 1] == number), 0]
                found = _last(times, opened) + recovery[names[number]]
                marks[kind][mine] = np.maximum(marks[kind][mine], np.minimum(found, opened))
    return marks


def _last(times: Ints, before: Ints) -> Ints:
    """Return the last of some times that lies before each of others; long ago if there is none."""
    return np.concatenate([[LONG_AGO], times])[np.searchsorted(times, before)]


def between(standard: Standard, does: str, then: str) -> int:
    """Return the most cycles from one action to another of the same bank."""
    kinds = [command.does for command in standard.commands.values()]
    return max(
        (row.cycles for row in rows_of(standard) if (kinds[row.before], kinds[row.after]) == (does, then)),
        default=0,
    )


def after(standard: Standard, name: str) -> int:
    """Return the most cycles from a command to an activate of the same bank."""
    number = list(standard.commands).index(name)
    kinds = [command.does for command in standard.commands.values()]
    rows = [row for row in rows_of(standard) if row.before == number and kinds[row.after] == "activate"]
    return max((row.cycles for row in rows if not row.others), default=0)
