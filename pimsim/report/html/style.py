"""The look of the charts: colours that hold on white and on near-black, and axes in the colour of the text.

The categorical colours start from M. Okabe and K. Ito, "Color Universal Design" (2008); each has a contrast of at
least 3 : 1 with either background, as WCAG 2.2 (1.4.11) asks of graphics.
"""

from __future__ import annotations

from typing import Any

BLUE, ORANGE, GREEN, PINK = "#1b7fc4", "#d55e00", "#00936b", "#c26a97"
VIOLET, OCHRE, TEAL, RED, GREY = "#8a66c9", "#a87b00", "#2d92a8", "#c8383f", "#7c858e"
OLIVE, INDIGO, BROWN = "#6f8f1f", "#5b6bd6", "#9c6b4a"
ROSE, PLUM, SLATE, SIENNA = "#cf5f7a", "#a05fb0", "#5f7fa8", "#b0713a"
SERIES = [BLUE, ORANGE, GREEN, PINK, OCHRE, VIOLET, TEAL]
BACKGROUNDS = {"light": "#ffffff", "dark": "#14181d"}

CAUSES = {
    "compute": BLUE,
    "transport": ORANGE,
    "congestion": RED,
    "contention": OCHRE,
    "dependence": VIOLET,
    "backpressure": PINK,
    "clock": TEAL,
    "programming": GREEN,
    "memory": GREY,
    "maintenance": OLIVE,
    "waking": INDIGO,
    "launch": BROWN,
    "row_miss": ROSE,
    "bank_conflict": PLUM,
    "refresh": SLATE,
    "turnaround": SIENNA,
}

HEAT = ["#6b7f93", "#b98a2e", "#d9620f", "#d42a2a"]
"""From idle to busy, for thin lines."""

TEXT = "currentColor"
FONT = "system-ui, sans-serif"

CONFIG: dict[str, Any] = {
    "background": None,
    "aria": False,  # a chart is one picture with a name; its numbers are in the table below it
    "font": FONT,
    "axis": {
        "labelColor": TEXT,
        "titleColor": TEXT,
        "domainColor": TEXT,
        "tickColor": TEXT,
        "gridColor": TEXT,
        "gridOpacity": 0.15,
        "domainOpacity": 0.5,
        "tickOpacity": 0.5,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 150,
    },
    "axisY": {"titleLimit": 0},
    "legend": {
        "labelColor": TEXT,
        "titleColor": TEXT,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 180,
        "symbolStrokeWidth": 0,
    },
    "style": {"guide-label": {"font": FONT}, "guide-title": {"font": FONT}},
    "title": {"color": TEXT},
    "view": {"stroke": None},
    "text": {"color": TEXT, "fill": TEXT, "font": FONT},
}

ROOM: dict[str, Any] = {"name": "room", "value": 600}
"""A parameter of each Vega-Lite chart: the width of its container, which the page's script keeps up to date."""

LEGEND: dict[str, Any] = {
    "orient": "top",
    "direction": "horizontal",
    "columns": {"expr": "max(1, floor((room - 100) / 125))"},
}

FITTED: dict[str, Any] = {
    "params": [ROOM],
    "width": "container",
    "autosize": {"type": "fit-x", "contains": "padding"},
}
"""Of a Vega-Lite chart as wide as its container."""


def contrast(a: str, b: str) -> float:
    """Return the contrast of two colours as WCAG defines it, from 1 to 21."""
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    def linear(value: int) -> float:
        part = value / 255
        return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
