"""What controllers did, as figures that can stand in a row or side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pimsim.result.result import Result

OWN = ("controller", "where", "times", "held_fs", "energy_aj")
"""The keys that every controller's row has."""


def controllers_of(result: Result) -> list[dict[str, Any]]:
    """Return the rows of a result's controllers; none where it had none."""
    return list(result.data.get("controllers", ()))


def figures_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return the further figures of a controller that are one number or text each."""
    return {key: value for key, value in row.items() if key not in OWN and not isinstance(value, list | dict)}


def side_by_side(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return the figures of controllers that differ between runs.

    Returns
    -------
    list of dict
        Rows of ``controller``, ``where``, ``figure`` and ``values``, one a run; None where a run has none such.
    """
    columns: list[dict[tuple[str, str, str], Any]] = []
    for result in results:
        found: dict[tuple[str, str, str], Any] = {}
        for row in controllers_of(result):
            shown = {key: row[key] for key in OWN[2:]} | figures_of(row)
            found |= {(row["controller"], row["where"], key): value for key, value in shown.items()}
        columns.append(found)
    keys = dict.fromkeys(key for column in columns for key in column)
    rows = []
    for controller, where, figure in keys:
        values = [column.get((controller, where, figure)) for column in columns]
        if any(value != values[0] for value in values):
            rows.append({"controller": controller, "where": where, "figure": figure, "values": values})
    return rows
