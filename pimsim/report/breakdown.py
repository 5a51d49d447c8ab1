"""A breakdown for a terminal: tables of 80 columns, the largest rows first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pimsim.analysis.breakdown import Breakdown
from pimsim.analysis.causes import phrase
from pimsim.report.tables import NOT_MODELLED, heading, plain, share, table, to_plain_text
from pimsim.report.terminal import headline
from pimsim.units import format_si, format_time

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Row = dict[str, Any]
WINDOWS = 5  # that are shown at most


def breakdown_text(view: Breakdown, top: int | None = 20) -> str:
    """Return a breakdown as plain text of at most 80 columns; see `breakdown_report`."""
    return to_plain_text(*breakdown_report(view, top))


def breakdown_report(view: Breakdown, top: int | None = 20) -> Iterator[RenderableType]:
    """Yield the pieces of a breakdown, for rich to print.

    Parameters
    ----------
    view : Breakdown
        What to show.
    top : int, optional
        Rows of a table; how many are left out is said. None is all.
    """
    from rich.text import Text

    yield Text(headline(view.result), style="bold")
    yield from {"cause": _causes, "part": _parts, "op": _ops, "tile": _tiles, "phase": _phases}[view.by](
        view, top
    )


def _head(rows: list[Row], top: int | None) -> tuple[list[Row], str]:
    """Return the first rows, and what is left out in words."""
    if top is None or len(rows) <= top:
        return rows, ""
    return rows[:top], f"{len(rows) - top} more rows: --top {len(rows)}, or all of it with --csv or --json"


def _note(text: str) -> Iterator[RenderableType]:
    if text:
        yield plain(text)


def _causes(view: Breakdown, top: int | None) -> Iterator[RenderableType]:
    yield heading("The critical path: of the latency, and of an interval in steady state")
    made = table("cause", "part", "latency", "share", "interval", "share", left=2)
    rows, more = _head(view.rows, top)
    for row in rows:
        cells = (format_time(row["fs"]), share(row["share"]), format_time(row["interval_fs"]))
        made.add_row(row["cause"], plain(row["part"]), *cells, share(row["interval_share"]))
    totals = (sum(row["fs"] for row in view.rows), sum(row["interval_fs"] for row in view.rows))
    made.add_row("all", "", format_time(totals[0]), share(1), format_time(totals[1]), share(1), style="bold")
    yield made
    yield from _note(more)
    yield from _windows(view)


def _windows(view: Breakdown) -> Iterator[RenderableType]:
    """The windows that were waited for longest."""
    rows = [row for row in view.result.windows if row["waited_fs"] >= view.result.latency_fs / 100]
    if not rows:
        return
    yield heading("Windows: less may be under way there than rate times latency")
    made = table("window", "has", "needs", "waited", "set by", gap=1)
    for column in (made.columns[0], made.columns[-1]):
        column.justify, column.no_wrap, column.overflow = "left", False, "fold"
    shown, more = _head(rows, WINDOWS)
    for row in shown:
        made.add_row(
            plain(row["window"]),
            f"{row['size']} {row['what']}",
            str(row["needs"]),
            share(row["waited_fs"] / view.result.latency_fs),
            plain(row["set_by"]),
        )
    yield made
    yield from _note(more)


def _parts(view: Breakdown, top: int | None) -> Iterator[RenderableType]:
    result = view.result
    yield heading("Time, energy and area by part")
    made = table("part", "latency", "interval", "energy", "area", "busiest", "waited", gap=1)
    rows, more = _head(view.rows, top)
    for row in rows:
        made.add_row(
            plain(row["part"]),
            share(row["share"]),
            share(row["interval_share"]),
            _share_of(row["energy_pj"], result.energy_pj["total"]),
            _share_of(row["area_um2"], result.area_um2["total"]),
            "" if row["busiest_share"] is None else share(row["busiest_share"]),
            format_time(row["waited_fs"] / row["visits"]) if row["visits"] else "",
        )
    made.caption = (
        "Latency, interval: share of the critical path. Energy, area: share of what is modelled. Busiest: of its "
        "instances, share of the latency. Waited: mean of a visit."
    )
    made.caption_justify = "left"
    yield made
    yield from _note(more)


def _share_of(value: float | None, total: float) -> str:
    return NOT_MODELLED if value is None else share(value / total) if total else ""


def _ops(view: Breakdown, top: int | None) -> Iterator[RenderableType]:
    yield heading("Time and energy by op")
    made = table("op", "type", "latency", "share", "interval", "energy", "most of it", left=2, gap=1)
    made.columns[-1].justify, made.columns[-1].no_wrap, made.columns[-1].overflow = "left", False, "fold"
    rows, more = _head(view.rows, top)
    for row in rows:
        largest = next(iter(row["causes"]), "")
        made.add_row(
            plain(row["op"]),
            plain(row["type"] or ""),
            format_time(row["fs"]),
            share(row["share"]),
            share(row["interval_share"]),
            format_si(row["energy_pj"] * 1e-12, "J"),
            plain(phrase(*largest.split(" ", 1)) if largest else ""),
        )
    yield made
    yield from _note(more)
    yield heading("What the ops' next firings waited for")
    made = table("op", "working", "starved", "blocked", "mostly by", "in queues for", gap=1)
    for column in made.columns[4:]:
        column.justify, column.no_wrap, column.overflow = "left", False, "fold"
    for row in rows:
        whom = [
            f"{word} {next(iter(row[key]))}"
            for word, key in (("input of", "starved_by"), ("room at", "blocked_by"))
            if row[key]
        ]
        queue = next(iter(row["waited_at"]), "")
        held = next(iter(row["waited_for"]), "")
        made.add_row(
            plain(row["op"]),
            *(share(row[f"{state}_share"]) for state in ("working", "starved", "blocked")),
            plain(", ".join(whom)),
            plain(f"{queue} held by {held}" if queue and held else queue),
        )
    made.caption = (
        "Share of the latency, mean of the op's actors; the rest of it they were done or had not been asked. "
        "Starved: no token. Blocked: no place. Queues: the part waited for longest, and the op that held most of "
        "what was waited for."
    )
    made.caption_justify = "left"
    yield made


def _tiles(view: Breakdown, top: int | None) -> Iterator[RenderableType]:
    yield heading("By tile")
    made = table("tile", "latency", "arrays", "busiest part", "mean", "peak", "buffer", "ops", gap=1)
    made.columns[0].justify = "right"
    for place in (3, 7):
        made.columns[place].justify, made.columns[place].no_wrap = "left", False
        made.columns[place].overflow = "fold"
    rows, more = _head(view.rows, top)
    for row in rows:
        busiest = max(row["busy"], key=lambda part: (row["busy"][part], part))
        ops = row["ops"][:3]
        made.add_row(
            str(row["tile"]),
            share(row["share"]),
            share(row["busy"].get("core.array", 0)),
            plain(f"{busiest} {share(row['busy'][busiest])}"),
            format_si(row["average_mw"] * 1e-3, "W"),
            format_si(row["peak_mw"] * 1e-3, "W"),
            share(row["buffer_peak_bytes"] / row["buffer_bytes"]),
            plain(" ".join(ops) + (f" +{len(row['ops']) - 3}" if len(row["ops"]) > 3 else "")),
        )
    made.caption = (
        "Latency: share of the critical path spent in the tile. Arrays: busy, of all its arrays. Mean, peak: dynamic "
        "power. Buffer: the most that it held."
    )
    made.caption_justify = "left"
    yield made
    yield from _note(more)


def _phases(view: Breakdown, top: int | None) -> Iterator[RenderableType]:
    if not view.result.phases:
        yield plain(
            "A single inference has no phases: a batch fills the pipeline, settles, is steady and drains (--batch)."
        )
        return
    for phase in view.result.phases:
        yield heading(f"{phase['phase']}: {format_time(phase['begin_fs'])} to {format_time(phase['end_fs'])}")
        yield _phase_table([row for row in view.rows if row["phase"] == phase["phase"]], top)


def _phase_table(rows: list[Row], top: int | None) -> Table:
    made = table("cause", "part", "time", "share", left=2)
    shown, _ = _head(rows, top)
    for row in shown:
        made.add_row(row["cause"], plain(row["part"]), format_time(row["fs"]), share(row["share"]))
    if len(rows) > len(shown):
        rest = rows[len(shown) :]
        made.add_row(
            f"{len(rest)} more",
            "",
            format_time(sum(row["fs"] for row in rest)),
            share(sum(row["share"] for row in rest)),
        )
    return made
