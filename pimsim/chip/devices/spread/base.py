"""What every published model of cells has in common: its range, what it models and what not, and the three laws."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MODELS = ("programming", "drift", "read")
"""What becomes of a conductance: it is missed when it is programmed, it drifts, and each read of it is noisy."""
NOT_READ = "not in what was read"


class Spread:
    """How the conductances of a technology spread and change, as one publication has them.

    A subclass has the figures as class attributes, and of the three laws those that it does not list as `missing`.
    """

    source: str = ""
    """Which publication, and through whom, in a few words."""
    g_min_us: float | None = None
    g_max_us: float | None = None
    """The range that it was published for, in microsiemens; None where it has none."""
    levels: int | None = None
    """How many levels a cell is published to be told apart by; None where that is not known."""
    missing: ClassVar[Mapping[str, str]] = {}
    """Of `MODELS`, what is not modelled, each with the reason."""
    longest_s: float = inf
    """Seconds after programming that its drift is published up to; inf where it is a law without an end."""

    def programming_sigma_us(self, target_us: Floats, g_max_us: float) -> Floats:
        """Return the standard deviation of what programming to a target leaves, in microsiemens."""
        raise NotImplementedError

    def drifted_us(
        self, programmed_us: Floats, target_us: Floats, seconds: float, normal: Floats, g_max_us: float
    ) -> Floats:
        """Return the conductances so many seconds after programming, in microsiemens."""
        raise NotImplementedError

    def read_sigma_us(
        self, conductance_us: Floats, written_us: Floats, seconds: float, g_max_us: float
    ) -> Floats:
        """Return the standard deviation of one read of a cell that was written so, in microsiemens."""
        raise NotImplementedError


class Unpublished(Spread):
    """A technology of which none of the three is published in what was read.

    Parameters
    ----------
    source : str
        Where its range comes from.
    g_min_us, g_max_us : float, optional
        The range, in microsiemens.
    levels : int, optional
        Levels that a cell can be told apart by.
    """

    missing: ClassVar[Mapping[str, str]] = dict.fromkeys(MODELS, NOT_READ)

    def __init__(
        self,
        source: str = "",
        g_min_us: float | None = None,
        g_max_us: float | None = None,
        levels: int | None = None,
    ) -> None:
        self.source, self.g_min_us, self.g_max_us, self.levels = source, g_min_us, g_max_us, levels


class Bits(Spread):
    """Cells that hold a bit exactly, as long as there is power."""

    source = "a latch holds 0 or 1"
    levels = 2
    missing: ClassVar[Mapping[str, str]] = {
        "read": "the mismatch of the cells' transistors is not in what was read"
    }

    def programming_sigma_us(self, target_us: Floats, g_max_us: float) -> Floats:
        """Nothing is missed."""
        return target_us * 0.0

    def drifted_us(
        self, programmed_us: Floats, target_us: Floats, seconds: float, normal: Floats, g_max_us: float
    ) -> Floats:
        """Nothing drifts."""
        return programmed_us
