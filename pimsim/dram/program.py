"""Command programs: columns in an order that fences give, and what a channel makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pimsim.dram.channel import first_due, refresh_level
from pimsim.dram.requests import Ints
from pimsim.dram.schema import Standard
from pimsim.dram.tables import bank_paths, timing
from pimsim.errors import ConfigError, SimulationError
from pimsim_core.dram_program import DramProgram

COMMANDS = 100_000  # between two looks at the progress
MOST_STEPS = 20_000_000
NEVER = 2**63 - 1
SINGLE, TOGETHER = 0, 1
DOES = ("activate", "precharge", "read", "write")
Steps = npt.NDArray[np.int32]


def stage(write: bool, mode: int, bank: npt.ArrayLike, row: npt.ArrayLike, count: int) -> Steps:
    """Return the columns of a stage, with a fence after the last one.

    Parameters
    ----------
    write : bool
        Whether they are writes.
    mode : int
        ``SINGLE`` banks, or ``TOGETHER``: a set of banks by its first one.
    bank, row : int or sequence of int
        Of each column.
    count : int
        How many there are.
    """
    steps = np.zeros((count, 5), dtype=np.int32)
    steps[:, 0], steps[:, 1] = write, mode
    steps[:, 2], steps[:, 3] = np.asarray(bank), np.asarray(row)
    steps[-1:, 4] = 1
    return steps


@dataclass(frozen=True)
class Program:
    """What is sent to a pseudo-channel, and to all others in lock step.

    Parameters
    ----------
    name : str
        What it computes.
    steps : numpy.ndarray of int32, shape (columns, 5)
        For each column 0 for a read, 1 for a write, 2 and more for other commands; its mode, its bank, its row (-1
        for none); and 1 for a fence behind it whose own column is sent alone, 2 for a plain one.
    computes : numpy.ndarray of bool, shape (columns,)
        Which of them make the units work.
    channels : int
        How many do the same at the same time.
    operations : int
        Of all of them together; 1 MAC = 2 operations.
    together : sequence of str
        The commands of sets of banks: activate, precharge, read, write (None for none), and others.
    ends : mapping of int to int
        Of a column by its number, cycles until it is done; by default those of a read, or of a write.
    """

    name: str
    steps: Steps
    computes: npt.NDArray[np.bool_]
    channels: int
    operations: int
    together: Sequence[str | None]
    ends: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Executed:
    """What a pseudo-channel did.

    Parameters
    ----------
    standard, program
        What was asked for.
    cycles : int
        From the first column's request to the end of the last data.
    times : numpy.ndarray of int64, shape (columns,)
        When each column was sent.
    counts : dict of str to int
        How often each command was sent.
    log : numpy.ndarray of int64, shape (commands, 3)
        Cycle, number and bank of each command; empty unless asked for.
    """

    standard: Standard
    program: Program
    cycles: int
    times: Ints
    counts: dict[str, int]
    log: Ints

    @property
    def gaps(self) -> dict[int, int]:
        """How often so many cycles are between two columns that compute."""
        values, counts = np.unique(np.diff(self.times[self.program.computes]), return_counts=True)
        return {int(gap): int(count) for gap, count in zip(values, counts, strict=True)}


def numbers_of(standard: Standard, program: Program) -> list[list[int]]:
    """Return the commands of either mode by their numbers, -1 for none; single banks have none that need no row."""
    names = list(standard.commands)
    single = [standard.find(does, "closed" if does == "precharge" else "open") for does in DOES]
    missing: list[str | None] = [None] * (len(program.together) - len(single))
    modes = (single + missing, program.together)
    return [[-1 if name is None else names.index(name) for name in mode] for mode in modes]


def execute(
    standard: Standard,
    program: Program,
    *,
    refresh: bool = True,
    record: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Executed:
    """Run a program on a pseudo-channel.

    Parameters
    ----------
    standard : Standard
        One with units that compute.
    program : Program
        What is sent.
    refresh : bool
        Whether the ranks are refreshed meanwhile.
    record : bool
        Keep every command.
    on_progress : callable, optional
        Called now and then with the columns that went, and how many there are.

    Raises
    ------
    ConfigError
        If the standard has no such units, or the program is too long.
    SimulationError
        If refresh leaves no time for a column.
    """
    if len(program.steps) > MOST_STEPS:
        raise ConfigError(f"found {len(program.steps):,} columns, expected at most {MOST_STEPS:,}")
    channel, tail = _built(standard, program, refresh, record)
    try:
        while not channel.run(COMMANDS):
            if on_progress is not None:
                on_progress(channel.progress, len(program.steps))
    except RuntimeError as error:
        raise SimulationError(str(error), where=standard.name) from None
    times = channel.times
    does = program.steps[:, 0]
    ends = times + np.where(
        does == 1, standard.of(standard.write_latency), standard.of(standard.read_latency)
    )
    for number, cycles in program.ends.items():
        ends[does == number] = times[does == number] + cycles
    counts = dict(zip(standard.commands, channel.counts.tolist(), strict=True))
    return Executed(standard, program, int(ends.max(initial=-tail)) + tail, times, counts, channel.commands)


def _built(standard: Standard, program: Program, refresh: bool, record: bool) -> tuple[DramProgram, int]:
    """Return an idle channel with a program, and the cycles after its last data."""
    if standard.pim is None:
        raise ConfigError(f"{standard.name} has no units that compute", mend="hbm2_pim has")
    numbers = numbers_of(standard, program)
    every = standard.refresh.get("all_bank") if refresh else None
    units = bank_paths(standard)[:, standard.nest.index(refresh_level(standard))]
    count = int(units.max()) + 1
    interval = standard.of(every.interval) if every else 0
    due = first_due(interval, count, every.staggered) if every else [NEVER] * count
    channel = DramProgram(
        timing(standard),
        numbers,
        list(standard.commands).index(every.command) if every else -1,
        units,
        due,
        interval,
        standard.pim.postponed,
        program.steps,
        standard.pim.to_queue,
        record,
    )
    return channel, standard.pim.from_bus
