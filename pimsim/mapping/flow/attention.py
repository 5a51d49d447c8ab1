"""Attention in one kernel: its sizes, and the ops that make it up, from the scores to the product by the values."""

from __future__ import annotations

from typing import NamedTuple


class Attention(NamedTuple):
    """What a kernel that does all of attention works on.

    Parameters
    ----------
    products : int
        Different matrices of keys, and as many of values: images times heads that have their own.
    sharing : int
        Heads that share one of each.
    rows, keys : int
        Queries of a head, and keys, those in a cache included.
    depth, width : int
        Features of a query and of a value.
    masks : float
        Elements of masks and biases that are read beside it, in matrices of rows x keys.
    causal : bool
        Whether a row sees the keys up to its own alone.
    """

    products: int
    sharing: int
    rows: int
    keys: int
    depth: int
    width: int
    masks: float
    causal: bool

    @property
    def queries(self) -> int:
        """Rows of all heads."""
        return self.products * self.sharing * self.rows

    @property
    def scores(self) -> float:
        """Scores of all heads that a mask leaves."""
        seen = (2 * self.keys - self.rows + 1) / 2 if self.causal else self.keys
        return self.queries * seen

    @property
    def macs(self) -> float:
        """Multiply-accumulates of both products."""
        return self.scores * (self.depth + self.width)

    def elements(self, times: float = 1) -> tuple[float, float, float]:
        """Return the elements of queries, of keys and values so many times over, and of results."""
        both = self.products * self.keys * (self.depth + self.width)
        return self.queries * self.depth, times * both, self.queries * self.width
