"""How the products of an op on slots come about as numbers, for whoever computes them."""

from __future__ import annotations

from typing import NamedTuple

from pimsim.chip.devices import Device
from pimsim.values.arithmetic import Form, Piece


class Analog(NamedTuple):
    """What a kind of site says of an op whose weights stand on it.

    Parameters
    ----------
    form : Form
        How integers become cells and reads.
    pieces : tuple of Piece
        The blocks of the op's matrix.
    device : Device
        What the cells are made of.
    wire_ohm : float, optional
        Of the wire from one cell to the next, in ohm; None where wires are not modelled.
    compensated : bool
        Whether drift is compensated by a factor.
    """

    form: Form
    pieces: tuple[Piece, ...]
    device: Device
    wire_ohm: float | None
    compensated: bool
