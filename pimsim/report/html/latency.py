"""Where the time went along the critical path: by part, by op, in the phases of a batch."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pimsim.analysis.causes import MEANINGS
from pimsim.report.html import words
from pimsim.report.html.bars import Bit, bars, split
from pimsim.report.html.pieces import Chart, Piece, Section, Table, Text
from pimsim.report.html.style import BLUE, CAUSES, GREY, ORANGE, PINK, VIOLET
from pimsim.report.tables import share

if TYPE_CHECKING:
    from pimsim.result.result import Result

Rows = list[dict[str, Any]]
PARTS, OPS = 12, 20


def latency(result: Result) -> Section:
    """Return where the latency and the interval went."""
    whole, between = result.latency_fs, result.interval_fs
    pieces: list[Piece] = [
        Text(
            f"Every femtosecond of the latency ({words.time(whole)}) is charged to what the critical path waited for, "
            "and the same for the interval between two outputs in steady state "
            f"({words.time(between)}). The causes are: "
            + "; ".join(f"{cause}, {MEANINGS.get(cause, cause)}" for cause in causes_of(result))
            + "."
        )
    ]
    for key, limit in (("part", PARTS), ("op", OPS)):
        for name, rows, total in (
            ("latency", result.attribution, whole),
            ("interval", result.interval_attribution, between),
        ):
            title = f"{name.capitalize()} by {key}"
            pieces.append(attribution(f"{name}-{key}", title, rows, total, key, limit))
    if result.phases:
        pieces.append(phases(result))
    return Section("latency", "Where the time went", pieces)


def causes_of(result: Result) -> list[str]:
    """Return the causes in a result, in the order of their colours."""
    rows = [*result.attribution, *result.interval_attribution]
    return list(colours({row["cause"] for row in rows}))


def colours(causes: set[str]) -> dict[str, str]:
    """Return the colours of causes, the same in every chart."""
    return {cause: CAUSES.get(cause, GREY) for cause in [*CAUSES, *sorted(causes - set(CAUSES))] if cause in causes}


def attribution(name: str, title: str, rows: Rows, total: int, key: str, limit: int) -> Chart:
    """Return a chart of an attribution by part or by op, each bar cut by cause."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        sums[row[key]][row["cause"]] += row["fs"]
    shown, rest = split({name: sum(bits.values()) for name, bits in sums.items()}, limit)
    if rest:
        others = f"{len(rest)} other {key}s"
        for each in rest:
            for cause, fs in sums[each].items():
                sums[others][cause] += fs
        shown.append(others)
    order = colours({row["cause"] for row in rows})
    bits = [
        Bit(each, cause, fs, {key: each, "cause": cause, "time": words.time(fs), "share": share(fs / total)})
        for each in shown
        for cause in order
        if (fs := sums[each].get(cause, 0))
    ]
    longest = max((sum(sums[each].values()) for each in shown), default=0)
    cells = [
        [each, cause, words.time(fs), f"{fs:,} fs", share(fs / total)]
        for each in sorted(sums, key=lambda each: (-sum(sums[each].values()), each))
        if not rest or each != others
        for cause, fs in sorted(sums[each].items(), key=lambda item: (-item[1], item[0]))
    ]
    about = f"A bar is the time on the critical path of {'a part' if key == 'part' else 'an op'}, cut by cause."
    if rest:
        about += f" The {limit} longest are shown one by one; the last bar sums up the rest."
    return Chart(
        name,
        title,
        about,
        bars(bits, words.time_scale(longest), "time on the critical path", order, "cause"),
        Table(title, [key, "cause", "time", "exactly", "share"], cells, words=2, closed=True),
    )


def phases(result: Result) -> Chart:
    """Return a chart of the phases of a batch, each bar cut by cause."""
    order = colours({row["cause"] for phase in result.phases for row in phase["attribution"]})
    bits, cells = [], []
    for phase in result.phases:
        sums: dict[str, int] = defaultdict(int)
        for row in phase["attribution"]:
            sums[row["cause"]] += row["fs"]
        total = sum(sums.values())
        for cause in order:
            if fs := sums.get(cause, 0):
                about = {"phase": phase["phase"], "cause": cause, "time": words.time(fs), "share": share(fs / total)}
                bits.append(Bit(phase["phase"], cause, fs, about))
                span = f"{words.time(phase['begin_fs'])} to {words.time(phase['end_fs'])}"
                cells.append([phase["phase"], cause, span, words.time(fs), share(fs / total)])
    longest = max(phase["end_fs"] - phase["begin_fs"] for phase in result.phases)
    return Chart(
        "phases",
        "Phases of the batch",
        "The pipeline fills until the first output, settles until half of the outputs have come, and is then taken to be "
        "steady. A bar is the part of the critical path in a phase, cut by cause.",
        bars(bits, words.time_scale(longest), "time on the critical path", order, "cause"),
        Table("Phases of the batch", ["phase", "cause", "from, to", "time", "share of the phase"], cells, 3, closed=True),
    )


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
    present = {state: STATE_COLOURS[state] for state in STATES if any(row[f"{state}_fs"] for row in rows.values())}
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
            f"{row['actors']:,}",
            *(share(row[f"{state}_fs"] / whole[op]) if whole[op] else "" for state in STATES),
            whom(row, "starved"),
            whom(row, "blocked"),
            words.time(row["waited_fs"]),
            largest(row["waited_at"], row["waited_fs"]),
        ]
        for op, row in rows.items()
    ]
    about = (
        "How the actors (replicas and parts) of an op spent the run: "
        + "; ".join(f"{state}, {STATES[state]}" for state in present)
        + "."
    )
    if rest:
        about += f" The {len(shown)} ops with most of the critical path are shown; the table has all {len(rows)}."
    columns = ["op", "actors", *STATES, "mostly starved by", "mostly blocked by", "queued in all", "mostly at"]
    return Section(
        "stalls",
        "Where ops lose time",
        [
            Chart(
                "states",
                "Working, or waiting for whom",
                about,
                bars(bits, words.Scale(1, ""), "share of the run", present, "state", share=True),
                Table("Working, or waiting for whom", columns, cells, closed=True),
                wide=True,
            )
        ],
    )


def whom(row: dict[str, Any], state: str) -> str:
    """Name up to three ops that an op waited for."""
    return largest(row.get(f"{state}_by", {}), row[f"{state}_fs"]) if state in ("starved", "blocked") else ""


def largest(sums: dict[str, int], total: int) -> str:
    """Name the up to three largest, with their shares."""
    first = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:3]
    return ", ".join(f"{name} ({share(value / total)})" for name, value in first if total)
