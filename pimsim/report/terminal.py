"""The report of a run for a terminal: what came out, what bounds it, where time and energy went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pimsim.analysis.causes import MEANINGS
from pimsim.report.controllers import controllers_table
from pimsim.report.figures import figures, interval_bounds, latency_bounds, times_of
from pimsim.report.memories import memories_table
from pimsim.report.tables import NOT_MODELLED, heading, plain, printable, share, table, to_plain_text
from pimsim.result.precision import precision_text
from pimsim.result.warnings import bound_text, warned
from pimsim.units import format_si, format_time

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from pimsim.result.result import Result

TOP = 10
LINKS = 5


def to_text(result: Result, top: int = TOP, verbose: bool = False) -> str:
    """Return the report as plain text of at most 80 columns; see `report`."""
    return to_plain_text(*report(result, top, verbose))


def report(result: Result, top: int = TOP, verbose: bool = False) -> Iterator[RenderableType]:
    """Yield the pieces of the report, for rich to print.

    Parameters
    ----------
    result : Result
        What to report.
    top : int
        Rows of the tables of ops and of causes by part; the rest is summed up in one row.
    verbose : bool
        All rows, how busy each kind of part was, and what the run was made of.
    """
    from rich.text import Text

    yield Text(headline(result), style="bold")
    yield from warnings(result)
    yield figures_table(result)
    yield heading("Lower bounds: no run can be faster")
    yield bounds_table(result)
    if "prediction" in result.data:
        yield heading("The interval beside what its plan allows, and what the chip does")
        yield interval_table(result)
    yield heading("Where the latency went: by cause and part, along the critical path")
    yield causes_table(result, None if verbose else top)
    yield plain(closure(result))
    if any(row["critical_fs"] for row in result.network["links"]):
        yield heading("Congestion by link, along the critical path")
        yield links_table(result, None if verbose else LINKS)
    yield heading("Where the latency went: by op")
    yield ops_table(result, None if verbose else top)
    if "controllers" in result.data:
        yield heading("Controllers")
        yield controllers_table(result)
    if "memories" in result.data:
        yield heading("Memories, command by command: GB/s over the run, of the peak, and what was lost")
        yield memories_table(result)
    yield heading("Energy of the run by part")
    yield energy_table(result)
    yield heading("Area by part")
    yield area_table(result)
    if verbose:
        yield heading("How busy the parts were")
        yield resources_table(result)
        yield heading("What it was made of")
        yield origin_table(result)
        yield heading("What is not modelled, or does not follow from the parts")
        for note in result.notes:
            yield plain(f"- {note}")


def headline(result: Result) -> str:
    """Say in two lines what was run on what."""
    how = "chosen automatically" if result.chips_requested is None else "as asked for"
    chips = "1 chip" if result.chips == 1 else f"{result.chips} chips"
    inferences = "1 inference" if result.batch == 1 else f"batch of {result.batch}"
    if "generation" in result.data:
        inferences = "1 request" if result.batch == 1 else f"{result.batch} requests"
    rounds = 1 + max((row["round"] for row in result.plan), default=0)
    turns = f"weights written anew in {rounds} rounds of each inference\n" if rounds > 1 else ""
    network = "" if not result.network["approximate"] else "network by packet: approximate\n"
    bits = precision_text(result.weight_widths, result.input_widths)
    bound = bound_text(result.trace)
    symbols = f"with {printable(bound)}\n" if bound else ""
    return (
        f"{printable(result.model)} on {printable(result.chip)}\n"
        f"{inferences}, {bits}, {chips} ({how})\n{symbols}{turns}{network}"
    )


def warnings(*results: Result, labels: Sequence[str] = ("",)) -> Iterator[RenderableType]:
    """Yield what must be known before the figures of results, with what each is called where there are several."""
    for result, label in zip(results, labels, strict=True):
        for text in warned(result.data):
            yield plain(f"warning: {label + ': ' if label else ''}{text}")


# -- figures -------------------------------------------------------------------------------------------------


def figures_table(result: Result) -> Table:
    """Return the figures of the run, each with its unit and with what it means."""
    made = table("", "", "")
    made.show_header = False
    made.columns[2].justify, made.columns[2].no_wrap = "left", False
    for group in figures(result):
        if made.rows:
            made.add_row()
        for name, value, note in group:
            made.add_row(name, value, note)
    return made


# -- bounds --------------------------------------------------------------------------------------------------


def bounds_table(result: Result) -> Table:
    """Return the lower bounds and how far the run is from them."""
    latency = result.latency_fs
    made = table("", "at least", "latency is", "")
    made.columns[-1].justify, made.columns[-1].no_wrap = "left", False
    for name, bound, note in latency_bounds(result):
        made.add_row(
            name, format_time(bound), f"{latency / bound:.4g} times it" if bound else "", plain(note)
        )
    return made


def interval_table(result: Result) -> Table:
    """Return the predicted interval and the chip's bound, and how far the run is from them."""
    made = table("", "allows", "interval is", "")
    made.columns[-1].justify, made.columns[-1].no_wrap = "left", False
    for name, bound, note in interval_bounds(result):
        made.add_row(name, format_time(bound), times_of(result, bound), plain(note))
    return made


