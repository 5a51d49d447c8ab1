"""Energy of a program's commands by part, where the standard's file has energies by part.

A command in all-bank mode does in each bank of its set what a single bank's does: an activate opens as many rows, and a
column moves as many bursts between cells and units, which pass the parts that `pim.bank_parts` names. A write to
registers passes all parts but those of the cells, once: what it takes to reach all units is not known.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pimsim.dram.energy import AJ_PER_PJ, Parts
from pimsim.dram.program import TOGETHER, Executed
from pimsim.dram.unit import HbmPim

CELL = "cell"
NOT_MODELLED = ("what units compute with", "register writes beyond the die's bus")


def program_energy(run: Executed) -> dict[str, Any] | None:
    """Return the energy of a program on one pseudo-channel, pJ; None where no public source gives it.

    Parameters
    ----------
    run : Executed
        A program that was run.

    Returns
    -------
    dict or None
        ``total`` and ``by_part``, whole attojoules in pJ, and in words what is ``not_modelled``.
    """
    standard, energy, pim = run.standard, run.standard.energy, run.standard.pim
    if not isinstance(pim, HbmPim) or not isinstance(energy, Parts):
        return None
    bits = 8 * standard.data.burst_bytes
    write, mode, _, row, _ = run.program.steps.T
    together, registers = mode == TOGETHER, np.isin(row, (pim.register_row, pim.leave_row))
    single = int((~together).sum())
    inside = int((together & ~(registers & (write == 1))).sum()) * pim.units
    loads = int((together & registers & (write == 1)).sum())
    opened = run.counts["ACT"] + pim.units * run.counts[pim.commands.activate]
    found = {part: opened * round(pj * AJ_PER_PJ) for part, pj in energy.activate_pj.items()}
    for part, pj in energy.burst_pj_per_bit.items():
        bursts = single + (inside if part in pim.bank_parts else 0) + (loads if part != CELL else 0)
        found[part] = found.get(part, 0) + bursts * round(pj * bits * AJ_PER_PJ)
    return {
        "total": sum(found.values()) / AJ_PER_PJ,
        "by_part": {part: aj / AJ_PER_PJ for part, aj in found.items()},
        "not_modelled": [*NOT_MODELLED, *energy.not_modelled],
    }
