"""Power over time, stacked by part on top of the static power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.report.html import words
from pimsim.report.html.bars import palette, split
from pimsim.report.html.pieces import Chart, Piece, Table, Text
from pimsim.report.html.style import FITTED, GREY, LEGEND

if TYPE_CHECKING:
    from pimsim.result.result import Result

PARTS = 6
STATIC, OTHERS = "static", "other parts"


def power_over_time(result: Result) -> list[Piece]:
    """Return a chart of the power over time, or a sentence where there is none."""
    over_time = result.over_time
    series: dict[str, list[float]] = over_time["dynamic_mw"]
    if not series:
        return [Text("Dynamic power is not modelled for any part, so there is none over time.")]
    bins, width = max(map(len, series.values())), over_time["bin_fs"]
    named, small = split({part: sum(values) for part, values in series.items()}, PARTS)
    layers = {part: series[part] for part in named}
    if small:
        layers[OTHERS] = [sum(series[part][i] for part in small) for i in range(bins)]
    static = over_time["power"]["static_mw"]
    is_static_known = bool(result.energy_pj["static"])
    colours = palette([*named, OTHERS] if small else named)
    if is_static_known:
        layers = {STATIC: [static] * bins, **layers}
        colours = {STATIC: GREY, **colours}
    unit, time = words.scale(over_time["power"]["peak_mw"] * 1e-3, "watts"), words.time_scale(bins * width)
    rows: list[dict[str, Any]] = []
    for place, (part, values) in enumerate(layers.items()):
        rows += [
            {
                "a": words.rounded(i * width / time.size),
                "b": words.rounded((i + 1) * width / time.size),
                "s": part,
                "o": place,
                "v": words.rounded(value * 1e-3 / unit.size),
                "t": words.power(value * 1e-3),
                "w": f"{words.time(i * width)} to {words.time((i + 1) * width)}",
            }
            for i, value in enumerate(values)
            if value
        ]
    power = over_time["power"]
    peak_at = words.time(power["peak_at_fs"])
    about = (
        f"Power in steps of {words.time(width)}: {words.power(power['average_mw'] * 1e-3)} on average over the "
        f"latency, at most {words.power(power['peak_mw'] * 1e-3)}, from {peak_at} on."
    )
    about += "" if is_static_known else " Static power is not modelled for any part, and not in it."
    if result.energy_pj["not_modelled"]:
        about += f" Not modelled, and not in it: {', '.join(result.energy_pj['not_modelled'])}."
    spec = {
        **FITTED,
        "height": 260,
        "data": {"values": rows},
        "mark": {"type": "bar", "binSpacing": 0, "strokeWidth": 0.7},
        "encoding": {
            "x": {
                "field": "a",
                "type": "quantitative",
                "bin": "binned",
                "title": f"time, {time.word}",
                "scale": {"nice": False},
                "axis": {"tickCount": {"expr": "max(2, min(10, floor(width / 70)))"}, "grid": False},
            },
            "x2": {"field": "b"},
            "y": {"field": "v", "type": "quantitative", "title": f"power, {unit.word}", "stack": "zero"},
            "color": {
                "field": "s",
                "type": "nominal",
                "scale": {"domain": list(colours), "range": list(colours.values())},
                "legend": {"title": "part", **LEGEND},
            },
            "stroke": {  # so that no gap shows between neighbours
                "field": "s",
                "type": "nominal",
                "scale": {"domain": list(colours), "range": list(colours.values())},
                "legend": {"title": "part", **LEGEND},
            },
            "order": {"field": "o", "type": "quantitative"},
            "tooltip": [
                {"field": "s", "type": "nominal", "title": "part"},
                {"field": "t", "type": "nominal", "title": "power"},
                {"field": "w", "type": "nominal", "title": "time"},
            ],
        },
    }
    columns = ["from", *layers, "in all"]
    cells = [
        [
            words.time(i * width),
            *(words.power(values[i] * 1e-3) for values in layers.values()),
            words.power(sum(values[i] for values in layers.values()) * 1e-3),
        ]
        for i in range(bins)
    ]
    table = Table("Power over time", columns, cells, closed=True)
    return [Chart("power", "Power over time", about, spec, table, wide=True)]
