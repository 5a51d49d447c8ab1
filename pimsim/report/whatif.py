"""What-if for a terminal: the changes, the best first, and what bounds the run then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pimsim.analysis.causes import phrase
from pimsim.analysis.whatif import Outcome, Row, WhatIf
from pimsim.report.tables import heading, plain, printable, share, table, to_plain_text
from pimsim.units import format_time

if TYPE_CHECKING:
    from rich.console import RenderableType


def whatif_text(result: WhatIf, top: int | None = None) -> str:
    """Return what-if as plain text of at most 80 columns; see `whatif_report`."""
    return to_plain_text(*whatif_report(result, top))


def whatif_report(result: WhatIf, top: int | None = None) -> Iterator[RenderableType]:
    """Yield the pieces of what-if, for rich to print.

    Parameters
    ----------
    result : WhatIf
        What to show.
    top : int, optional
        Rows; how many are left out is said. None is all.
    """
    from rich.text import Text

    inferences = "1 inference" if result.batch == 1 else f"batch of {result.batch}"
    yield Text(f"{printable(result.model)} on {printable(result.chip)}, {inferences}", style="bold")
    yield plain(f"latency {format_time(result.base.latency_fs)}: {_bottleneck(result.base)}")
    if result.base.interval_fs is not None:
        yield plain(f"interval {format_time(result.base.interval_fs)}")
    yield heading("What if ..., the best first")
    columns = ["part", "change", "latency", "speed-up", "then"]
    if result.base.interval_fs is not None:
        columns.insert(4, "interval")
    made = table(*columns, left=2, gap=1)
    made.columns[-1].justify, made.columns[-1].no_wrap, made.columns[-1].overflow = "left", False, "fold"
    rows = result.rows if top is None else result.rows[:top]
    notes: list[str] = []
    for row in rows:
        mark = ""
        if row.note:
            notes.append(row.note)
            mark = f" [{len(notes)}]"
        made.add_row(*_cells(row, result, mark))
    yield made
    for number, note in enumerate(notes, start=1):
        yield plain(f"[{number}] {note}")
    if len(rows) < len(result.rows):
        yield plain(f"{len(result.rows) - len(rows)} more rows: --top {len(result.rows)}, or all with --json")
    if result.missing:
        yield plain(f"interrupted: {result.missing} changes were not tried")
    yield plain("")
    yield plain(
        "Then: what holds most of the critical path. Faster: the same plan with that part's times changed "
        "(infinitely: a clock of 1 ps). Twice as many or as large: planned anew. Energy and area of a change are "
        "not modelled."
    )


def _cells(row: Row, result: WhatIf, mark: str) -> list[Any]:
    kind = row.change.kind if row.change.same_plan else _doubled(row)
    if row.outcome is None:
        return [
            plain(row.change.part),
            plain(kind),
            "none",
            "",
            *_interval(None, result),
            plain(mark.strip()),
        ]
    _, part, share_now = row.outcome.bottleneck
    return [
        plain(row.change.part),
        plain(kind),
        format_time(row.outcome.latency_fs),
        f"{result.base.latency_fs / row.outcome.latency_fs:.3f}x",
        *_interval(row.outcome, result),
        plain(f"{100 * share_now:.0f} % {part}{mark}"),
    ]


def _doubled(row: Row) -> str:
    return ", ".join(f"{path.rsplit('.', 1)[-1]} {value:g}" for path, value in row.change.values.items())


def _interval(outcome: Outcome | None, result: WhatIf) -> list[str]:
    if result.base.interval_fs is None:
        return []
    return [
        format_time(outcome.interval_fs) if outcome is not None and outcome.interval_fs is not None else ""
    ]


def _bottleneck(outcome: Outcome) -> str:
    cause, part, of_path = outcome.bottleneck
    return f"{share(of_path)} {phrase(cause, part)}"
