"""The tiles at their places on the chips, coloured by what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.report.html import words
from pimsim.report.html.pieces import Chart, Table
from pimsim.report.html.style import TEXT
from pimsim.report.html.treemap import (
    CHOICES,
    colour_legend,
    colour_scale,
    colour_signals,
    in_scale,
    width_signals,
)
from pimsim.report.tables import NOT_MODELLED, share

if TYPE_CHECKING:
    from pimsim.report.html.places import Places
    from pimsim.result.result import Result

OPS = 4  # that a tooltip names


def tile_map(result: Result, places: Places) -> Chart:
    """Return the tiles of a run's chips at their places.

    Parameters
    ----------
    result : Result
        Of one run.
    places : Places
        Where they are.
    """
    is_energy_known = bool(result.energy_pj["dynamic"])
    tiles = [node for node, data in places.graph.nodes(data=True) if data["kind"] == "tile"]
    ran = {row["tile"]: row for row in result.tiles}
    rows: list[dict[str, Any]] = []
    for chip in range(places.shown):
        for node in tiles:
            number = chip * len(tiles) + places.graph.nodes[node]["index"]
            x, y = places.at(node, chip)
            found = ran.get(number)
            rows.append(
                {
                    "n": str(number),
                    "x": words.rounded(x),
                    "y": words.rounded(y),
                    **_of(found, is_energy_known),
                }
            )
    cells = []
    for number, row in sorted(ran.items()):
        texts = _of(row, is_energy_known)
        cells.append(
            [
                f"tile {number}",
                ", ".join(row["ops"]),
                texts["tb"],
                str(row["chip"]),
                texts["tu"],
                texts["te"],
                words.power(row["peak_mw"] * 1e-3) if is_energy_known else NOT_MODELLED,
                words.time(row["critical_fs"]),
                f"{row['buffer_peak_bytes'] / 1024:.4g} of {row['buffer_bytes'] / 1024:.4g} KiB",
            ]
        )
    idle = result.chips * len(tiles) - len(ran)
    about = (
        "Every tile at its place on the chip, joined to its router. Utilisation is the share of the run that its "
        "arrays were at work; energy is dynamic."
    )
    about += f" {words.count(idle, 'tile has', 'tiles have')} nothing to do and no colour." if idle else ""
    about += "" if is_energy_known else " Dynamic energy is not modelled."
    columns = ["tile", "ops", "busiest part", "chip", "arrays at work", "dynamic energy", "highest power"]
    columns += ["on the critical path", "buffer, at most"]
    largest = [max((row[key] or 0 for row in rows), default=0) or 1 for key in ("u", "e")]
    return Chart(
        "tile-map",
        "Tiles at their places",
        about + places.rest,
        _spec(rows, _frame(places), places, largest),
        Table("Tiles", columns, cells, words=3, closed=True),
        mode="vega",
        choices=CHOICES,
    )


def _of(row: dict[str, Any] | None, is_energy_known: bool) -> dict[str, Any]:
    """What a tile did, as numbers and as texts."""
    if row is None:
        return {"u": None, "e": None, "tu": "idle", "tb": "idle", "te": "none", "to": "none"}
    busy = row["busy"]
    part = max(busy, key=lambda part: (busy[part], part), default="")
    more = len(row["ops"]) - OPS
    return {
        "u": words.rounded(busy.get("core.array", 0.0)),
        "e": words.rounded(row["energy_pj"] * words.J_PER_PJ) if is_energy_known else None,
        "tu": share(busy["core.array"]) if "core.array" in busy else "no arrays in use",
        "tb": f"{part} ({share(busy[part])})" if part else "none",
        "te": words.energy(row["energy_pj"] * words.J_PER_PJ) if is_energy_known else NOT_MODELLED,
        "to": ", ".join(row["ops"][:OPS]) + (f" and {more} more" if more > 0 else "") or "none",
    }


def _frame(places: Places) -> list[dict[str, Any]]:
    """The links of the network, each once, as lines behind the tiles."""
    return [
        {
            key: words.rounded(value)
            for key, value in zip(
                ("x", "y", "x2", "y2"), (*places.at(a, chip), *places.at(b, chip)), strict=True
            )
        }
        for chip in range(places.shown)
        for a, b in places.graph.edges
        if a < b or not places.graph.is_directed() or (b, a) not in places.graph.edges
    ]


def scaled(places: Places) -> list[dict[str, Any]]:
    """Return the signals of a map: its width and height, and ``one``, the pixels of a step between routers."""
    one = f"min(width / {places.wide:.4f}, 620 / {places.high:.4f})"
    return [*width_signals(f"({one}) * {places.high:.4f}"), {"name": "one", "update": one}]


def chip_labels() -> dict[str, Any]:
    """Return the marks of the chips' names, from the data ``chips``."""
    return {
        "type": "text",
        "from": {"data": "chips"},
        "interactive": False,
        "encode": {
            "enter": {"fill": {"value": TEXT}, "fontSize": {"value": 12}, "text": {"field": "n"}},
            "update": {"x": {"signal": "datum.x * one"}, "y": {"signal": "datum.y * one"}},
        },
    }


