"""What a run did over time, in bins: dynamic power by part and by tile, and the firings of each op under way."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.machine.machine import Machine

Series = npt.NDArray[np.float64]
MW_PER_PJ_PER_FS = 1e6  # 1 pJ in 1 fs is 1000 W


class OverTime:
    """Figures of a machine in bins of equal width.

    Parameters
    ----------
    machine : Machine
        That has run to its end.

    Attributes
    ----------
    width_fs : int
        Of a bin; the last bin ends at or behind the last output.
    part_pj, tile_pj : numpy.ndarray, shape (parts or tiles, bins)
        Dynamic energy of a bin, pJ, by the machine's `energy_parts` and by tile. What a visit costs is spread
        evenly over the time that it holds its resource.
    under_way : numpy.ndarray, shape (ops, bins)
        Mean number of firings under way.
    most_bits : numpy.ndarray, shape (tiles,)
        The most that each tile's buffer ever held.
    """

    def __init__(self, machine: Machine) -> None:
        self.latency_fs = machine.host.outputs[-1]
        width, parts, tiles, activity, _, most = machine.engine.time_figures()
        used = np.any(parts > 0, axis=0) | np.any(activity > 0, axis=0)
        last_used = int(np.flatnonzero(used).max(initial=-1))
        count = max(-(-self.latency_fs // width), last_used + 1)
        self.width_fs = width
        self.part_pj, self.tile_pj = parts[:, :count], tiles[:, :count]
        self.under_way = activity[:, :count] / width
        self.most_bits = most

    def power_mw(self, picojoules: Series) -> Series:
        """Return the power in each bin, mW."""
        power: Series = picojoules / self.width_fs * MW_PER_PJ_PER_FS
        return power

    def mean_mw(self, picojoules: Series) -> float:
        """Return the mean power over the latency, mW."""
        return float(picojoules.sum() / self.latency_fs * MW_PER_PJ_PER_FS)

    def peak_mw(self, picojoules: Series) -> float:
        """Return the power of the highest bin, mW."""
        return float(self.power_mw(picojoules).max(initial=0.0))


def over_time_data(
    over_time: OverTime, machine: Machine, constant: float, highest_static: float
) -> dict[str, Any]:
    """Return power and activity over time as plain data.

    Parameters
    ----------
    over_time : OverTime
        Of the run.
    machine : Machine
        That has run.
    constant, highest_static : float
        Static power in mW: its mean over the run, and the most that it can be (with every site active).
    """
    total = over_time.part_pj.sum(axis=0)
    highest = int(np.argmax(total)) if len(total) else 0
    return {
        "bin_fs": over_time.width_fs,
        "power": {
            "static_mw": constant,
            "average_mw": over_time.mean_mw(total) + constant,
            "peak_mw": over_time.peak_mw(total) + highest_static,
            "peak_at_fs": highest * over_time.width_fs,
        },
        "dynamic_mw": {
            part: _rounded(over_time.power_mw(series))
            for part, series in zip(machine.energy_parts, over_time.part_pj, strict=True)
            if series.any()
        },
        "tile_dynamic_mw": {
            str(tile): _rounded(over_time.power_mw(series))
            for tile, series in enumerate(over_time.tile_pj[:-1])
            if series.any()
        },
        "firings_under_way": {
            op: _rounded(series) for op, series in zip(machine.ops, over_time.under_way, strict=True)
        },
    }


def _rounded(series: Series) -> list[float]:
    """Return a series with four digits, which is what a picture can show."""
    return [float(f"{value:.4g}") for value in series]
