"""Causal attention: of its scores a row has those of the keys up to its own, so it waits for no later ones.

The product that makes the scores says so (``causal``). What works on scores element by element puts out scores; a
product whose left matrix is scores needs as many rows of its right one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.mapping.flow.layout import Shape, Source, Table
from pimsim.trace.op import Op


@dataclass(frozen=True, slots=True)
class Triangle:
    """What a causal mask leaves of scores; the last row has all keys.

    Parameters
    ----------
    rows, keys : int
        Of a head's scores; no more rows than keys.
    """

    rows: int
    keys: int

    @property
    def share(self) -> float:
        """The share of all scores: (n + 1) / 2n of n rows and as many keys."""
        return (2 * self.keys - self.rows + 1) / (2 * self.keys)

    def need(self, image: Table, tokens: int, cached: int) -> Table:
        """Return the tokens that must have come before each row of each image.

        Parameters
        ----------
        image : int64, shape (positions,)
            Of each row.
        tokens, cached : int
            New ones of an image, and those that a cache holds before them.
        """
        row = np.arange(len(image), dtype=np.int64) % self.rows
        keys = self.keys - self.rows + 1 + row
        return image * tokens + np.clip(keys - cached, 0, tokens)


def made_by(op: Op) -> Triangle | None:
    """Return the scores that a product says it makes."""
    if not op.attributes.get("causal") or len(op.activations) < 2:
        return None
    rows, keys = op.output.shape[-2:] if len(op.output.shape) >= 2 else (1, 0)
    return Triangle(rows, keys) if rows <= keys else None


def seen_in(scores: Triangle | None, source: Source, shape: Shape) -> Triangle | None:
    """Return the scores that a source puts out if an operand of this shape still has them row by row."""
    if scores is None or shape[-2:] != (scores.rows, scores.keys) or source.piece:
        return None
    if source.grid is not None and not (np.diff(source.grid.ravel()) == 1).all():
        return None  # other rows than it has, or in another order
    rank = len(shape)
    turned = source.axes is None or rank - 1 in source.axes
    return None if turned else scores
