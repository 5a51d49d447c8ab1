"""`pimsim.memory_program`: one call for a memory that computes, and what it returns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.dram.channel import serve
from pimsim.dram.hbm_pim import OPERANDS, elementwise, gemv, units_of
from pimsim.dram.load import STANDARD, Overrides, load_standard
from pimsim.dram.memory import texts_of
from pimsim.dram.policy import Policy
from pimsim.dram.program import Executed, Program, execute
from pimsim.dram.program_energy import program_energy
from pimsim.dram.requests import MOST_REQUESTS, Requests, places_of
from pimsim.dram.schema import Standard
from pimsim.errors import ConfigError, nearest

SCHEMA = "pimsim-memory-program/1"
PROGRAMS = ("gemv", *OPERANDS)
CHANNELS = 64


class ProgramResult:
    """What a program took, and what its data would take through the data bus.

    Parameters
    ----------
    about : dict
        What was asked for, as plain data.
    run : Executed
        The program on one pseudo-channel; the others do the same in the same cycles.
    plain_cycles : int, optional
        Cycles until the operands are read, and then the results written, by requests; None where they are too many.
    """

    def __init__(self, about: dict[str, Any], run: Executed, plain_cycles: int | None) -> None:
        self.about, self.run, self.plain_cycles = about, run, plain_cycles

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; ``docs/pim-dram.md`` says what each figure means."""
        run, standard, program = self.run, self.run.standard, self.run.program
        time_ns = run.cycles * standard.period_ns
        peak = peak_gops(standard, program.channels)
        achieved = program.operations / time_ns if time_ns else 0.0
        computing = run.times[program.computes]
        return {
            "schema": SCHEMA,
            **self.about,
            "cycles": run.cycles,
            "time_ns": time_ns,
            "operations": program.operations,
            "gops": achieved,
            "peak_gops": peak,
            "peak_share": achieved / peak,
            "first_compute": int(computing[0]),
            "last_compute": int(computing[-1]),
            "gaps": {str(gap): count for gap, count in run.gaps.items()},
            "commands": run.counts,
            "plain_cycles": self.plain_cycles,
            "speedup": None if self.plain_cycles is None else self.plain_cycles / run.cycles,
            "energy_pj": program_energy(run) or "not modelled",
        }

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps(self.to_dict(), indent=1) + "\n"


def memory_program(
    standard: str | Path | Standard,
    program: str,
    *,
    rows: int | None = None,
    columns: int | None = None,
    batch: int = 1,
    elements: int | None = None,
    channels: int = CHANNELS,
    read_back: bool = False,
    order: str = STANDARD,
    overrides: Overrides = (),
    record: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ProgramResult:
    """Run a command program on a memory that computes.

    Parameters
    ----------
    standard : str, path or Standard
        A memory with a key ``pim``: a standard of pimsim's, the path of a file, or one that was loaded.
    program : str
        One of `PROGRAMS`.
    rows, columns : int, optional
        Of the matrix of a ``gemv``: outputs and inputs.
    batch : int
        Vectors that a ``gemv`` takes, one after another.
    elements : int, optional
        Of an operand of any other program.
    channels : int
        Pseudo-channels that share the work in lock step.
    read_back : bool
        Whether the host reads the results in the end.
    order : str
        One of the file's ``orders``; by default the standard's own.
    overrides : sequence of str or mapping
        Of the standard: ``timings.nRP=14``.
    record : bool
        Keep every command.
    on_progress : callable, optional
        Called now and then with the columns that went and their whole number.

    Raises
    ------
    ConfigError
        If something asked for makes no sense.
    SimulationError
        If the channel cannot go on.
    """
    if isinstance(standard, Standard) and (overrides or order != STANDARD):
        raise ConfigError("overrides and orders are of a standard that is loaded here", where="overrides")
    made = standard if isinstance(standard, Standard) else load_standard(standard, overrides, order)
    units = units_of(made)
    sizes = _sizes(program, rows, columns, batch, elements)
    asked: Program
    if program == "gemv":
        asked = gemv(made, sizes["rows"], sizes["columns"], channels, batch, read_back=read_back)
        moved = sizes["rows"] * sizes["columns"] + batch * sizes["columns"], batch * sizes["rows"]
    else:
        asked = elementwise(made, program, sizes["elements"], channels, read_back=read_back)
        moved = (
            OPERANDS[program] * sizes["elements"],
            0 if program == "sum" else sizes["elements"],
        )
    about = {
        "standard": made.summary(),
        "order": order,
        "overrides": texts_of(overrides),
        "program": program,
        **sizes,
        "channels": channels,
        "read_back": read_back,
        "not_modelled": [*made.not_modelled, *NOT_IN_IT, *(() if read_back else (READING,))],
    }
    run = execute(made, asked, record=record, on_progress=on_progress)
    bits = [-(-elements * units.element_bits // channels) for elements in moved]
    return ProgramResult(about, run, plain_cycles(made, *(-(-each // 8) for each in bits)))


NOT_IN_IT = (
    "the host's own time: what it computes, and how it comes to send the commands",
    "the values: rounding of FP16",
)
READING = "reading the results, which stay in the banks: --read-back reads them"


def peak_gops(standard: Standard, channels: int) -> float:
    """Return what the units do at most, 1e9 operations a second: a multiply-accumulate a lane every tCCD_L."""
    units = units_of(standard)
    column = standard.cycles.get("nCCD_L", standard.cycles.get("nCCD_S", standard.cycles["nBL"]))
    return 2 * units.units * units.lanes * channels / (column * standard.period_ns)


def plain_cycles(standard: Standard, read_bytes: int, written_bytes: int) -> int | None:
    """Return the cycles in which a channel reads so many bytes and then writes others, all there from the beginning."""
    total = 0
    for write, size in ((False, read_bytes), (True, written_bytes)):
        count = -(-size // standard.data.burst_bytes)
        if count > MOST_REQUESTS:
            return None
        if count:
            bank, row, column = places_of(standard, np.arange(count))
            asked = Requests(np.full(count, write), bank, row, column)
            total += serve(standard, Policy(), asked).cycles
    return total


def _sizes(
    program: str, rows: int | None, columns: int | None, batch: int, elements: int | None
) -> dict[str, int]:
    """Return the sizes of a program.

    Raises
    ------
    ConfigError
        If one lacks, or is of another program.
    """
    if program not in PROGRAMS:
        raise ConfigError(
            f"found '{program:.40}', expected one of: {', '.join(PROGRAMS)}",
            where="--program",
            mend=nearest(program, list(PROGRAMS)),
        )
    own = {"rows": rows, "columns": columns, "batch": batch} if program == "gemv" else {"elements": elements}
    others = {"elements": elements} if program == "gemv" else {"rows": rows, "columns": columns}
    for name, value in others.items():
        if value is not None:
            raise ConfigError(f"found {value}, expected none for {program}", where=f"--{name}")
    if program != "gemv" and batch != 1:
        raise ConfigError(f"found {batch}, expected none for {program}", where="--batch")
    found = {}
    for name, value in own.items():
        if value is None:
            raise ConfigError(f"found none, expected a whole number for {program}", where=f"--{name}")
        found[name] = value
    return found