# -- the latency ---------------------------------------------------------------------------------------------


def causes_table(result: Result, top: int | None = TOP) -> Table:
    """Return the attribution by cause, and under each cause by part."""
    made = table("cause and part", "time", "fs", "share")
    causes: dict[str, int] = defaultdict(int)
    parts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in result.attribution:
        causes[row["cause"]] += row["fs"]
        parts[row["cause"]][row["part"]] += row["fs"]
    for cause, total in _longest(causes):
        name = f"{cause}: {MEANINGS[cause]}" if cause in MEANINGS else cause
        made.add_row(name, *_time_cells(total, result.latency_fs), style="bold")
        for part, fs in _head(_longest(parts[cause]), top, "other parts"):
            made.add_row(plain(f"  {part}"), *_time_cells(fs, result.latency_fs))
    return made


def closure(result: Result) -> str:
    """Say that the attribution sums to the latency, having summed it."""
    total = sum(row["fs"] for row in result.attribution)
    if total != result.latency_fs:
        return f"The causes sum to {total:,} fs; the latency is {result.latency_fs:,} fs: this is a bug."
    return f"The causes sum to {total:,} fs, exactly the latency."


def links_table(result: Result, top: int | None = LINKS) -> Table:
    """Return the links that the critical path waited for, and how busy each was."""
    made = table("link", "waited", "fs", "share", "in use")
    rows = sorted(
        (row for row in result.network["links"] if row["critical_fs"]), key=lambda row: -row["critical_fs"]
    )
    count = len(rows) if top is None or len(rows) <= top + 1 else top
    for row in rows[:count]:
        name = f"chip{row['chip']}.{row['from']}-{row['to']}"
        cells = _time_cells(row["critical_fs"], result.latency_fs)
        made.add_row(plain(name), *cells, share(row["utilisation"]))
    if rows[count:]:
        rest = sum(row["critical_fs"] for row in rows[count:])
        made.add_row(f"{len(rows) - count} other links", *_time_cells(rest, result.latency_fs), "")
    return made


def ops_table(result: Result, top: int | None = TOP) -> Table:
    """Return the attribution by op, the longest first, and what took most of each."""
    made = table("op", "type", "time", "fs", "share", "most of it", left=2, gap=1)
    made.columns[-1].justify, made.columns[-1].no_wrap = "left", False
    made.columns[-1].overflow = "fold"
    types = {row["op"]: row["type"] for row in result.plan}
    ops: dict[str, int] = defaultdict(int)
    largest: dict[str, tuple[int, str]] = {}
    for row in result.attribution:
        ops[row["op"]] += row["fs"]
        found = (row["fs"], f"{row['cause']}, {row['part']}")
        largest[row["op"]] = max(largest.get(row["op"], found), found)
    for op, fs in _head(_longest(ops), top, "other ops"):
        note = largest.get(op, (0, ""))[1]
        made.add_row(plain(op), plain(types.get(op, "")), *_time_cells(fs, result.latency_fs), plain(note))
    return made


