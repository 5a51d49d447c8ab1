"""What is said of a run of a channel: time, bandwidth, latency, rows, commands, energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pimsim.dram.bus import bus_cycles
from pimsim.dram.channel import Served
from pimsim.dram.energy import AJ_PER_PJ
from pimsim.dram.requests import Ints
from pimsim.dram.schema import BANK, Standard

RANKS = {"p50": 50, "p95": 95, "p99": 99, "max": 100}
NOT_MODELLED = "not modelled"


def figures(served: Served, skip: int = 0) -> dict[str, Any]:
    """Return the figures of a run as plain data.

    Parameters
    ----------
    served : Served
        The run.
    skip : int
        Requests at the beginning whose latency does not count.

    Returns
    -------
    dict
        What is not known (no request, no read, commands not kept) is None; ``docs/memory.md`` says what a figure
        means.
    """
    standard, outcomes = served.standard, served.outcomes()
    write = served.requests.write
    columns = int((served.issued >= 0).sum())
    time_ns = served.cycles * standard.period_ns
    bandwidth = columns * standard.data.burst_bytes / time_ns if served.cycles else None
    late = np.arange(len(write)) >= skip
    return {
        "requests": len(write),
        "reads": int((~write).sum()),
        "writes": int(write.sum()),
        "cycles": served.cycles,
        "time_ns": time_ns,
        "bandwidth_gb_per_s": bandwidth,
        "peak_gb_per_s": standard.peak_gb_per_s,
        "peak_share": None if bandwidth is None else bandwidth / standard.peak_gb_per_s,
        "row_hit_rate": outcomes["hit"] / columns if columns else None,
        "outcomes": outcomes,
        "latency_ns": _latency(served.latency[~write & late], standard.period_ns),
        "write_latency_ns": _latency(served.latency[write & late], standard.period_ns),
        "commands": served.counts,
        "bus_cycles": bus_cycles(served) if len(served.log) == sum(served.counts.values()) else None,
        "energy_pj": energy(served),
    }


def _latency(cycles: Ints, period_ns: float) -> dict[str, float] | None:
    """Return mean and percentiles, ns; of ranks, not interpolated."""
    if not len(cycles):
        return None
    ranks = {
        name: float(np.percentile(cycles, rank, method="inverted_cdf")) * period_ns
        for name, rank in RANKS.items()
    }
    return {"mean": float(cycles.mean()) * period_ns, "min": float(cycles.min()) * period_ns, **ranks}


def command_energy(
    standard: Standard, counts: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int], list[str]] | None:
    """Return what commands cost by part and by command, aJ, and what has no figure; None where nothing is modelled.

    An activate is counted with its precharge; standby is not in it.
    """
    model = standard.energy
    if model is None:
        return None
    costs = model.costs(standard.cycles, standard.period_ns, 8 * standard.data.burst_bytes)
    parts, commands, left_out = dict.fromkeys(costs, 0), {}, list(model.not_modelled)
    for name, count in counts.items():
        command = standard.commands[name]
        if command.does == "precharge" or not count:  # it is part of an activate
            continue
        mine = {part: count * each[command.does] for part, each in costs.items() if command.does in each}
        if not mine or (command.does == "refresh" and command.level == BANK):
            left_out.append(f"{name}: no figure")
            continue
        commands[name] = sum(mine.values())
        for part, value in mine.items():
            parts[part] += value
    return parts, commands, left_out


def energy(served: Served) -> dict[str, Any] | str:
    """Return energy by part and by command, pJ, and what it leaves out; or that it is not modelled."""
    standard, found = served.standard, command_energy(served.standard, served.counts)
    if standard.energy is None or found is None:
        return NOT_MODELLED
    parts, commands, left_out = found
    closed = served.units * served.cycles - served.active_cycles
    for state, each in standard.energy.standby(standard.period_ns).items():
        parts[state] = each * (served.active_cycles if state == "standby_active" else closed)
    total = sum(parts.values())
    moved = 8 * standard.data.burst_bytes * int((served.issued >= 0).sum())
    return {
        "total": total / AJ_PER_PJ,
        "per_bit": total / AJ_PER_PJ / moved if moved else None,
        "by_part": {name: value / AJ_PER_PJ for name, value in parts.items()},
        "by_command": {name: value / AJ_PER_PJ for name, value in commands.items()},
        "not_modelled": left_out,
    }
