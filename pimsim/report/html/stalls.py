"""Where ops lost their time: working, or waiting for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.report.html import words
from pimsim.report.html.bars import Bit, bars, split
from pimsim.report.html.pieces import Chart, Section, Table
from pimsim.report.html.style import BLUE, GREY, ORANGE, PINK, VIOLET
from pimsim.report.tables import share

if TYPE_CHECKING:
    from pimsim.result.result import Result

OPS = 20

STATES = {
    "working": "as many firings under way as there may be",
    "starved": "the next firing waited for an input",
    "blocked": "the next firing waited for a free place in a buffer that another op empties",
    "denied": "the next firing waited for the host",
    "over": "nothing was left to start",
}
STATE_COLOURS = dict(zip(STATES, (BLUE, ORANGE, PINK, VIOLET, GREY), strict=True))


def stalls(result: Result) -> Section:
    """Return where the ops lost their time, and to whom."""
    critical = {row["op"]: row["critical_fs"] for row in result.ops}
    shown, rest = split(critical, OPS)
    rows = {row["op"]: row for row in result.ops}
    whole = {op: sum(row[f"{state}_fs"] for state in STATES) for op, row in rows.items()}
    present = {
        state: STATE_COLOURS[state] for state in STATES if any(row[f"{state}_fs"] for row in rows.values())
    }
    bits = [
        Bit(
            op,
            state,
            rows[op][f"{state}_fs"] / whole[op],
            {
                "op": op,
                "state": state,
                "share": share(rows[op][f"{state}_fs"] / whole[op]),
                "time of all its actors": words.time(rows[op][f"{state}_fs"]),
                "by": whom(rows[op], state) or "nobody",
            },
        )
        for op in shown
        for state in present
        if rows[op][f"{state}_fs"] and whole[op]
    ]
    cells = [
        [
            op,
            whom(row, "starved"),
            whom(row, "blocked"),
            largest(row["waited_at"], row["waited_fs"]),
            f"{row['actors']:,}",
            *(share(row[f"{state}_fs"] / whole[op]) if whole[op] else "" for state in STATES),
            words.time(row["waited_fs"]),
        ]
        for op, row in rows.items()
    ]
    about = (
        "How the actors (replicas and parts) of an op spent the run: "
        + "; ".join(f"{state}, {STATES[state]}" for state in present)
        + "."
    )
    if rest:
        about += (
            f" The {len(shown)} ops with most of the critical path are shown; the table has all {len(rows)}."
        )
    columns = ["op", "mostly starved by", "mostly blocked by", "mostly queued at", "actors", *STATES]
    table = Table("Working, or waiting for whom", [*columns, "queued in all"], cells, words=4, closed=True)
    spec = bars(bits, words.Scale(1, ""), "share of the run", present, "state", share=True)
    return Section(
        "stalls",
        "Where ops lose time",
        [
            Chart("states", "Working, or waiting for whom", about, spec, table, wide=True),
        ],
    )


def whom(row: dict[str, Any], state: str) -> str:
    """Name up to three ops that an op waited for."""
    return largest(row.get(f"{state}_by", {}), row[f"{state}_fs"]) if state in ("starved", "blocked") else ""


def largest(sums: dict[str, int], total: int) -> str:
    """Name the up to three largest, with their shares."""
    first = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:3]
    return ", ".join(f"{name} ({share(value / total)})" for name, value in first if total)