def _spec(
    rows: list[dict[str, Any]], lines: list[dict[str, Any]], places: Places, largest: list[float]
) -> dict[str, Any]:
    unit = in_scale(rows, largest)
    side = f"max(4, one * {places.side:.4f})"
    ink = (
        f"isValid(datum.c) ? (contrast(scale('colour', datum.c), 'white') > 4 ? 'white' : 'black') : '{TEXT}'"
    )
    tooltip = (
        "{'tile': datum.n, 'arrays at work': datum.tu, 'busiest part': datum.tb, "
        "'dynamic energy': datum.te, 'ops': datum.to}"
    )
    centre = {"x": {"signal": "datum.x * one"}, "y": {"signal": "datum.y * one"}}
    return {
        "padding": 1,
        "autosize": {"type": "pad"},
        "signals": [*scaled(places), *colour_signals(largest)],
        "data": [
            {"name": "lines", "values": lines},
            {"name": "chips", "values": places.labels()},
            {
                "name": "tiles",
                "values": rows,
                "transform": [{"type": "formula", "as": "c", "expr": "by == 'u' ? datum.u : datum.e"}],
            },
        ],
        "scales": [colour_scale()],
        "legends": [colour_legend(f"dynamic energy of the run, {unit}")],
        "marks": [
            chip_labels(),
            {
                "type": "rule",
                "from": {"data": "lines"},
                "interactive": False,
                "encode": {
                    "enter": {"stroke": {"value": TEXT}, "strokeOpacity": {"value": 0.35}},
                    "update": {
                        **centre,
                        "x2": {"signal": "datum.x2 * one"},
                        "y2": {"signal": "datum.y2 * one"},
                    },
                },
            },
            {
                "type": "rect",
                "from": {"data": "tiles"},
                "encode": {
                    "enter": {"stroke": {"value": TEXT}},
                    "update": {
                        "xc": centre["x"],
                        "yc": centre["y"],
                        "width": {"signal": side},
                        "height": {"signal": side},
                        "fill": {"signal": "isValid(datum.c) ? scale('colour', datum.c) : 'transparent'"},
                        "strokeOpacity": {"signal": "isValid(datum.c) ? 0.7 : 0.35"},
                        "tooltip": {"signal": tooltip},
                    },
                },
            },
            {
                "type": "text",
                "from": {"data": "tiles"},
                "interactive": False,
                "encode": {
                    "enter": {"align": {"value": "center"}, "baseline": {"value": "middle"}},
                    "update": {
                        **centre,
                        "fill": {"signal": ink},
                        "fontSize": {"signal": f"min(12, ({side}) * 0.45)"},
                        "text": {"signal": f"{side} >= 18 ? datum.n : ''"},
                    },
                },
            },
        ],
    }
