"""Channels of memories that ran command by command, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pimsim.report.tables import plain, share, table
from pimsim.units import format_time

if TYPE_CHECKING:
    from rich.table import Table

    from pimsim.result.result import Result

LOSSES = ("row_miss", "bank_conflict", "refresh", "turnaround")


def memories_table(result: Result) -> Table:
    """Return a row for each channel: achieved, of the peak, rows that were open, and time lost before bursts."""
    made = table("port", "GB/s", "peak", "row hits", "rows", "conflicts", "refresh", "turns")
    for row in result.data["memories"]:
        hits = share(row["hit"] / row["bursts"]) if row["bursts"] else "-"
        lost = (format_time(row[f"{name}_fs"]) for name in LOSSES)
        made.add_row(
            plain(row["port"]),
            f"{row['gb_per_s']:.4g}",
            share(row["gb_per_s"] / row["peak_gb_per_s"]),
            hits,
            *lost,
        )
    return made
