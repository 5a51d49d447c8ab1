"""The roofline chart: how fast each op was, against what its parts and the ways to them allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.analysis.roofline import roofline
from pimsim.report.html.bars import palette
from pimsim.report.html.pieces import Chart, Piece, Points, Section, Table, Text
from pimsim.report.html.style import FITTED, LEGEND, TEXT
from pimsim.report.html.words import rounded
from pimsim.report.tables import share

if TYPE_CHECKING:
    from pimsim.result.result import Result

G = 1e9
DASHES = [[1, 0], [8, 4], [2, 2], [8, 3, 2, 3], [5, 5], [1, 4]]
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right"]


def roof(result: Result) -> Section:
    """Return the roofline of a run."""
    found = roofline(result)
    placed = [row for row in found.points if row["ops_per_byte"] and row["gops"]]
    pieces: list[Piece] = []
    if placed:
        pieces.append(_chart(found.points, placed, found.ceilings))
    else:
        pieces.append(Text("No op both computes and moves anything."))
    if found.not_modelled:
        pieces += [Text("Ceilings that are not modelled:"), Points(list(found.not_modelled))]
    return Section("roofline", "Roofline", pieces)


def _chart(
    points: list[dict[str, Any]], placed: list[dict[str, Any]], ceilings: list[dict[str, Any]]
) -> Chart:
    xs, ys = [row["ops_per_byte"] for row in placed], [row["gops"] for row in placed]
    left, right = min(xs) / 2, max(xs) * 2
    tops = [row.get("gops") or row["gb_per_s"] * right for row in ceilings]
    low, high = min(ys) / 2 * G, max([*ys, *tops]) * 2 * G
    lines = []
    names = []
    for row in ceilings:
        flat = row.get("gops")
        rate = f"{_number(flat)} Gop/s" if flat else f"{_number(row['gb_per_s'])} GB/s"
        names.append(name := f"{row['name']}, {rate}")
        lines += [
            {"x": rounded(x), "y": rounded((flat or row["gb_per_s"] * x) * G), "n": name}
            for x in (left, right)
        ]
    bounds = palette(sorted({row["bound"] for row in placed}))
    rows = [
        {
            "x": rounded(row["ops_per_byte"]),
            "y": rounded(row["gops"] * G),
            "n": row["op"],
            "k": row["type"],
            "b": row["bound"],
            "s": share(row["share"]),
            "tx": f"{row['ops_per_byte']:.4g} operations a byte",
            "ty": f"{_number(row['gops'])} Gop/s",
        }
        for row in placed
    ]
    cells = [
        [
            row["op"],
            row["type"],
            row["bound"],
            f"{row['ops_per_byte']:.4g} op/byte" if row["ops_per_byte"] else "moves nothing",
            f"{_number(row['gops'])} Gop/s",
            share(row["share"]),
        ]
        for row in points
    ]
    about = (
        "A point is an op: operations for each byte that it moves, against billions of operations a second (Gop/s) "
        "from its first start to its last end; 1 MAC is 2 operations. Lines are ceilings of all chips together; an op "
        "is coloured by the lowest ceiling of the parts that it has itself."
    )
    hidden = len(points) - len(placed)
    about += f" {hidden} ops move nothing, and stand in the table only." if hidden else ""
    columns = ["op", "type", "bound by", "intensity", "speed", "share of its ceiling"]
    table = Table("Roofline", columns, cells, words=3, closed=True)
    spec = _spec(rows, lines, names, bounds, (left, right), (low, high))
    return Chart("roofline", "Speed against intensity", about, spec, table, wide=True)


def _spec(
    rows: list[dict[str, Any]],
    lines: list[dict[str, Any]],
    names: list[str],
    bounds: dict[str, str],
    x_domain: tuple[float, float],
    y_domain: tuple[float, float],
) -> dict[str, Any]:
    def axis(field: str, title: str, domain: tuple[float, float], form: str) -> dict[str, Any]:
        return {
            "field": field,
            "type": "quantitative",
            "title": title,
            "scale": {"type": "log", "domain": [rounded(value) for value in domain], "nice": False},
            "axis": {"format": form, "tickCount": 6},
        }

    x = axis("x", "operations a byte", x_domain, "~g")
    y = axis("y", "speed, operations a second", y_domain, "~s")
    domain = list(bounds)
    return {
        **FITTED,
        "height": 380,
        "layer": [
            {
                "data": {"values": lines},
                "mark": {"type": "line", "color": TEXT, "opacity": 0.7, "clip": True},
                "encoding": {
                    "x": x,
                    "y": y,
                    "strokeDash": {
                        "field": "n",
                        "type": "nominal",
                        "scale": {
                            "domain": names,
                            "range": [DASHES[i % len(DASHES)] for i in range(len(names))],
                        },
                        "legend": {
                            "title": "ceiling of all chips",
                            "symbolStrokeColor": TEXT,
                            "symbolStrokeWidth": 1.5,
                            "symbolSize": 900,
                            "labelLimit": 280,
                            **LEGEND,
                            "orient": "bottom",
                            "columns": {"expr": "max(1, floor(room / 240))"},
                        },
                    },
                },
            },
            {
                "data": {"values": rows},
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.9, "clip": True},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": {
                        "field": "b",
                        "type": "nominal",
                        "scale": {"domain": domain, "range": list(bounds.values())},
                        "legend": {"title": "lowest ceiling of the op", **LEGEND},
                    },
                    "shape": {
                        "field": "b",
                        "type": "nominal",
                        "scale": {
                            "domain": domain,
                            "range": [SHAPES[i % len(SHAPES)] for i in range(len(domain))],
                        },
                    },
                    "tooltip": [
                        {"field": field, "type": "nominal", "title": title}
                        for field, title in (
                            ("n", "op"),
                            ("k", "type"),
                            ("tx", "intensity"),
                            ("ty", "speed"),
                            ("b", "lowest ceiling"),
                            ("s", "share of it"),
                        )
                    ],
                },
            },
        ],
        "resolve": {"scale": {"color": "independent", "shape": "independent"}},
    }


def _number(value: float) -> str:
    """Write a number with four digits, or whole if it has more before the point."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
