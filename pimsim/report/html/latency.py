"""Where the time went along the critical path: by part, by op, in the phases of a batch."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pimsim.analysis.causes import MEANINGS
from pimsim.report.html import words
from pimsim.report.html.bars import Bit, bars, split
from pimsim.report.html.pieces import Chart, Piece, Section, Table, Text
from pimsim.report.html.style import CAUSES, GREY
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
    return {
        cause: CAUSES.get(cause, GREY)
        for cause in [*CAUSES, *sorted(causes - set(CAUSES))]
        if cause in causes
    }


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
    about = (
        f"A bar is the time on the critical path of {'a part' if key == 'part' else 'an op'}, cut by cause."
    )
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
                about = {
                    "phase": phase["phase"],
                    "cause": cause,
                    "time": words.time(fs),
                    "share": share(fs / total),
                }
                bits.append(Bit(phase["phase"], cause, fs, about))
                span = f"{words.time(phase['begin_fs'])} to {words.time(phase['end_fs'])}"
                cells.append([phase["phase"], cause, span, words.time(fs), share(fs / total)])
    longest = max(phase["end_fs"] - phase["begin_fs"] for phase in result.phases)
    return Chart(
        "phases",
        "Phases of the batch",
        "The pipeline fills until the first output, settles, is steady while the interval is measured, and drains "
        "when nothing is left to send. A bar is the part of the critical path in a phase, cut by cause.",
        bars(bits, words.time_scale(longest), "time on the critical path", order, "cause"),
        Table(
            "Phases of the batch",
            ["phase", "cause", "from, to", "time", "share of the phase"],
            cells,
            3,
            closed=True,
        ),
    )
