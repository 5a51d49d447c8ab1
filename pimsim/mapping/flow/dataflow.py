"""A model as a graph of ops that fire, and of the streams of tokens between them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pimsim.mapping.flow.attention import Attention
from pimsim.mapping.flow.causal import Triangle
from pimsim.mapping.flow.layout import Layout, Table
from pimsim.mapping.flow.windows import Window
from pimsim.trace.op import Op

Expert = tuple[int, int]
"""A layer of a mixture of experts, and which of its experts."""


@dataclass(slots=True)
class Edge:
    """An input of a node: a stream of the source's tokens.

    Parameters
    ----------
    source : int
        Number of the node that fills it.
    need, low : int64, shape (positions of the consumer,)
        Tokens that must have come before a position fires; the first token that it or a later one needs.
    reads : int
        Elements that one firing reads from its buffer.
    features : int
        Elements of a token that are taken: all of the source's, or a slice.
    window : Window, optional
        Which positions of the operand exactly: its tokens, unless `order` says otherwise.
    order : int64, shape (positions of the operand, some), optional
        The tokens of each, where they are not one each in order.
    evenly : bool
        Whether each position reads tokens of its own, if only all of them together say which: a part of the positions
        is then taken to read an equal part of the tokens, one after another.
    unrolled : bool
        Whether a token is all that a firing reads, in the order of the rows of its matrix.
    piece : tuple
        Which slice of the source's features; empty for all.
    held : int
        For the right matrix of a product of two activations: its elements, which stay while the left one's rows
        pass; 0 for other inputs.
    cached : int
        Of those, the elements that a cache holds from earlier inferences.
    rows : int
        How many firings use the same ones.
    across : bool or None
        Whether its tokens are columns of that matrix, or rows; None where it is cut otherwise.
    seen : float
        The share of what it reads that a causal mask leaves, over all positions.
    bits : int
        Of an element (`pimsim.mapping.flow.widths`).
    """

    source: int
    need: Table
    low: Table
    reads: int
    features: int
    window: Window | None = None
    order: Table | None = None
    evenly: bool = False
    unrolled: bool = False
    piece: tuple[object, ...] = ()
    held: int = 0
    cached: int = 0
    rows: int = 1
    across: bool | None = None
    seen: float = 1.0
    bits: int = 0

    @property
    def at_once(self) -> Table:
        """`need` if a right matrix must be there as a whole before its first row: that of its last row."""
        return np.repeat(self.need[self.rows - 1 :: self.rows], self.rows) if self.held else self.need

    def wanted(self, positions: Table, tokens: int, *, dealt: bool = False) -> npt.NDArray[np.bool_]:
        """Return which of the source's tokens some of the consumer's positions read.

        With `dealt`, other positions are done elsewhere, so that those that read `evenly` need no more than their part.
        """
        if self.window is not None and self.order is not None:
            read = np.zeros(tokens, dtype=np.bool_)
            read[self.order[self.window.pixels(positions)].ravel()] = True
            return read
        if self.window is not None:
            return self.window.covered(positions, tokens)
        first, behind = self.low[positions], self.need[positions]
        if dealt and self.evenly:
            first = positions * tokens // len(self.need)
            behind = np.maximum((positions + 1) * tokens // len(self.need), first + 1)
        edges = np.zeros(tokens + 1, dtype=np.int64)
        np.add.at(edges, first, 1)
        np.add.at(edges, behind, -1)
        return np.cumsum(edges[:-1]) > 0


@dataclass(slots=True)
class Node:
    """An op that fires.

    Parameters
    ----------
    name, type : str
        Of the op; the model's outputs get nodes of type ``Output``.
    op : Op or None
        The op; None for ``Output``.
    positions : int
        Firings an inference.
    features : int
        Elements of a token that it puts out.
    tokens : int
        Tokens an inference.
    token : int64, shape (positions,)
        The token that a firing puts out, -1 for none.
    work : float
        Elements that one firing processes on a digital unit (before the unit's cost per element).
    seen : float
        The share of them that a causal mask leaves, over all positions: a unit may skip the rest.
    scores : Triangle, optional
        Which scores it puts out, if a causal mask follows or has been.
    layout : Layout
        Of the tensor that its tokens make up.
    edges : list of Edge
        Its inputs.
    expert : (int, int), optional
        The expert that it is an op of: from the Dispatch to the last op before the Combine.
    bits : int
        Of an element that it puts out.
    attention : Attention, optional
        What its kernel does, if that is all of attention up to this product.
    within : str
        The op in whose kernel it is done; empty for one of its own.
    """

    name: str
    type: str
    op: Op | None
    positions: int
    features: int
    tokens: int
    token: Table
    work: float
    layout: Layout
    edges: list[Edge] = field(default_factory=list)
    expert: Expert | None = None
    seen: float = 1.0
    scores: Triangle | None = None
    bits: int = 0
    attention: Attention | None = None
    within: str = ""

    @property
    def on_arrays(self) -> bool:
        """Whether it multiplies by a weight held in arrays."""
        return self.op is not None and self.op.weight is not None

    @property
    def pointwise(self) -> bool:
        """Whether position k needs position k of its single input and nothing else."""
        return len(self.edges) == 1 and bool(
            np.array_equal(self.edges[0].need, np.arange(1, self.positions + 1))
            and np.array_equal(self.token, np.arange(self.positions))
        )

    @property
    def read_bits(self) -> int:
        """Bits of an element of what it multiplies by what stays: the widest of its inputs but the right matrix."""
        return max((edge.bits for edge in self.edges if not edge.held), default=self.bits)

    @property
    def right(self) -> Edge | None:
        """The right matrix of a product of two activations."""
        return next((edge for edge in self.edges if edge.held), None)
