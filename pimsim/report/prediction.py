"""The predicted pace of a plan for a terminal: the parts that bind, the links, and what one more copy would win."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pimsim.report.tables import heading, plain, printable, share, table
from pimsim.units import format_time

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from pimsim.mapping.next_copy import NextCopy
    from pimsim.mapping.planning.optimum import ChipBound
    from pimsim.netlist.prediction import Load, Prediction


def prediction_report(
    prediction: Prediction, chip: ChipBound, more: NextCopy | None
) -> Iterator[RenderableType]:
    """Yield what is predicted of a plan, for rich to print.

    Parameters
    ----------
    prediction : Prediction
        Of the plan.
    chip : ChipBound
        What the chip allows any plan.
    more : NextCopy, optional
        What one more copy would do.
    """
    yield heading(
        f"Predicted interval: {format_time(prediction.interval_fs)}, set by what is busiest in an inference"
    )
    if prediction.expected_fs > prediction.interval_fs:
        yield plain(
            f"With packets that wait for one another at the ports of tiles: {format_time(prediction.expected_fs)}."
        )
    yield loads_table(prediction.busiest, prediction.interval_fs)
    rest = [each for each in prediction.by_what if each not in prediction.busiest]
    if rest:
        yield heading("The busiest of all other sorts of parts")
        yield loads_table(rest, prediction.interval_fs)
    if prediction.links:
        yield heading("Traffic: the busiest links")
        yield loads_table(prediction.links, prediction.interval_fs)
    if chip.fs:
        yield plain(
            f"Any plan of this chip takes {format_time(chip.fs)} or more: {chip.what} at work, no transport. "
            f"This one is at {prediction.interval_fs / chip.fs:.4g} times that."
        )
    if more is not None:
        yield plain(next_text(more, prediction))


def loads_table(loads: Sequence[Load], interval_fs: int) -> Table:
    """Return a row a part: how long it is busy, of which interval, and for which op most."""
    made = table("part", "sort", "busy", "of it", "most of it for", left=2, gap=1)
    made.columns[-1].justify = "left"
    made.columns[0].overflow = made.columns[-1].overflow = "fold"
    made.columns[0].no_wrap = made.columns[-1].no_wrap = False
    for each in loads:
        most = f"{printable(each.op)} {share(each.op_fs / each.fs)}" if each.fs else ""
        made.add_row(
            plain(each.name), each.what, format_time(each.fs), share(each.fs / interval_fs), plain(most)
        )
    return made


def next_text(more: NextCopy, prediction: Prediction) -> str:
    """Say what one more copy would win."""
    what = f"One more copy of {printable(more.op)}, {more.copies} then,"
    if more.prediction is None:
        return f"{what} has no place: {more.why}."
    won = prediction.interval_fs - more.prediction.interval_fs
    first = more.prediction.busiest[0]
    then = f"{format_time(more.prediction.interval_fs)} is predicted then, by {first.name} ({first.what})"
    if won <= 0:
        return f"{what} would win nothing: {then}."
    return f"{what} would win {format_time(won)}, {share(won / prediction.interval_fs)}: {then}."
