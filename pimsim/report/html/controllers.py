"""What ran the sites beside the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pimsim.analysis.controllers import controllers_of, figures_of
from pimsim.report.controllers import named, written
from pimsim.report.html.pieces import Section, Table, Text

if TYPE_CHECKING:
    from pimsim.result.result import Result


def controllers(result: Result) -> Section:
    """Return what each controller did, and what that held and cost."""
    cells = [
        [
            row["controller"],
            row["where"],
            "; ".join(f"{named(key)} {written(key, value)}" for key, value in figures_of(row).items()),
            f"{row['times']:,}",
            written("held_fs", row["held_fs"]),
            written("energy_aj", row["energy_aj"]),
        ]
        for row in controllers_of(result)
    ]
    about = (
        "Controllers ran beside the work: they write, calibrate, put to sleep, wake and replace parts. What others "
        "lost by that stands in the latency under programming, maintenance and waking."
    )
    columns = ["controller", "where", "figures", "times", "held", "energy"]
    return Section(
        "controllers",
        "Controllers",
        [Text(about), Table("What each controller did", columns, cells, words=3)],
    )
