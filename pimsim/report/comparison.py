"""A comparison for a terminal: what matters, side by side, and what each difference is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pimsim.analysis.causes import phrase
from pimsim.analysis.compare import Comparison, Difference, Pair
from pimsim.analysis.sums import sum_by
from pimsim.report.controllers import named, written
from pimsim.report.tables import NOT_MODELLED, heading, plain, printable, share, table, to_plain_text
from pimsim.report.terminal import warnings
from pimsim.result.energy import AJ_PER_PJ
from pimsim.units import format_si, format_time

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

TOP = 8


def comparison_text(comparison: Comparison, top: int = TOP) -> str:
    """Return a comparison as plain text of at most 80 columns; see `comparison_report`."""
    return to_plain_text(*comparison_report(comparison, top))


def comparison_report(comparison: Comparison, top: int = TOP) -> Iterator[RenderableType]:
    """Yield the pieces of a comparison, for rich to print.

    Parameters
    ----------
    comparison : Comparison
        What to show.
    top : int
        Rows of each table of movers; the rest is summed up in one.
    """
    from rich.text import Text

    first = comparison.results[0]
    yield Text(f"{printable(first.model)}: {printable(' against '.join(comparison.labels))}", style="bold")
    yield from warnings(*comparison.results, labels=comparison.labels)
    for pair in comparison.pairs:
        yield plain(pair.sentence)
    for line in comparison.notes:
        yield plain(f"note: {line}")
    if any(result.network["approximate"] for result in comparison.results):
        yield plain(
            "note: runs by packet are approximate; by flit they may differ (docs/network-fidelity.md)."
        )
    yield heading("Side by side")
    yield from figures_tables(comparison)
    if comparison.controllers:
        yield heading("What controllers did otherwise")
        yield controllers_table(comparison)
    for pair in comparison.pairs:
        yield from _pair(pair, top)


def figures_tables(comparison: Comparison) -> Iterator[Table]:
    """Yield the figures of the runs side by side, four runs a table."""
    for first in range(0, len(comparison.labels), 4):
        labels = comparison.labels[first : first + 4]
        columns = [printable(text) for name in labels for text in (name, "")]
        made = table("", *columns, gap=1)
        for row in comparison.figures:
            cells = []
            for value, relative in zip(
                row["values"][first : first + 4], row["relative"][first : first + 4], strict=True
            ):
                cells += [show(value, row["unit"]), "" if relative is None else f"{relative:.3g}x"]
            made.add_row(row["name"], *cells)
        yield made


def controllers_table(comparison: Comparison) -> Table:
    """Return the figures of controllers that differ, a column a run."""
    made = table("", *map(printable, comparison.labels))
    for row in comparison.controllers:
        name = f"{row['controller']} of {row['where']}: {named(row['figure'])}"
        made.add_row(plain(name), *(plain(written(row["figure"], value)) for value in row["values"]))
    return made


def show(value: float | None, unit: str) -> str:
    """Write a figure with its unit; None is not modelled."""
    if value is None:
        return NOT_MODELLED
    if unit == "fs":
        return format_time(value)
    if unit == "pJ":
        return format_si(value * 1e-12, "J")
    if unit == "pJ fs":
        return format_si(value * 1e-27, "Js")
    if unit == "um2":
        return f"{value * 1e-6:.4g} mm2"
    if unit == "" and isinstance(value, float):
        return share(value)
    return f"{value:.4g} {unit}".rstrip()


def _pair(pair: Pair, top: int) -> Iterator[RenderableType]:
    a, b = printable(pair.a), printable(pair.b)
    for name, difference in (("latency", pair.latency), ("interval", pair.interval)):
        yield heading(f"{name}: {b} - {a} = {_signed(difference.difference, 'fs')}, by cause and part")
        yield movers_table(difference, ("cause", "part"), top)
    yield heading(f"latency: {b} - {a}, by op")
    yield movers_table(pair.latency, ("op",), top)
    yield heading(f"energy: {b} - {a} = {_signed(pair.energy.difference, 'aj')}, by part")
    yield movers_table(pair.energy, ("part", "kind"), top)
    yield heading(f"Where {a} and {b} differ")
    yield configuration_table(pair, top)


def movers_table(difference: Difference, keys: tuple[str, ...], top: int) -> Table:
    """Return the largest contributions to a difference; they and the rest sum to it exactly."""
    sums = sum_by(difference.contributions, keys, difference.unit)
    rows = [(_name(keys, key), amount) for key, amount in sums.items() if amount]
    made = table("", "", "of what A took", difference.unit.replace("aj", "aJ"))
    made.columns[0].overflow = "fold"
    shown = rows if len(rows) <= top + 1 else rows[:top]
    rest = rows[len(shown) :]
    if rest:
        shown = [*shown, (f"{len(rest)} others", sum(amount for _, amount in rest))]
    for name, amount in [*shown, ("all: exactly the difference", sum(amount for _, amount in rows))]:
        made.add_row(
            plain(name),
            _signed(amount, difference.unit),
            f"{100 * amount / difference.a:+.1f} %" if difference.a else "",
            f"{amount:+,}",
        )
    return made


def _name(keys: tuple[str, ...], key: tuple[Any, ...]) -> str:
    if keys == ("cause", "part"):
        return phrase(*key)
    return " ".join(str(each) for each in key if each is not None)


def _signed(amount: int, unit: str) -> str:
    text = format_time(amount) if unit == "fs" else format_si(amount / AJ_PER_PJ * 1e-12, "J")
    return text if amount < 0 else f"+{text}"


def configuration_table(pair: Pair, top: int) -> Table:
    """Return where two runs' chips, traces and options differ."""
    made = table("", printable(pair.a), printable(pair.b))
    for column in made.columns[1:]:
        column.no_wrap, column.overflow = False, "fold"
    rows = pair.configuration
    shown = rows if len(rows) <= 2 * top else rows[: 2 * top]
    for row in shown:
        made.add_row(plain(row["path"]), *(plain(_value(row[side])) for side in ("a", "b")))
    if len(rows) > len(shown):
        made.caption = f"{len(rows) - len(shown)} more: --top {len(rows)}, or all of it with --json"
        made.caption_justify = "left"
    if not rows:
        made.add_row("nothing", "", "")
    return made


def _value(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 30 else text[:27] + "..."
