"""Products of two activations on arrays: the right matrix is written into them, then the left one's rows go through.

The matrix of a head is written once all its tokens are there, the rows of its arrays one after another and all arrays
at once. Of a matrix whose tokens are columns (keys) every row is written, however few tokens are new; of one whose
tokens are rows (values) as many as there are new tokens. What a cache holds is in the arrays already.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pimsim.kinds.crossbar.site import Crossbar
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import right_heads
from pimsim.mapping.planning.product import Product

Service = Callable[[Node, int], float]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The right matrices of a slice of heads, for one image.

    Parameters
    ----------
    count : int
        How many.
    vectors : int
        Rows of the left matrix that each of them meets in a firing: as many as there are heads that share it.
    rows, columns : int
        Of each, with what a cache holds.
    fresh : int
        Tokens that are written for an image.
    across : bool
        Whether tokens are columns.
    images : int
        Images of an inference: each has its own.
    cached : bool
        Whether some of them stay for the next inference.
    bits : int
        Of an element.
    """

    count: int
    vectors: int
    rows: int
    columns: int
    fresh: int
    across: bool
    images: int
    cached: bool
    bits: int

    @classmethod
    def of(cls, node: Node, slices: int) -> Matrix | None:
        """Return the right matrices of a product of two activations; None for one that arrays cannot hold so."""
        right, op = node.right, node.op
        if right is None or op is None or right.across is None or node.layout.heads == 0:
            return None
        depth = op.inputs[1].tensor.shape[-2 if right.across else -1]
        heads, tokens = right_heads(node), right.held // right.features
        if heads % slices or node.layout.heads % heads or right.features != heads * depth:
            return None
        rows, columns = (depth, tokens) if right.across else (tokens, depth)
        fresh = (right.held - right.cached) // right.features
        images = node.positions // right.rows
        return cls(
            heads // slices,
            node.layout.heads // heads,
            rows,
            columns,
            fresh,
            right.across,
            images,
            right.cached > 0,
            right.bits,
        )

    def blocks(self, site: Crossbar) -> tuple[int, int]:
        """Return how many arrays one matrix takes, from top to bottom and from left to right."""
        array = site.core.array
        outputs = array.columns // site.weight_slices(self.bits)
        return -(-self.rows // array.rows), -(-self.columns // max(1, outputs))

    def active(self, site: Crossbar) -> int:
        """Return the arrays that a firing uses."""
        return self.count * math.prod(self.blocks(site))

    def rows_written(self, site: Crossbar) -> int:
        """Return how many rows are written one after another for an image."""
        return min(self.rows if self.across else self.fresh, site.core.array.rows)

    def cells_written(self, site: Crossbar) -> int:
        """Return the cells that are written for an image."""
        return (
            self.count
            * self.fresh
            * (self.rows if self.across else self.columns)
            * site.weight_slices(self.bits)
        )


def product_of(nodes: Sequence[Node], slices: int, site: Crossbar, service: Service) -> Product | None:
    """Return the product that a node is in each program; None if it is none that arrays can do.

    Parameters
    ----------
    nodes : sequence of Node
        Of each program.
    slices : int
        Of heads.
    site : Crossbar
        Where.
    service : callable
        Gives the time that a firing of a slice would keep a digital unit busy, fs.
    """
    array = site.core.array
    fs, active, images = [], 0, 0
    for node in nodes:
        matrix = Matrix.of(node, slices)
        if matrix is None:
            return None
        cells = matrix.cells_written(site)
        writing = matrix.images * array.write(matrix.rows_written(site), cells, site.clocks).held
        multiplying = node.positions * matrix.vectors * site.mvm_period_fs(node.read_bits)
        digital = math.ceil(node.positions * service(node, slices))
        fs.append((digital, writing + multiplying))
        active = max(active, matrix.active(site))
        images = max(images, matrix.images if matrix.cached else 0)
    return Product(slices, fs, active, images)
