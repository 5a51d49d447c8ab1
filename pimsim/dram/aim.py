"""Programs of GDDR6-AiM: all banks of a channel multiply what lies in them by what is in the buffer that they share.

A bank holds an output's row of the matrix, a piece of inputs behind another; sixteen banks work on as many outputs. A
piece of inputs is written into the global buffer once, and then meets all outputs of the channel: sums so far are
written back to the units before, and read behind. Commands are those of the AiM simulator (commit 0f28a07, README).
"""

from __future__ import annotations

import numpy as np

from pimsim.dram.program import TOGETHER, Program, Steps
from pimsim.dram.requests import banks_of
from pimsim.dram.schema import Standard
from pimsim.dram.unit import Aim
from pimsim.errors import ConfigError

CHANNELS = 32
MULTIPLY, INPUTS, START, SUMS, RESULTS, APPLY = 0, 2, 3, 4, 5, 6  # as steps have them


def aim_of(standard: Standard) -> Aim:
    """Return a standard's units of GDDR6-AiM.

    Raises
    ------
    ConfigError
        If it has none.
    """
    if not isinstance(standard.pim, Aim):
        raise ConfigError(
            f"{standard.name} has no adder trees at its banks", where="--program", mend="gddr6_aim has"
        )
    return standard.pim


def gemv(
    standard: Standard,
    rows: int,
    columns: int,
    channels: int = CHANNELS,
    batch: int = 1,
    *,
    apply: bool = False,
) -> Program:
    """Multiply a matrix, which lies in the banks, by one vector after another; sums are read by the host.

    Parameters
    ----------
    standard : Standard
        One with units of GDDR6-AiM.
    rows, columns : int
        Outputs and inputs of the matrix.
    channels : int
        That share the outputs.
    batch : int
        Vectors.
    apply : bool
        Whether the activation function is applied to the sums.

    Raises
    ------
    ConfigError
        If a number makes no sense, or a bank does not hold its part of the matrix.
    """
    pim = aim_of(standard)
    _check(("--rows", rows), ("--columns", columns), ("--channels", channels), ("--batch", batch))
    tiles = -(-rows // (banks_of(standard) * channels))
    pieces = _pieces(-(-columns // pim.lanes), min(pim.buffer_columns, standard.columns))
    if tiles * len(pieces) > pim.table_row:
        raise ConfigError(
            f"a bank would need {tiles * len(pieces):,} rows, and has {pim.table_row:,} for data",
            where="--program",
            mend="give more --channels",
        )
    parts: list[Steps] = []
    for _ in range(batch):
        for piece, count in enumerate(pieces):
            parts.append(_stage(INPUTS, -1, count))
            last = piece == len(pieces) - 1
            for tile in range(tiles):
                parts.append(_stage(START, -1, 1))
                parts.append(_stage(MULTIPLY, tile * len(pieces) + piece, count))
                parts += _out(pim, apply and last)
    return _program(standard, "gemv", parts, channels, 2 * rows * columns * batch)


def activation(standard: Standard, elements: int, channels: int = CHANNELS) -> Program:
    """Apply the activation function to elements that the host writes into the units, and reads back.

    Raises
    ------
    ConfigError
        If a number makes no sense.
    """
    pim = aim_of(standard)
    _check(("--elements", elements), ("--channels", channels))
    parts: list[Steps] = []
    for _ in range(-(-elements // (banks_of(standard) * channels))):
        parts.append(_stage(START, -1, 1))
        parts += _out(pim, True)
    return _program(standard, "activation", parts, channels, elements)


def _out(pim: Aim, apply: bool) -> list[Steps]:
    """Return how an element of each unit comes out."""
    if apply:
        return [_stage(APPLY, pim.table_row, 1), _stage(RESULTS, -1, 1)]
    return [_stage(SUMS, -1, 1)]


def _pieces(columns: int, most: int) -> list[int]:
    """Cut columns of inputs into pieces that the buffer and a row hold."""
    return [min(most, columns - begin) for begin in range(0, columns, most)]


def _stage(does: int, row: int, count: int) -> Steps:
    """Return columns with a plain fence behind them."""
    steps = np.zeros((count, 5), dtype=np.int32)
    steps[:, 0], steps[:, 1], steps[:, 3] = does, TOGETHER, row
    steps[-1:, 4] = 2
    return steps


def _program(standard: Standard, name: str, parts: list[Steps], channels: int, operations: int) -> Program:
    pim, cycles = aim_of(standard), standard.cycles
    steps = np.concatenate(parts)
    commands = pim.commands
    together = [commands.activate, commands.precharge, commands.multiply, None]
    into, out = cycles["nCWLREG"] + cycles["nBL"], cycles["nCLREG"] + cycles["nBL"]
    ends = {INPUTS: into, START: into, SUMS: out, RESULTS: out, APPLY: 1}
    computes = np.isin(steps[:, 0], (MULTIPLY,) if name == "gemv" else (APPLY,))
    return Program(
        name,
        steps,
        computes,
        channels,
        operations,
        [*together, *pim.moves.model_dump().values(), commands.apply],
        ends,
    )


def _check(*numbers: tuple[str, int]) -> None:
    for where, value in numbers:
        most = 65_536 if where == "--channels" else 2**24
        if not 1 <= value <= most:
            raise ConfigError(f"found {value}, expected a whole number from 1 to {most}", where=where)
