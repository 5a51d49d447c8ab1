"""What came out: the figures of a run, what bounds it, and what is not modelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pimsim.report.figures import figures, interval_bounds, latency_bounds, times_of
from pimsim.report.html import words
from pimsim.report.html.pieces import Figure, Figures, Piece, Points, Section, Table, Text
from pimsim.result.precision import precision_text
from pimsim.result.warnings import bound_text, warned

if TYPE_CHECKING:
    from pimsim.result.result import Result


def summary(result: Result) -> Section:
    """Return the summary of a run."""
    found = [
        Figure(name, words.nice(value), words.nice(note))
        for group in figures(result)
        for name, value, note in group
    ]
    pieces: list[Piece] = [Text(made_of(result))]
    pieces += [Text(f"Warning: {text}") for text in warned(result.data)]
    pieces += [Figures(found), bounds(result)]
    if "prediction" in result.data:
        pieces.append(interval(result))
    missing = unmodelled(result)
    if missing:
        pieces += [Text("What is not modelled, or does not follow from the parts:"), Points(missing)]
    return Section("summary", "Summary", pieces)


def made_of(result: Result) -> str:
    """Say what was run on what."""
    how = "chosen automatically" if result.chips_requested is None else "as asked for"
    approximate = " The network is simulated by packet: approximate." if result.network["approximate"] else ""
    runs = "1 inference" if result.batch == 1 else f"a batch of {result.batch:,} inferences"
    bound = bound_text(result.trace)
    runs += f" with {bound}" if bound else ""
    return (
        f"{result.model} on {result.chip}: {runs}, {precision_text(result.weight_widths, result.input_widths)}, "
        f"{words.count(result.chips, 'chip')} ({how}), {result.macs:,} multiply-accumulates (MACs). "
        f"1 TOPS is 10¹² operations a second, and 1 MAC is 2 operations.{approximate}"
    )


def bounds(result: Result) -> Table:
    """Return the lower bounds of the latency."""
    latency = result.latency_fs
    rows = [
        [name, about, words.time(bound), f"{latency / bound:.4g} times it" if bound else "no bound"]
        for name, bound, about in latency_bounds(result)
    ]
    return Table(
        "Lower bounds: no run can be faster", ["bound", "why", "at least", "the latency is"], rows, words=2
    )


def interval(result: Result) -> Table:
    """Return how far the interval is from what its plan allows, and what the chip allows any plan."""
    rows = [
        [name, note, words.time(bound), times_of(result, bound)]
        for name, bound, note in interval_bounds(result)
    ]
    title = "The interval beside what its plan allows, and what the chip does"
    return Table(title, ["bound", "why", "allows", "the interval is"], rows, words=2)


def unmodelled(result: Result) -> list[str]:
    """Say what the figures leave out."""
    found = []
    for what, key in (("Energy", "energy_pj"), ("Area", "area_um2")):
        missing = result[key]["not_modelled"]
        if not result[key]["by_part"]:
            found.append(f"{what} is not modelled for any part of this chip.")
        elif missing:
            found.append(f"{what} is not modelled for {', '.join(missing)}: the sum does not hold it.")
    return [*found, *result.notes]
