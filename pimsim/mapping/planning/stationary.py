"""The stationary operand: a matrix that stays where it is used, what it is, where it is, when it is written and how.

Weights, the right matrices of products, and the caches before them are all one: rows that are written into a home, a
share at each place, side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

BUFFER, SPREAD, MEMORY, ARRAYS = "tile.buffer", "several tiles' buffers", "memory", "core.array"

When = Literal["before", "round", "image", "step"]
"""Before the run; in each round of weights, anew in every inference; for each image; for each step, beside a cache."""


class Share(NamedTuple):
    """What of an operand is at one place; its slots are written side by side.

    Parameters
    ----------
    tile, core : int
        Where; -1 is no core of its own.
    slots : int
        Arrays, or banks; 0 in a buffer or memory.
    rows : int
        Written one after another each time: rows of arrays, words of banks, tokens in a buffer or memory.
    elements : int
        Written each time.
    width : int
        Bits of an element.
    cells : int
        That these take: cells of arrays, bits of banks, elements elsewhere.
    when : str
        See `When`.
    """

    tile: int
    core: int
    slots: int
    rows: int
    elements: int
    width: int
    cells: int
    when: When


@dataclass(frozen=True, slots=True)
class Stationary:
    """A matrix that stays where it is used.

    Parameters
    ----------
    what : str
        ``weights``; or ``activations``, the right matrix of a product; or ``cache``, one that grows by each step.
    home : str
        `BUFFER`, `SPREAD`, `MEMORY` or `ARRAYS`; the last stands for banks of weights, too.
    shares : tuple of Share
        By replica, and by core within it.
    times : int
        How often an inference writes the same cells: 0 for what is there before.
    """

    what: Literal["weights", "activations", "cache"]
    home: str
    shares: tuple[Share, ...]
    times: int

    def at(self, when: When) -> list[Share]:
        """Return the shares that are written then."""
        return [share for share in self.shares if share.when == when]
