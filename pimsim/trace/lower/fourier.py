"""Fourier transforms, as products by their matrices: what an array would do."""

from __future__ import annotations

from typing import Any

from pimsim.trace.lower.maker import Maker, Term


def transform(m: Maker, source: Term, axis: int, bins: int, parts: int = 2) -> Any:
    """Transform samples along an axis, real or complex, a last dimension of one or two numbers.

    Parameters
    ----------
    bins, parts : int
        What is put out: how many numbers along the axis, and whether they are real (1) or complex (2).
    """
    rank, size, given = len(source.shape), source.shape[axis], source.shape[-1]
    order = [n for n in range(rank - 1) if n != axis] + [axis, rank - 1]
    turned = m.transpose(source, order)
    head = turned.shape[:-2]
    made = m.matmul(
        m.reshape(turned, (*head, size * given)), m.number((size * given, bins * parts), source.dtype)
    )
    return m.transpose(m.reshape(made, (*head, bins, parts)), [order.index(n) for n in range(rank)])
