"""Programs of HBM-PIM: what a host sends to a pseudo-channel so that its units compute.

Each is a way into all-bank mode, the instructions, the work stage by stage, and the way back, as Samsung's PIMSimulator
sends them (commit b464dde, src/tests/PIMKernel.cpp). Even banks are a set, by bank 0, and odd banks, by bank 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pimsim.dram.program import SINGLE, TOGETHER, Program, Steps, stage
from pimsim.dram.schema import BANK, Standard, units_of
from pimsim.errors import ConfigError

EVEN, ODD = 0, 1
PER_WRITE = 8  # instructions that a column carries
APART = 128  # rows from an operand of an elementwise op to the next, at least
INSTRUCTIONS = {"gemv": 6, "add": 8, "mul": 8, "relu": 6, "mad": 6, "sum": 6}
OPERANDS = {"add": 2, "mul": 2, "relu": 1, "mad": 1, "sum": 1}
OPERATIONS = {"add": 1, "mul": 1, "relu": 1, "mad": 2, "sum": 1}  # of an element


class _Parts:
    """The stages of a program, and which of their columns compute."""

    def __init__(self, standard: Standard) -> None:
        self.standard, self.pim = standard, units_of(standard)
        self.steps: list[Steps] = []
        self.computes: list[npt.NDArray[np.bool_]] = []

    def add(self, steps: Steps, computes: npt.NDArray[np.bool_] | bool = False) -> None:
        """Add columns; `computes` says which make the units work."""
        self.steps.append(steps)
        self.computes.append(np.broadcast_to(np.asarray(computes, dtype=np.bool_), len(steps)))

    def program(self, name: str, channels: int, operations: int) -> Program:
        """Return the whole."""
        together = list(self.pim.commands.model_dump().values())
        steps, computes = np.concatenate(self.steps), np.concatenate(self.computes)
        return Program(name, steps, computes, channels, operations, together)

    # -- modes ------------------------------------------------------------------------------------------------

    def park(self) -> None:
        """Open and read a row in each bank of the rank: first banks of all groups, then second ones, …"""
        inside = self.standard.levels[BANK]
        groups = self.standard.levels.get("bankgroup", 1)
        banks = [group * inside + bank for bank in range(inside) for group in range(groups)]
        self.add(stage(False, SINGLE, banks, self.pim.park_row, len(banks)))

    def enter(self) -> None:
        """From single banks to all: writes to a row of four banks, two in a group."""
        other = self.standard.levels[BANK] * (self.standard.levels.get("bankgroup", 1) // 2)
        banks = list(dict.fromkeys((EVEN, ODD, other + EVEN, other + ODD)))
        self.add(stage(True, SINGLE, banks, self.pim.enter_row, len(banks)))

    def leave(self) -> None:
        """Back to single banks."""
        self.add(stage(True, TOGETHER, [EVEN, ODD], self.pim.leave_row, 2))

    def switch(self) -> None:
        """Let the units compute, or no longer."""
        self.add(stage(True, TOGETHER, EVEN, self.pim.register_row, 1))

    def begin(self, instructions: int) -> None:
        """Enter all-bank mode with a program in the units."""
        if instructions > self.pim.instructions:
            raise ConfigError(
                f"the units hold {self.pim.instructions} instructions, and the program has {instructions}",
                where="pim.instructions",
            )
        self.park()
        self.enter()
        writes = -(-instructions // PER_WRITE)
        self.add(stage(True, TOGETHER, ODD, self.pim.register_row, writes))

    def end(self) -> None:
        """Leave all-bank mode."""
        self.leave()
        self.park()

    def rows(self, first: int, count: int) -> npt.NDArray[np.int64]:
        """Return the rows of columns, counted through a bank from its first row."""
        return np.arange(first, first + count) // self.standard.columns

    def read_back(self, parity: int, first: int, count: int) -> None:
        """Let the host read so many columns of each bank of a set."""
        inside = self.standard.levels[BANK]
        banks = [b for b in range(inside * self.standard.levels.get("bankgroup", 1)) if b % 2 == parity]
        rows = self.rows(first, count)
        self.add(stage(False, SINGLE, np.repeat(banks, count), np.tile(rows, len(banks)), count * len(banks)))


def gemv(
    standard: Standard,
    rows: int,
    columns: int,
    channels: int = 64,
    batch: int = 1,
    *,
    read_back: bool = False,
) -> Program:
    """Multiply a matrix, which lies in the banks, by one vector after another.

    A unit holds `registers` outputs of 16 partial sums each; its even bank has every other piece of the inputs, its odd
    bank the rest. Inputs are written to the units' registers once for every 64 columns of weights.

    Parameters
    ----------
    standard : Standard
        One with units of HBM-PIM.
    rows, columns : int
        Outputs and inputs of the matrix.
    channels : int
        Pseudo-channels that share the outputs.
    batch : int
        Vectors.
    read_back : bool
        Whether the host reads the partial sums in the end; it adds the 16 of an output itself.

    Raises
    ------
    ConfigError
        If a number makes no sense, or a bank does not hold its part of the matrix.
    """
    pim = units_of(standard)
    _check(("--rows", rows), ("--columns", columns), ("--channels", channels), ("--batch", batch))
    registers = pim.registers
    tiles = -(-rows // (pim.units * registers * channels))
    pieces = -(-columns // (registers * pim.lanes))
    held = -(-pieces // 2)  # of a tile in an even bank
    block = registers * registers
    results = tiles * held * block
    _fits(standard, results + tiles * batch * registers)
    parts = _Parts(standard)
    parts.begin(INSTRUCTIONS["gemv"])
    for tile in range(tiles):
        for vector in range(batch):
            parts.switch()
            for parity in (EVEN, ODD):
                count = (pieces + 1 - parity) // 2
                if count:
                    _multiply(parts, parity, (tile * held if parity == EVEN else tile * (pieces // 2)), count)
            first = results + (tile * batch + vector) * registers
            parts.add(stage(True, TOGETHER, ODD, parts.rows(first, registers), registers))
            parts.switch()
    parts.end()
    if read_back:
        parts.read_back(ODD, results, tiles * batch * registers)
    return parts.program("gemv", channels, 2 * rows * columns * batch)


def _multiply(parts: _Parts, parity: int, first: int, count: int) -> None:
    """Add a row of pieces: the inputs into the registers, then a column for each output and input register."""
    registers, row = parts.pim.registers, parts.pim.register_row
    reload = stage(True, TOGETHER, ODD, row, registers)
    work = np.concatenate([stage(False, TOGETHER, parity, 0, registers)] * registers)
    block = np.concatenate([reload, work])
    steps = np.tile(block, (count, 1))
    computes = np.tile(np.arange(len(block)) >= registers, count)
    steps[computes, 3] = parts.rows(first * len(work), count * len(work))
    parts.add(steps, computes)


def elementwise(
    standard: Standard, name: str, elements: int, channels: int = 64, *, read_back: bool = False
) -> Program:
    """Work element by element on operands that lie in the banks alike: ``add``, ``mul``, ``relu``, ``mad``, ``sum``.

    ``mad`` takes its factor and its summand from the scalar registers (SRF). ``sum`` leaves a partial sum in each lane
    of each register, which the host adds.

    Parameters
    ----------
    standard : Standard
        One with units of HBM-PIM.
    name : str
        Which.
    elements : int
        Of an operand.
    channels : int
        Pseudo-channels that share them.
    read_back : bool
        Whether the host reads the result in the end.

    Raises
    ------
    ConfigError
        If a number makes no sense, or the operands do not fit.
    """
    pim = units_of(standard)
    _check(("--elements", elements), ("--channels", channels))
    registers = pim.registers
    tiles = -(-elements // (pim.lanes * 2 * pim.units * channels * registers))
    apart = max(APART, -(-tiles * registers // standard.columns)) * standard.columns
    operands = OPERANDS[name]
    _fits(standard, 2 * apart + tiles * registers)
    parts = _Parts(standard)
    parts.begin(INSTRUCTIONS[name])
    parts.switch()
    if name == "mad":
        parts.add(stage(True, TOGETHER, EVEN, pim.register_row, 1))
    for tile in range(tiles):
        for parity in (EVEN, ODD):
            for operand in range(operands):
                at = parts.rows(operand * apart + tile * registers, registers)
                parts.add(stage(False, TOGETHER, parity, at, registers), operand == operands - 1)
            if name != "sum":
                at = parts.rows(2 * apart + tile * registers, registers)
                parts.add(stage(True, TOGETHER, parity, at, registers))
    if name == "sum":
        for parity in (EVEN, ODD):
            parts.add(stage(True, TOGETHER, parity, parts.rows(2 * apart, registers), registers))
    parts.switch()
    parts.end()
    if read_back:
        for parity in (EVEN, ODD):
            parts.read_back(parity, 2 * apart, registers * (1 if name == "sum" else tiles))
    return parts.program(name, channels, OPERATIONS[name] * elements)


def _check(*numbers: tuple[str, int]) -> None:
    for where, value in numbers:
        most = 65_536 if where == "--channels" else 2**40
        if not 1 <= value <= most:
            raise ConfigError(f"found {value}, expected a whole number from 1 to {most}", where=where)


def _fits(standard: Standard, columns: int) -> None:
    """Refuse what reaches into the rows by which modes are changed."""
    pim = units_of(standard)
    most = min(pim.enter_row, pim.leave_row, pim.register_row)
    rows = -(-columns // standard.columns)
    if rows > most:
        raise ConfigError(
            f"a bank would need {rows:,} rows, and has {most:,} for data",
            where="--program",
            mend="give more --channels",
        )
