"""A picture of what a model answers on a chip: over time, and op by op."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pimsim.report.accuracy import span
from pimsim.report.network_plot import blank, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pimsim.run.accuracy import AccuracyResult

SOON_S = 0.1
"""Where time 0 stands on a logarithmic axis."""


def plot_accuracy(result: AccuracyResult, path: Path) -> None:
    """Draw the answers over the time since weights were written, beside what each op loses.

    Raises
    ------
    ConfigError
        If matplotlib is missing.
    ResultError
        If the file cannot be written.
    """
    figure = blank(11, 4.5)
    left, right = figure.subplots(1, 2)
    _over_time(left, result)
    _by_op(right, result)
    data = result.data
    figure.suptitle(f"{data['model']} on {data['chips']} x {data['chip']}")
    save(figure, path)


def _over_time(axes: Axes, result: AccuracyResult) -> None:
    data, rows = result.data, result.times
    key, name = ("top1", "top-1, %") if "top1" in data["floats"] else ("cosine", "cosine to floats")
    factor = 100 if key == "top1" else 1
    at = [max(SOON_S, row["after_s"]) for row in rows]
    axes.set_xscale("log")
    axes.plot(at, [factor * row[key] for row in rows], "o-", color="#1f5a96", label=f"on {data['chip']}")
    if key == "top1":
        low, high = ([factor * row["top1_95"][end] for row in rows] for end in (0, 1))
        axes.fill_between(at, low, high, color="#1f5a96", alpha=0.15, label="95 %")
    axes.axhline(factor * data["integers"][key], color="#b05a1e", linestyle="--", label="integers")
    axes.axhline(factor * data["floats"][key], color="#606060", linestyle=":", label="floats")
    axes.set_xticks(at, [span(row["after_s"]) for row in rows])
    axes.minorticks_off()
    axes.set_xlabel("since the weights were written")
    axes.set_ylabel(name)
    axes.grid(alpha=0.3)
    axes.legend()


def _by_op(axes: Axes, result: AccuracyResult) -> None:
    rows = [row for row in result.layers if row["own_snr_db"] is not None or row["snr_db"] is not None]
    where = range(len(rows))
    for key, mark, name in (("own_snr_db", "s", "alone"), ("snr_db", "o-", "with all before")):
        found = [row[key] if row[key] is not None else float("nan") for row in rows]
        axes.plot(where, found, mark, label=name)
    step = max(1, len(rows) // 20)
    axes.set_xticks(list(where)[::step], [row["op"][-24:] for row in rows][::step], rotation=60, ha="right")
    axes.set_ylabel("signal to error, dB")
    axes.set_title("what each op on arrays loses" if rows else "no op on arrays loses anything")
    axes.grid(alpha=0.3)
    if rows:
        axes.legend()
