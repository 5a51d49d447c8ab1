"""The pipeline over time: when each op had firings under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.report.html import words
from pimsim.report.html.bars import split
from pimsim.report.html.pieces import Chart, Section, Table
from pimsim.report.html.style import BLUE, FITTED, TEXT
from pimsim.report.tables import share

if TYPE_CHECKING:
    from pimsim.result.result import Result

OPS = 40
STEP = 16


def pipeline(result: Result) -> Section:
    """Return the ops of a run over time."""
    rows = {row["op"]: row for row in result.ops}
    under_way: dict[str, list[float]] = result.over_time["firings_under_way"]
    shown, rest = split({op: row["critical_fs"] for op, row in rows.items()}, OPS)
    chosen = [op for op in rows if op in set(shown)]
    last = max((row["end_fs"] for row in rows.values()), default=0)
    time, width = words.time_scale(max(last, result.latency_fs)), result.over_time["bin_fs"]
    spans = [
        {
            "n": op,
            "a": words.rounded(rows[op]["begin_fs"] / time.size),
            "b": words.rounded(rows[op]["end_fs"] / time.size),
        }
        for op in chosen
        if rows[op]["firings"]
    ]
    cells = [cell for op in chosen for cell in _cells(rows[op], under_way.get(op, []), width, time)]
    types = {row["op"]: row["type"] for row in result.plan}
    table = [
        [
            op,
            types.get(op, ""),
            f"{row['firings']:,}",
            words.time(row["begin_fs"]),
            words.time(row["end_fs"]),
            words.time(row["critical_fs"]),
            f"{max(under_way.get(op, []), default=0):.4g}",
        ]
        for op, row in rows.items()
    ]
    critical = sum(rows[op]["critical_fs"] for op in chosen)
    about = (
        "Ops in the order of the plan; a line goes from an op's first start to its last end, and is the bluer the more "
        f"firings are under way, relative to the op's own maximum, in steps of {words.time(width)}."
    )
    if rest:
        about += (
            f" The {len(chosen)} ops with most of the critical path are drawn ({share(critical / result.latency_fs)} "
            f"of it); the other {len(rest)} of {len(rows)} stand in the table."
        )
    columns = ["op", "type", "firings", "first start", "last end", "on the critical path", "most under way"]
    return Section(
        "pipeline",
        "The pipeline over time",
        [
            Chart(
                "pipeline",
                "Firings under way",
                about,
                _spec(spans, cells, chosen, time),
                Table("Ops over time", columns, table, words=2, closed=True),
                wide=True,
            )
        ],
    )


def _cells(row: dict[str, Any], series: list[float], width: int, time: words.Scale) -> list[dict[str, Any]]:
    """Return the steps of an op in which something was under way; equal neighbours are one."""
    most = max(series, default=0)
    found: list[dict[str, Any]] = []
    for i, value in enumerate(series):
        if not value:
            continue
        # a step may begin before the op's first start, and end behind its last end
        begin, end = max(i * width, row["begin_fs"]), min((i + 1) * width, row["end_fs"])
        if end <= begin:
            continue
        cell = {
            "n": row["op"],
            "a": words.rounded(begin / time.size),
            "b": words.rounded(end / time.size),
            "v": float(f"{value / most:.2g}"),
            "t": f"{value:.4g}",
        }
        if found and found[-1]["t"] == cell["t"] and found[-1]["b"] == cell["a"]:
            found[-1]["b"] = cell["b"]
        else:
            found.append(cell)
    return found


def _spec(
    spans: list[dict[str, Any]], cells: list[dict[str, Any]], names: list[str], time: words.Scale
) -> dict[str, Any]:
    x = {
        "field": "a",
        "type": "quantitative",
        "title": f"time, {time.word}",
        "scale": {"nice": False, "zero": True},
        "axis": {"orient": "top", "tickCount": {"expr": "max(2, min(10, floor(width / 70)))"}},
    }
    y = {
        "field": "n",
        "type": "nominal",
        "sort": names,
        "title": None,
        "scale": {"domain": names},
        "axis": {"labelFontSize": 11, "labelLimit": 110, "ticks": False, "domain": False},
    }
    ends = [
        {"field": "n", "type": "nominal", "title": "op"},
        {"field": "a", "type": "quantitative", "title": f"from, {time.word}"},
        {"field": "b", "type": "quantitative", "title": f"to, {time.word}"},
    ]
    return {
        **FITTED,
        "height": STEP * len(names),
        "layer": [
            {
                "data": {"values": spans},
                "mark": {"type": "rule", "color": TEXT, "opacity": 0.45},
                "encoding": {"x": x, "x2": {"field": "b"}, "y": y, "tooltip": ends},
            },
            {
                "data": {"values": cells},
                "mark": {"type": "bar", "color": BLUE, "height": {"band": 0.8}},
                "encoding": {
                    "x": x,
                    "x2": {"field": "b"},
                    "y": y,
                    "opacity": {
                        "field": "v",
                        "type": "quantitative",
                        "scale": {"domain": [0, 1], "range": [0.15, 1]},
                        "legend": None,
                    },
                    "tooltip": [*ends, {"field": "t", "type": "nominal", "title": "firings under way, mean"}],
                },
            },
        ],
    }
