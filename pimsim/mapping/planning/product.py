"""A product of two activations that could be done in slots instead of on a digital unit: what either way would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """A product of two activations that could be done either way, in each of the programs that share the chip.

    Parameters
    ----------
    slices : int
        Of heads.
    fs : list of (int, int)
        For each program, how long an inference keeps a slice's digital unit busy, or else its arrays.
    active : int
        Arrays of a slice for one inference at its largest.
    images : int
        Images that have a cache of their own, 0 if none has.
    """

    slices: int
    fs: list[tuple[int, int]]
    active: int
    images: int

    def arrays(self, sequences: int) -> int:
        """Return the arrays that a slice needs; with a cache, each image of each sequence has its own."""
        return self.active * max(1, self.images * sequences)

    def faster(self, runs: Sequence[int]) -> bool:
        """Return whether arrays are faster over so many runs of the programs."""
        digital, written = (
            sum(n * times[way] for n, times in zip(runs, self.fs, strict=True)) for way in (0, 1)
        )
        return written < digital
