"""Energy of a program's commands by part, where the standard's file has energies by part.

A command to a set of banks does in each bank what a single bank's does: an activate opens as many rows, and a column
moves as many bursts between cells and units, which pass the parts that the file names for where the units are; the
rest of the way is spared. A write to the registers of HBM-PIM passes all parts but those of the cells, once: what it
takes to reach all units is not known. A move of attention units passes what lies between them and the buffer die, and
inputs come over the interposer too. Arithmetic is a multiply-accumulate of each lane with every column that multiplies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pimsim.dram.attacc import INPUTS, MULTIPLY, units_and_pace
from pimsim.dram.energy import AJ_PER_PJ, Parts
from pimsim.dram.program import TOGETHER, Executed
from pimsim.dram.unit import AttAcc, HbmPim, SetCommands

CELL, IO, ARITHMETIC = "cell", "io", "arithmetic"
NOT_MODELLED = ("what units compute with", "register writes beyond the die's bus")


def program_energy(run: Executed, at: str = "") -> dict[str, Any] | None:
    """Return the energy of a program on one (pseudo-)channel, pJ; None where no public source gives it.

    Parameters
    ----------
    run : Executed
        A program that was run.
    at : str
        Where attention units are.

    Returns
    -------
    dict or None
        ``total`` and ``by_part``, whole attojoules in pJ, and in words what is ``not_modelled``.
    """
    energy, pim = run.standard.energy, run.standard.pim
    if not isinstance(energy, Parts):
        return None
    left: tuple[str, ...]
    if isinstance(pim, HbmPim):
        opened, bursts, left = *_pairs(run, pim, energy), NOT_MODELLED
    elif isinstance(pim, AttAcc):
        units = units_and_pace(run.standard, at)[0]
        opened, bursts = _attention(run, pim.sets[at], units, energy)  # type: ignore[index]
        left = ("softmax, and the buffers beside the units",)
    else:
        return None
    bits = 8 * run.standard.data.burst_bytes
    found = {part: opened * round(pj * AJ_PER_PJ) for part, pj in energy.activate_pj.items()}
    for part, pj in energy.burst_pj_per_bit.items():
        found[part] = found.get(part, 0) + bursts[part] * round(pj * bits * AJ_PER_PJ)
    if pim.mac_pj is not None:
        macs = int(run.program.computes.sum()) * pim.lanes * units_and_pace(run.standard, at)[0]
        found[ARITHMETIC] = macs * round(pim.mac_pj * AJ_PER_PJ)
        left = tuple(each for each in left if each != NOT_MODELLED[0])
    return {
        "total": sum(found.values()) / AJ_PER_PJ,
        "by_part": {part: aj / AJ_PER_PJ for part, aj in found.items()},
        "not_modelled": [*left, *energy.not_modelled],
    }


def _pairs(run: Executed, pim: HbmPim, energy: Parts) -> tuple[int, dict[str, int]]:
    """Return the rows that HBM-PIM opened, and the bursts that passed each part."""
    write, mode, _, row, _ = run.program.steps.T
    together, registers = mode == TOGETHER, np.isin(row, (pim.register_row, pim.leave_row))
    single = int((~together).sum())
    inside = int((together & ~(registers & (write == 1))).sum()) * pim.units
    loads = int((together & registers & (write == 1)).sum())
    opened = run.counts["ACT"] + pim.units * run.counts[pim.commands.activate]
    return opened, {
        part: single + (inside if part in pim.bank_parts else 0) + (loads if part != CELL else 0)
        for part in energy.burst_pj_per_bit
    }


def _attention(run: Executed, commands: SetCommands, units: int, energy: Parts) -> tuple[int, dict[str, int]]:
    """Return the rows that were opened for attention units, and the bursts that passed each part."""
    does = run.program.steps[:, 0]
    multiplied, inputs = int((does == MULTIPLY).sum()) * units, int((does == INPUTS).sum())
    moves = int((does >= INPUTS).sum()) - run.counts[_softmax(run)]
    bursts = {}
    for part in energy.burst_pj_per_bit:
        if part == IO:
            bursts[part] = inputs
        else:
            bursts[part] = multiplied if part in commands.parts else moves
    return units * run.counts[commands.activate], bursts


def _softmax(run: Executed) -> str:
    assert isinstance(run.standard.pim, AttAcc)
    return run.standard.pim.moves.softmax
