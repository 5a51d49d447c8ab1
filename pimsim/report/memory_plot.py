"""A picture of a memory's latency against its load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pimsim.report.network_plot import blank, save

if TYPE_CHECKING:
    from pimsim.dram.memory import MemoryResult


def plot_loads(result: MemoryResult, path: Path) -> None:
    """Draw mean and 99th percentile of the latency against the bandwidth that was achieved.

    Raises
    ------
    ConfigError
        If matplotlib is missing.
    ResultError
        If the file cannot be written.
    """
    figure = blank(7, 4.5)
    axes = figure.add_subplot()
    rows = result.rows
    stable = [row for row in rows if row["status"] == "stable"]
    rates = [row["bandwidth_gb_per_s"] for row in stable]
    latency = [row["latency_ns"] or row["write_latency_ns"] for row in stable]
    axes.plot(rates, [each["mean"] for each in latency], "o-", color="#1f5a96", label="mean")
    axes.plot(rates, [each["p99"] for each in latency], "s--", color="#b05a1e", label="99th percentile")
    for position, row in enumerate(row for row in rows if row["status"] != "stable"):
        label = "saturated" if position == 0 else None
        axes.axvline(row["bandwidth_gb_per_s"], color="#a02020", linestyle=":", label=label)
    standard = result.about["standard"]
    axes.axvline(standard["peak_gb_per_s"], color="#606060", label="peak")
    axes.set_xlabel("bandwidth, GB/s")
    axes.set_ylabel("latency, ns")
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    axes.set_title(f"{standard['name']}, one channel, {result.about['pattern']}")
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)
