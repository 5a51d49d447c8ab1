"""The product of two matrices that an op is: how many, of which sizes."""

from __future__ import annotations

import math
from typing import NamedTuple

from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.rules import rule_of
from pimsim.trace.op import Op


class Product(NamedTuple):
    """So many products of M x K by K x N.

    Parameters
    ----------
    batch : int
        Products that do not share a matrix: groups of a convolution, heads.
    m, n, k : int
        Rows of the left matrix, columns of the right one, and what is summed over.
    """

    batch: int
    m: int
    n: int
    k: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.batch * self.m * self.n * self.k


def product_of(op: Op) -> Product:
    """Return the product that an op is; of a convolution that of the unrolled windows."""
    left, right = op.inputs[0].tensor.shape, op.inputs[1].tensor.shape
    if op.type == "MatMul":
        m = left[-2] if len(left) > 1 else 1
        n, k = right[-1] if len(right) > 1 else 1, left[-1]
        if len(right) == 2:  # one matrix for all rows
            m = math.prod(left[:-1])
        return Product(op.macs // (m * n * k), m, n, k)
    matrix = rule_of(op.type).matrix
    assert matrix is not None
    k, n, groups = matrix(op, right)
    return Product(groups, op.macs // (groups * k * n), n, k)


def unmasked(product: Product, node: Node) -> Product:
    """Return a product of what a causal mask leaves, as if each row had the mean of all rows: of keys, or of scores."""
    if node.edges[0].seen < 1:
        return product._replace(k=math.ceil(product.k * node.seen))
    return product._replace(n=math.ceil(product.n * node.seen))
