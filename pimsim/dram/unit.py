"""What the file of a memory says of the units that compute beside its banks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from pimsim.chip.base import Cycles, EnergyPj, Model, Sourced, Text

Some = Annotated[int, Field(ge=1, le=4096)]
Row = Annotated[int, Field(ge=0, le=2**24)]
Place = Literal["bank", "bank_group", "buffer"]
CommandName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w{0,39}$")]


class TogetherCommands(Model):
    """The commands that go to all banks of a set at once.

    Parameters
    ----------
    activate, precharge, read, write : str
        Commands to a bank, by which its whole set is meant.
    """

    activate: CommandName
    precharge: CommandName
    read: CommandName
    write: CommandName


class Units(Sourced):
    """Units that compute, and how a controller sends a program to them.

    Parameters
    ----------
    lanes, element_bits : int
        Elements that a unit works on at once, which are a column, and their width.
    postponed : int
        Refreshes of a rank that may be due while a program goes on; they are sent once its rows happen to be closed.
    to_queue, from_bus : int
        Cycles until the first column is in the controller's queue, and from the last data to the end.
    """

    lanes: Some
    element_bits: Some
    postponed: Annotated[int, Field(ge=0, le=8)] = 0
    to_queue: Cycles = 0
    from_bus: Cycles = 0


class CountedUnits(Units):
    """Units beside a memory whose energy is known part by part.

    Parameters
    ----------
    mac_pj : float, optional
        Energy of a multiply-accumulate of a lane, pJ; None where no source gives it.
    """

    mac_pj: EnergyPj | None = None


class SetCommands(Model):
    """The commands that go to all banks of a set whose units multiply.

    Parameters
    ----------
    activate, precharge, multiply : str
        Commands to a bank, by which its whole set is meant.
    parts : sequence of str
        Parts of the standard's energy that a burst between a bank's cells and its unit passes.
    """

    activate: CommandName
    precharge: CommandName
    multiply: CommandName
    parts: Annotated[tuple[Text, ...], Strict(False)] = ()


class Moves(Model):
    """Commands between the buffers of attention units; they need no row.

    Parameters
    ----------
    inputs, sums, shares, softmax : str
        From outside to the units, from the units to the softmax unit, from that back to the units, and softmax itself.
    """

    inputs: CommandName
    sums: CommandName
    shares: CommandName
    softmax: CommandName


class AttAcc(CountedUnits):
    """Attention units at the banks, the bank groups, or the buffer die of a stack.

    Parameters
    ----------
    kind : str
        ``attacc``.
    sets : dict of str to SetCommands
        By where the units are (``bank``, ``bank_group``, ``buffer``), the commands that make them multiply.
    moves : Moves
        Commands between their buffers.
    repeats_last : bool
        A last head that is alone repeats softmax and the moves behind it after each stage of its scores.
    """

    kind: Literal["attacc"]
    sets: dict[Place, SetCommands]
    moves: Moves
    repeats_last: bool = False


class HbmPim(CountedUnits):
    """Units of HBM-PIM: each between an even and an odd bank, and driven by the columns that are read there.

    Parameters
    ----------
    kind : str
        ``hbm_pim``.
    units : int
        Of a pseudo-channel.
    registers : int
        Vector registers of a column each, in either half of the register file (GRF_A and GRF_B).
    instructions : int
        What the instruction buffer (CRF) of a unit holds; eight are written with a column.
    enter_row, leave_row, register_row, park_row : int
        Rows: writes to the first enter all-bank mode, to the second leave it; writes to the third go to the units'
        registers. The fourth is opened and read in every bank before and after.
    commands : TogetherCommands
        Those of all-bank mode.
    bank_parts : sequence of str
        Parts of the standard's energy that a burst between a bank's cells and its unit passes.
    """

    kind: Literal["hbm_pim"]
    units: Some
    registers: Some
    instructions: Some
    enter_row: Row
    leave_row: Row
    register_row: Row
    park_row: Row
    commands: TogetherCommands
    bank_parts: Annotated[tuple[Text, ...], Strict(False)] = ()


class AimCommands(Model):
    """The commands that go to all banks of a channel whose units multiply.

    Parameters
    ----------
    activate, precharge, multiply, apply : str
        Commands to a bank, by which all are meant; the last one applies an activation function, whose table is a row.
    """

    activate: CommandName
    precharge: CommandName
    multiply: CommandName
    apply: CommandName


class AimMoves(Model):
    """Commands between the data bus and what is beside the banks of GDDR6-AiM; they need no row.

    Parameters
    ----------
    inputs, start, sums, results : str
        A column into the global buffer; a start of each unit's sum, or its sum so far; sums; results of the activation
        function.
    """

    inputs: CommandName
    start: CommandName
    sums: CommandName
    results: CommandName


class Aim(Units):
    """Units of GDDR6-AiM: an adder tree at each bank, fed by a buffer that all banks share.

    Parameters
    ----------
    kind : str
        ``aim``.
    buffer_columns : int
        Columns of inputs that the global buffer holds.
    table_row : int
        The row of each bank in which the table of the activation function is.
    commands : AimCommands
        Those of all banks.
    moves : AimMoves
        Those of the buffer and of registers.
    """

    kind: Literal["aim"]
    buffer_columns: Some
    table_row: Row
    commands: AimCommands
    moves: AimMoves


Pim = Annotated[HbmPim | AttAcc | Aim, Field(discriminator="kind")]
