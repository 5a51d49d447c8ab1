"""`pimsim.memory_program`: one call for a memory that computes, and what it returns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.dram import aim
from pimsim.dram.attacc import CHANNELS as STACK
from pimsim.dram.attacc import attention, units_and_pace
from pimsim.dram.channel import serve
from pimsim.dram.hbm_pim import OPERANDS, elementwise, gemv
from pimsim.dram.load import STANDARD, Overrides, load_standard
from pimsim.dram.memory import texts_of
from pimsim.dram.policy import Policy
from pimsim.dram.program import Executed, execute
from pimsim.dram.program_energy import program_energy
from pimsim.dram.requests import MOST_REQUESTS, Requests, places_of
from pimsim.dram.schema import Standard
from pimsim.dram.unit import Aim
from pimsim.errors import ConfigError, nearest

SCHEMA = "pimsim-memory-program/1"
PROGRAMS = ("gemv", *OPERANDS, "attention", "activation")
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
        peak = peak_gops(standard, program.channels, self.about.get("at", ""))
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
            "energy_pj": program_energy(run, self.about.get("at", "")) or "not modelled",
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
    heads: int | None = None,
    tokens: int | None = None,
    head_size: int = 128,
    at: str = "bank",
    channels: int | None = None,
    read_back: bool = False,
    apply: bool = False,
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
        Of an operand of any other program but ``attention``.
    heads, tokens : int, optional
        Of an ``attention``: heads of all requests together, and tokens in the cache of each.
    head_size : int
        Elements of a head.
    at : str
        Where attention units are: ``bank``, ``bank_group`` or ``buffer``.
    channels : int, optional
        Pseudo-channels that share the work in lock step, by default 64; of an ``attention`` channels, by default 16,
        and of GDDR6-AiM, by default 32.
    read_back : bool
        Whether the host reads the results in the end; not of an ``attention``, nor of GDDR6-AiM, where it always does.
    apply : bool
        Whether a ``gemv`` of GDDR6-AiM applies the activation function to its outputs.
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
    given: dict[str, Any] = {
        "rows": rows,
        "columns": columns,
        "elements": elements,
        "heads": heads,
        "tokens": tokens,
    }
    given |= {"batch": batch, "head_size": head_size, "at": at}
    sizes = _sizes(program, given)
    trees = isinstance(made.pim, Aim)
    usual = STACK if program == "attention" else aim.CHANNELS if trees else CHANNELS
    channels = usual if channels is None else channels
    reads = trees or program in ("attention", "activation")  # results come out anyway
    if read_back and reads:
        raise ConfigError(f"found it, expected none for {program} of {made.name}", where="--read-back")
    if apply and not (trees and program == "gemv"):
        raise ConfigError(
            f"found it, expected none for {program} of {made.name}",
            where="--apply",
            mend="a gemv of gddr6_aim has it",
        )
    if program == "activation":
        asked, moved = (
            aim.activation(made, sizes["elements"], channels),
            (sizes["elements"], sizes["elements"]),
        )
    elif program == "attention":
        asked = attention(made, sizes["heads"], sizes["tokens"], head_size, at, channels)
        moved = 2 * sizes["heads"] * sizes["tokens"] * head_size, 0
    elif program == "gemv":
        shape = sizes["rows"], sizes["columns"], channels, batch
        asked = aim.gemv(made, *shape, apply=apply) if trees else gemv(made, *shape, read_back=read_back)
        moved = sizes["rows"] * sizes["columns"] + batch * sizes["columns"], batch * sizes["rows"]
    else:
        asked = elementwise(made, program, sizes["elements"], channels, read_back=read_back)
        moved = OPERANDS[program] * sizes["elements"], 0 if program == "sum" else sizes["elements"]
    about = {
        "standard": made.summary(),
        "order": order,
        "overrides": texts_of(overrides),
        "program": program,
        **sizes,
        "channels": channels,
        "read_back": read_back,
        **({"apply": apply} if trees and program == "gemv" else {}),
        "not_modelled": [
            *made.not_modelled,
            *NOT_IN_IT,
            *([] if read_back or reads else [READING]),
        ],
    }
    run = execute(made, asked, record=record, on_progress=on_progress)
    assert made.pim is not None
    bits = [-(-count * made.pim.element_bits // channels) for count in moved]
    return ProgramResult(about, run, plain_cycles(made, *(-(-each // 8) for each in bits)))


NOT_IN_IT = (
    "the host's own time: what it computes, and how it comes to send the commands",
    "the values: rounding of FP16 or BF16",
)
READING = "reading the results, which stay in the banks: --read-back reads them"


def peak_gops(standard: Standard, channels: int, at: str = "") -> float:
    """Return what the units do at most, 1e9 operations a second: a multiply-accumulate a lane with every column."""
    units, cycles = units_and_pace(standard, at)
    assert standard.pim is not None
    return 2 * units * standard.pim.lanes * channels / (cycles * standard.period_ns)


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


OF = {"gemv": ("rows", "columns", "batch"), "attention": ("heads", "tokens", "head_size", "at")}
DEFAULTS = {"batch": 1, "head_size": 128, "at": "bank"}


def _sizes(program: str, given: dict[str, Any]) -> dict[str, Any]:
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
    own = OF.get(program, ("elements",))
    for name, value in given.items():
        where = f"--{name.replace('_', '-')}"
        if name not in own and value != DEFAULTS.get(name):
            raise ConfigError(f"found {value}, expected none for {program}", where=where)
        if name in own and value is None:
            raise ConfigError(f"found none, expected a whole number for {program}", where=where)
    return {name: given[name] for name in own}
