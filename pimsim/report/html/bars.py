"""Bars: one a name, cut into series, the longest names first and the rest summed up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pimsim.report.html.style import FITTED, GREY, LEGEND, SERIES
from pimsim.report.html.words import Scale, rounded

STEP = 20


class Bit(NamedTuple):
    """A length of a bar.

    Parameters
    ----------
    name : str
        Of the bar.
    series : str
        Which of its bits.
    value : float
        Its length.
    about : dict
        What a tooltip says of it: headings and texts.
    """

    name: str
    series: str
    value: float
    about: Mapping[str, str]


def bars(
    bits: Iterable[Bit],
    unit: Scale,
    axis: str,
    colours: Mapping[str, str],
    legend: str | None = None,
    *,
    share: bool = False,
) -> dict[str, Any]:
    """Return a Vega-Lite specification of horizontal bars.

    Parameters
    ----------
    bits : iterable of Bit
        Bars in their order from the top, each with its bits in theirs.
    unit : Scale
        What a value is divided by.
    axis : str
        Title of the axis; the unit is added.
    colours : mapping of str to str
        Of the series, in the order of the legend.
    legend : str, optional
        Its title; without, there is none.
    share : bool
        Values are shares of one.
    """
    rows, names, headings = [], list[str](), list[str]()
    order = list(colours)
    for bit in bits:
        if bit.name not in names:
            names.append(bit.name)
        headings = headings or list(bit.about)
        texts = {f"t{i}": text for i, text in enumerate(bit.about.values())}
        rows.append(
            {
                "n": bit.name,
                "s": bit.series,
                "o": order.index(bit.series),
                "v": rounded(bit.value / unit.size),
                **texts,
            }
        )
    x: dict[str, Any] = {
        "field": "v",
        "type": "quantitative",
        "title": f"{axis}, {unit.word}" if unit.word else axis,
    }
    x["axis"] = {
        "orient": "top" if len(names) > 12 else "bottom",
        "tickCount": {"expr": "max(2, min(8, floor(width / 70)))"},
    }
    if share:
        x["axis"]["format"] = ".0%"
        x["scale"] = {"domain": [0, 1]}
    return {
        **FITTED,
        "height": STEP * len(names),
        "data": {"values": rows},
        "mark": {"type": "bar", "height": {"band": 0.75}},
        "encoding": {
            "y": {
                "field": "n",
                "type": "nominal",
                "sort": names,
                "title": None,
                "axis": {"labelLimit": {"expr": "room < 450 ? 140 : 220"}},
            },
            "x": x,
            "color": {
                "field": "s",
                "type": "nominal",
                "scale": {"domain": order, "range": [colours[name] for name in order]},
                "legend": {"title": legend, **LEGEND} if legend else None,
            },
            "order": {"field": "o", "type": "quantitative"},
            "tooltip": [
                {"field": f"t{i}", "type": "nominal", "title": title} for i, title in enumerate(headings)
            ],
        },
    }


def split(sums: Mapping[str, float], limit: int) -> tuple[list[str], list[str]]:
    """Return the names of the largest sums, and the names of the rest; a rest of one stands for itself."""
    names = sorted(sums, key=lambda name: (-abs(sums[name]), name))
    count = len(names) if len(names) <= limit + 1 else limit
    return names[:count], names[count:]


def palette(names: Sequence[str], rest: str = "") -> dict[str, str]:
    """Return a colour for each of up to seven names, and grey for the rest."""
    return {**dict(zip(names, SERIES, strict=False)), **({rest: GREY} if rest else {})}
