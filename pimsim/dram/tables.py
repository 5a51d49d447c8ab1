"""A standard as the tables that the core works with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pimsim.dram.schema import CHANNEL, Standard
from pimsim_core.dram_timing import DramTiming

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Row:
    """A constraint with its cycles: as in the file, but counted from the first cycles of its commands.

    Parameters
    ----------
    level : int
        0 is the channel.
    before, after : int
        Numbers of commands.
    cycles, window : int
        See `pimsim.dram.schema.Constraint`.
    others : bool
        Likewise.
    """

    level: int
    before: int
    after: int
    cycles: int
    window: int = 1
    others: bool = False


def rows_of(standard: Standard) -> list[Row]:
    """Return all constraints of a standard, a row for each two commands, and those of its command buses."""
    numbers = {name: number for number, name in enumerate(standard.commands)}
    nest, held = standard.nest, {name: each.cycles for name, each in standard.commands.items()}
    found = []
    for each in standard.constraints:
        cycles = standard.of(each.cycles)
        for before in each.before:
            for after in each.after:
                between = cycles + held[before] - held[after]  # last cycle to last cycle
                pair = numbers[before], numbers[after]
                found.append(Row(nest.index(each.level), *pair, between, each.window, each.others))
    for before, command in standard.commands.items():
        for after, other in standard.commands.items():
            if command.bus == other.bus:
                found.append(Row(nest.index(CHANNEL), numbers[before], numbers[after], command.cycles))
    return [row for row in _strictest(found) if row.cycles > 0]


def _strictest(rows: list[Row]) -> list[Row]:
    """Keep the longest of the rows that differ in nothing else."""
    best: dict[tuple[int, int, int, int, bool], Row] = {}
    for row in rows:
        key = row.level, row.before, row.after, row.window, row.others
        if key not in best or best[key].cycles < row.cycles:
            best[key] = row
    return list(best.values())


def bank_paths(standard: Standard) -> Ints:
    """Return the node of each level that each bank is in; shape (banks, levels), level 0 the channel."""
    widths = list(standard.levels.values())
    banks = int(np.prod(widths, dtype=np.int64))
    below = [banks, *(banks // int(np.prod(widths[: depth + 1])) for depth in range(len(widths)))]
    return np.stack([np.arange(banks) // each for each in below], axis=1).astype(np.int32)


def timing(standard: Standard) -> DramTiming:
    """Return the timing of an idle channel."""
    rows = [[r.level, r.before, r.after, r.cycles, r.window, int(r.others)] for r in rows_of(standard)]
    nest = standard.nest
    return DramTiming(
        bank_paths(standard),
        np.array([nest.index(command.level) for command in standard.commands.values()], dtype=np.int32),
        np.array([1, *standard.levels.values()], dtype=np.int32),
        np.array(rows, dtype=np.int32),
    )
