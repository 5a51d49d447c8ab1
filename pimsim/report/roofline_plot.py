"""The roofline as a picture: ops under the ceilings of the chip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pimsim.analysis.roofline import roofline
from pimsim.report.network_plot import check_plot, save
from pimsim.report.tables import printable
from pimsim.result.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "arrays": "#1f5a96",
    "converters": "#b05a1e",
    "digital units": "#2e7d4f",
    "network": "#7a3e9d",
    "buses": "#8a6d00",
    "buffers": "#a02050",
}
LETTER, LINE = 0.008, 0.035  # of a name, as shares of the axes
NAMED = 8  # ops that stand in the picture with their names


def plot_roofline(result: Result, path: Path) -> None:
    """Draw the roofline of a run.

    Raises
    ------
    ConfigError
        If matplotlib is missing.
    ResultError
        If the file cannot be written.
    """
    check_plot(path)
    import numpy as np
    from matplotlib.figure import Figure

    found = roofline(result)
    points = [point for point in found.points if point["ops_per_byte"]]
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.add_subplot()
    xs = [point["ops_per_byte"] for point in points] or [1.0]
    low, high = min(xs) / 4, max(xs) * 4
    line = np.geomspace(low, high, 50)
    for ceiling in found.ceilings:
        flat = "gops" in ceiling
        ys = np.full_like(line, ceiling["gops"]) if flat else line * ceiling["gb_per_s"]
        rate, unit = (ceiling["gops"], "Gop/s") if flat else (ceiling["gb_per_s"], "GB/s")
        dashes = (
            ":" if ceiling["name"] == "converters" else "-" if flat else "--"
        )  # they may lie on the arrays' line
        label = f"{ceiling['name']}: {rate:,.0f} {unit}"
        axes.plot(line, ys, dashes, linewidth=2, color=COLOURS[ceiling["name"]], label=label)
    for on, marker, name in (("arrays", "o", "ops on arrays"), ("", "^", "ops on digital units")):
        chosen = [point for point in points if (point["on"] == "arrays") == (on == "arrays")]
        axes.scatter(
            [point["ops_per_byte"] for point in chosen],
            [point["gops"] for point in chosen],
            c=[COLOURS[point["bound"]] for point in chosen],
            marker=marker,
            alpha=0.7,
            label=f"{name}, coloured by their own lowest ceiling",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_xlabel("operations a byte into or out of the op's buffers (1 MAC = 2 operations)")
    axes.set_ylabel("1e9 operations a second, from an op's first start to its last end")
    axes.set_title(
        f"{printable(result.model)} on {printable(result.chip)}: lines are all chips together, an op has a share"
    )
    axes.grid(alpha=0.3)
    figure.legend(fontsize=7, loc="outside lower center", ncols=3)
    _name_ops(axes, points)
    save(figure, path)


def _name_ops(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    """Write names at the ops nearest to their own ceilings, as far as they do not lie over one another."""
    left, right = map(math.log10, axes.get_xlim())
    bottom, top = map(math.log10, axes.get_ylim())
    taken: list[
        tuple[float, float, float]
    ] = []  # where names begin, and how wide they are, as shares of the axes
    for point in sorted(points, key=lambda point: -point["share"])[:NAMED]:
        x = (math.log10(point["ops_per_byte"]) - left) / (right - left)
        y = (math.log10(point["gops"]) - bottom) / (top - bottom)
        name = printable(point["op"])[:20]
        width = LETTER * len(name)
        if any(x < a + wide and a < x + width and abs(y - b) < LINE for a, b, wide in taken):
            continue
        taken.append((x, y, width))
        axes.annotate(
            name,
            (point["ops_per_byte"], point["gops"]),
            textcoords="offset points",
            xytext=(5, 4),
            fontsize=7,
        )
