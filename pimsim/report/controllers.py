"""What controllers did, for a terminal; and how their figures are written anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.analysis.controllers import controllers_of, figures_of
from pimsim.report.tables import NOT_MODELLED, plain, table
from pimsim.result.energy import AJ_PER_PJ
from pimsim.units import format_si, format_time

if TYPE_CHECKING:
    from rich.table import Table

    from pimsim.result.result import Result

UNITS = {"fs": "", "aj": "", "pj": "", "ns": " ns", "us": " us"}


def controllers_table(result: Result) -> Table:
    """Return a row for every controller, and under each its further figures."""
    made = table("controller", "times", "held", "energy")
    for row in controllers_of(result):
        cells = (f"{row['times']:,}", format_time(row["held_fs"]), written("energy_aj", row["energy_aj"]))
        made.add_row(plain(f"{row['controller']} of {row['where']}"), *cells, style="bold")
        for key, value in figures_of(row).items():
            if isinstance(value, str):  # a text beside the numbers would leave no room for names
                made.add_row(plain(f"  {named(key)}: {value}"))
            else:
                made.add_row(plain(f"  {named(key)}"), plain(written(key, value)))
    return made


def named(key: str) -> str:
    """Return the name of a figure in words, without its unit."""
    name, _, unit = key.rpartition("_")
    return (name if unit in UNITS else key).replace("_", " ")


def written(key: str, value: Any) -> str:
    """Write a figure with the unit that ends its key; None is none."""
    unit = key.rpartition("_")[2]
    if value is None:
        return NOT_MODELLED if key == "energy_aj" else "none"
    if isinstance(value, str):
        return value
    if unit == "fs":
        return format_time(value)
    if unit in ("aj", "pj"):
        return format_si(value * 1e-12 / (AJ_PER_PJ if unit == "aj" else 1), "J")
    return (
        f"{value:,}{UNITS.get(unit, '')}" if isinstance(value, int) else f"{value:.4g}{UNITS.get(unit, '')}"
    )
