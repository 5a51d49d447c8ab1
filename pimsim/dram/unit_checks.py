"""Whether what a file says of units that compute fits the rest of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pimsim.chip.base import refuse
from pimsim.dram.energy import Currents, Parts
from pimsim.dram.unit import Aim, AttAcc, HbmPim


class Beside(NamedTuple):
    """What the units must fit.

    Parameters
    ----------
    commands : mapping of str to (str, str)
        For each command what it does, and the level that it goes to.
    levels : mapping of str to int
        What is inside a channel.
    rows : int
        Of a bank.
    column_bits : int
        Of a column.
    energy : Parts or Currents, optional
        The memory's.
    """

    commands: Mapping[str, tuple[str, str]]
    levels: Mapping[str, int]
    rows: int
    column_bits: int
    energy: Parts | Currents | None


def check_units(pim: HbmPim | AttAcc | Aim, beside: Beside) -> None:
    """See that commands of several banks do what they are there for, and that a column has an element for each lane.

    Raises
    ------
    PydanticCustomError
        If something does not fit.
    """
    bits = beside.column_bits
    if pim.lanes * pim.element_bits != bits:
        raise refuse("pim.lanes", f"{pim.lanes} of {pim.element_bits} bits", f"a column, {bits} bits")
    if isinstance(pim, AttAcc):
        _check_moves(pim, beside)
    elif isinstance(pim, Aim):
        _check_trees(pim, beside)
    else:
        _check_pairs(pim, beside)


def _check_does(beside: Beside, path: str, name: str, does: str) -> None:
    if beside.commands.get(name) != (does, "bank"):
        raise refuse(path, name, f"a command to a bank that does '{does}'")


def _check_moves(pim: AttAcc, beside: Beside) -> None:
    for at, commands in pim.sets.items():
        for key in ("activate", "precharge", "multiply"):
            name = getattr(commands, key)
            _check_does(beside, f"pim.sets.{at}.{key}", name, "read" if key == "multiply" else key)
        _check_parts(f"pim.sets.{at}.parts", commands.parts, beside)
    for key, name in pim.moves.model_dump().items():
        _check_does(beside, f"pim.moves.{key}", name, "move")


def _check_parts(path: str, parts: Sequence[str], beside: Beside) -> None:
    known = beside.energy.burst_pj_per_bit if isinstance(beside.energy, Parts) else {}
    for part in parts:
        if part not in known:
            raise refuse(path, part, f"parts of the energy: {', '.join(known) or 'none'}")


def _check_trees(pim: Aim, beside: Beside) -> None:
    does = {"activate": "activate", "precharge": "precharge", "multiply": "read", "apply": "read"}
    for key, name in pim.commands.model_dump().items():
        _check_does(beside, f"pim.commands.{key}", name, does[key])
    for key, name in pim.moves.model_dump().items():
        _check_does(beside, f"pim.moves.{key}", name, "move")
    if pim.table_row >= beside.rows:
        raise refuse("pim.table_row", pim.table_row, f"a row below {beside.rows}")


def _check_pairs(pim: HbmPim, beside: Beside) -> None:
    for does, name in pim.commands.model_dump().items():
        _check_does(beside, f"pim.commands.{does}", name, does)
    if 2 * pim.units != beside.levels["bank"] * beside.levels.get("bankgroup", 1):
        raise refuse("pim.units", pim.units, "one for every two banks of a rank")
    _check_parts("pim.bank_parts", pim.bank_parts, beside)
    for key in ("enter_row", "leave_row", "register_row", "park_row"):
        if getattr(pim, key) >= beside.rows:
            raise refuse(f"pim.{key}", getattr(pim, key), f"a row below {beside.rows}")
