"""The chip drawn to its area: every part a rectangle as large as its share of it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pimsim.report.html import words
from pimsim.report.html.pieces import Chart, Choice, Table
from pimsim.report.html.style import TEXT
from pimsim.report.tables import NOT_MODELLED, share

if TYPE_CHECKING:
    from pimsim.result.result import Result

UNKNOWN = "not measured"
ROOT = "/"
CHOICES = [Choice("u", "utilisation"), Choice("e", "energy")]


def treemap(result: Result, tiles: int) -> Chart:
    """Return the parts of all chips as rectangles to scale.

    Parameters
    ----------
    result : Result
        Of one run, with an area.
    tiles : int
        On one chip.
    """
    areas, whole = result.area_um2["by_part"], result.area_um2["total"]
    use, joules = utilisation(result, tiles), result.energy_pj["by_part"]
    rows: list[dict[str, Any]] = [{"id": ROOT, "parent": None}]
    cells = []
    for part in sorted(areas, key=lambda part: (-areas[part], part)):
        busy = share(use[part]) if part in use else UNKNOWN
        spent = words.energy(joules[part] * words.J_PER_PJ) if part in joules else NOT_MODELLED
        rows.append(
            {
                "id": part,
                "parent": ROOT,
                "area": areas[part],
                "u": use.get(part),
                "e": joules[part] * words.J_PER_PJ if part in joules else None,
                "ta": words.area(areas[part]),
                "tu": busy,
                "te": spent,
            }
        )
        cells.append([part, words.area(areas[part]), share(areas[part] / (whole or 1)), busy, spent])
    missing = result.area_um2["not_modelled"]
    cells += [
        [
            part,
            NOT_MODELLED,
            "",
            share(use[part]) if part in use else UNKNOWN,
            words.energy(joules[part] * words.J_PER_PJ) if part in joules else NOT_MODELLED,
        ]
        for part in missing
    ]
    chips = "the chip" if result.chips == 1 else f"all {result.chips} chips"
    about = (
        f"The area of {chips}, {words.area(whole)}: a rectangle is all instances of a part, to scale but not at its "
        "place. Utilisation is the share of the run that the part was at work, the mean over all tiles (of the "
        "network and the external links: over those in use). "
        "What is not measured or not modelled has no colour."
    )
    if missing:
        about += f" No area is modelled, and nothing is drawn, for: {', '.join(missing)}."
    columns = ["part", "area", "share", "utilisation", "energy"]
    largest = [max((row[key] or 0 for row in rows if row.get(key)), default=0) or 1 for key in ("u", "e")]
    return Chart(
        "area-map",
        "The chip by area",
        about,
        _spec(rows, largest),
        Table("The chip by area", columns, cells, closed=True),
        mode="vega",
        choices=CHOICES,
    )


def utilisation(result: Result, tiles: int) -> dict[str, float]:
    """Return the share of the run that each part was at work: the mean over the tiles, or over its instances."""
    sums: dict[str, float] = defaultdict(float)
    for row in result.tiles:
        for part, busy in row["busy"].items():
            sums[part] += busy
    found = {part: busy / (tiles * result.chips) for part, busy in sums.items()}
    for part in ("network", "external"):  # in no tile, or not only there
        row = result.resources.get(part)
        if row is not None and row["instances"]:
            found[part] = row["busy_fs"] / (row["instances"] * result.latency_fs)
    return found


def in_scale(rows: list[dict[str, Any]], largest: list[float]) -> str:
    """Bring the energies ``e`` of rows, in joules, and the second of the largest values to one unit; name it."""
    unit = words.scale(largest[1], "joules")
    largest[1] = words.rounded(largest[1] / unit.size)
    for row in rows:
        if row.get("e") is not None:
            row["e"] = words.rounded(row["e"] / unit.size)
    return unit.word


def colour_signals(largest: list[float]) -> list[dict[str, Any]]:
    """Return the signals that a reader's choice of colours moves: ``by`` and the end of the scale."""
    first, second = (float(value) for value in largest)
    return [
        {"name": "by", "value": CHOICES[0].value},
        {"name": "most", "update": f"by == 'u' ? {first!r} : {second!r}"},
    ]