def _longest(sums: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))


def _head(rows: list[tuple[str, int]], top: int | None, others: str) -> Iterator[tuple[str, int]]:
    """Yield the first rows, and the sum of the rest as one."""
    count = len(rows) if top is None or len(rows) <= top + 1 else top  # a rest of one is shown as itself
    yield from rows[:count]
    if rows[count:]:
        yield f"{len(rows) - count} {others}", sum(fs for _, fs in rows[count:])


def _time_cells(fs: int, latency_fs: int) -> tuple[str, str, str]:
    return format_time(fs), f"{fs:,}", share(fs / latency_fs)


# -- energy, area, parts -------------------------------------------------------------------------------------


def energy_table(result: Result) -> Table:
    """Return the energy of the run by part, dynamic and static."""
    made = table("part", "dynamic", "static", "total", "share")
    total = result.energy_pj["total"]
    for row in result.rows("energy"):
        cells = [_or_not(row[f"{kind}_pj"], 1e-12, "J") for kind in ("dynamic", "static", "total")]
        made.add_row(plain(row["part"]), *cells, share(row["total_pj"] / total) if row["total_pj"] else "")
    energy = result.energy_pj
    made.add_row(
        "all that is modelled",
        *(
            _or_not(sum(energy[kind].values()) if energy[kind] else None, 1e-12, "J")
            for kind in ("dynamic", "static")
        ),
        _or_not(total if energy["by_part"] else None, 1e-12, "J"),
        share(1) if total else "",
        style="bold",
    )
    return made


def area_table(result: Result) -> Table:
    """Return the area of all chips by part."""
    made = table("part", "mm2", "share")
    area = result.area_um2
    rows = sorted(result.rows("area"), key=lambda row: -(row["area_um2"] or 0))
    total = (area["total"] if area["by_part"] else None, "all that is modelled")
    for size, name, style in [*((row["area_um2"], row["part"], "") for row in rows), (*total, "bold")]:
        cells = (
            (NOT_MODELLED, "") if size is None else (f"{size * 1e-6:.4g}", share(size / (area["total"] or 1)))
        )
        made.add_row(plain(name), *cells, style=style)
    return made


def _or_not(value: float | None, scale: float, unit: str) -> str:
    return NOT_MODELLED if value is None else format_si(value * scale, unit)


def resources_table(result: Result) -> Table:
    """Return visits, waiting and the busiest instance of each kind of part."""
    made = table("part", "in use", "visits", "waited", "busiest", "busy")
    made.columns[4].justify, made.columns[4].no_wrap = "left", False
    made.columns[4].overflow = "fold"
    for row in sorted(result.rows("resources"), key=lambda row: -row["busiest_fs"]):
        made.add_row(
            plain(row["part"]),
            str(row["instances"]),
            str(row["visits"]),
            format_time(row["waited_fs"] / row["visits"]) if row["visits"] else "",
            plain(row["busiest"]),
            share(row["busiest_fs"] / result.latency_fs),
        )
    made.caption = "In use: instances. Waited: mean of a visit. Busy: the busiest instance, of the latency."
    made.caption_justify = "left"
    return made


def origin_table(result: Result) -> Table:
    """Return what the run was made of: version, digests, source of the trace, work of the engine."""
    made = table("", "")
    made.show_header = False
    made.columns[1].justify, made.columns[1].no_wrap, made.columns[1].overflow = "left", False, "fold"
    identity, engine = result.identity, result.engine
    rows: Iterable[tuple[str, str]] = (
        ("version", f"pimsim {identity['pimsim']}, {result.schema}"),
        ("identity", identity["digest"]),
        ("chip", f"{result.chip}: {result.config['description']}"),
        ("trace", f"{result.trace['ops']} ops from {result.trace['source'].get('file', 'unknown')}"),
        ("MACs", f"{result.macs:,}"),
        (
            "engine",
            f"{engine['firings']:,} firings, {engine['packets']:,} packets, {engine['events']:,} events, "
            f"{engine.get('simpy_events', 0):,} of SimPy",
        ),
    )
    for name, value in rows:
        made.add_row(name, plain(value))
    return made