def colour_scale() -> dict[str, Any]:
    """Return the scale of colours from nothing to the most."""
    return {
        "name": "colour",
        "type": "linear",
        "range": {"scheme": "viridis"},
        "domain": [0, {"signal": "most"}],
        "zero": True,
    }


def colour_legend(energy: str) -> dict[str, Any]:
    """Return the legend of that scale, in per cent or in an energy."""
    return {
        "fill": "colour",
        "orient": "bottom",
        "direction": "horizontal",
        "gradientLength": {"signal": "min(width, 300)"},
        "title": {"signal": f"by == 'u' ? 'utilisation' : '{energy}'"},
        "tickCount": 4,
        "encode": {
            "labels": {
                "update": {
                    "text": {
                        "signal": "by == 'u' ? format(datum.value, '.2~p') : format(datum.value, '.3~g')"
                    }
                }
            }
        },
    }


def width_signals(high: str) -> list[dict[str, Any]]:
    """Return the signals that fit a chart into its container; `high` is an expression for the height."""
    update = "isFinite(containerSize()[0]) && containerSize()[0] > 0 ? containerSize()[0] : 600"
    on = [{"events": {"source": "window", "type": "resize"}, "update": update}]
    return [
        {"name": "width", "init": update, "on": on},
        {"name": "height", "update": high},
    ]


def _spec(rows: list[dict[str, Any]], largest: list[float]) -> dict[str, Any]:
    unit = in_scale(rows, largest)
    wide, high = "datum.x1 - datum.x0", "datum.y1 - datum.y0"
    ink = (
        f"isValid(datum.c) ? (contrast(scale('colour', datum.c), 'white') > 4 ? 'white' : 'black') : '{TEXT}'"
    )
    tooltip = "{'part': datum.id, 'area': datum.ta, 'utilisation': datum.tu, 'energy': datum.te}"

    def label(field: str, dy: int, needs: int, **style: Any) -> dict[str, Any]:
        return {
            "type": "text",
            "from": {"data": "parts"},
            "interactive": False,
            "encode": {
                "enter": {"fontSize": {"value": 12}, **style},
                "update": {
                    "x": {"signal": "datum.x0 + 6"},
                    "y": {"signal": f"datum.y0 + {dy}"},
                    "fill": {"signal": ink},
                    "limit": {"signal": f"{wide} - 10"},
                    "text": {"signal": f"{wide} > 44 && {high} > {needs} ? datum.{field} : ''"},
                },
            },
        }

    return {
        "padding": 1,
        "autosize": {"type": "pad"},
        "signals": [*width_signals("min(max(width * 0.7, 240), 420)"), *colour_signals(largest)],
        "data": [
            {
                "name": "tree",
                "values": rows,
                "transform": [
                    {"type": "stratify", "key": "id", "parentKey": "parent"},
                    {
                        "type": "treemap",
                        "field": "area",
                        "sort": {"field": "value", "order": "descending"},
                        "method": "squarify",
                        "ratio": 1.4,
                        "round": False,
                        "size": [{"signal": "width - 2"}, {"signal": "height"}],
                    },
                ],
            },
            {
                "name": "parts",
                "source": "tree",
                "transform": [
                    {"type": "filter", "expr": "isValid(datum.parent)"},
                    {"type": "formula", "as": "c", "expr": "by == 'u' ? datum.u : datum.e"},
                ],
            },
        ],
        "scales": [colour_scale()],
        "legends": [colour_legend(f"energy of the run, {unit}")],
        "marks": [
            {
                "type": "rect",
                "from": {"data": "parts"},
                "encode": {
                    "enter": {"stroke": {"value": TEXT}, "strokeOpacity": {"value": 0.7}},
                    "update": {
                        "x": {"field": "x0"},
                        "x2": {"field": "x1"},
                        "y": {"field": "y0"},
                        "y2": {"field": "y1"},
                        "fill": {"signal": "isValid(datum.c) ? scale('colour', datum.c) : 'transparent'"},
                        "tooltip": {"signal": tooltip},
                    },
                },
            },
            label("id", 16, 18, fontWeight={"value": "bold"}),
            label("ta", 31, 34),
        ],
    }
