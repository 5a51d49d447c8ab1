"""What devices make of the cells that were asked for: programming, drift, the noise of a read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pimsim.values.streams import stream

if TYPE_CHECKING:
    from pimsim.values.coding import Cells, Levels

EFFECTS = ("programming", "drift", "read")
"""What a device can be said to do to a cell, in the order in which it happens."""


Micro = npt.NDArray[np.floating[Any]]
"""Conductances in microsiemens."""


class Technology(Protocol):
    """What is asked of a technology of memory cells; `pimsim.chip.devices.Device` says what each means."""

    g_min_us: float | None
    g_max_us: float | None

    def programmed_us(self, target_us: Micro, normal: Micro) -> Micro:
        """Return conductances after programming."""

    def drifted_us(self, programmed_us: Micro, target_us: Micro, seconds: float, normal: Micro) -> Micro:
        """Return conductances after some time."""

    def read_sigma_us(self, conductance_us: Micro, target_us: Micro, seconds: float) -> Micro:
        """Return the standard deviation of a read."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Which of them there are.

    Parameters
    ----------
    device : Technology, optional
        Whose; without one there are none.
    of : frozenset of str
        Those of `EFFECTS` that are looked at.
    seconds : float
        Since the cells were programmed.
    seed : int
        Of what is drawn.
    compensated : bool
        Whether results are multiplied by a factor so that the cells of an op conduct as much as when it was written.
    """

    device: Technology | None = None
    of: frozenset[str] = frozenset()
    seconds: float = 0.0
    seed: int = 0
    compensated: bool = False

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return self.device is not None and bool(self.of)


class Actual(NamedTuple):
    """The cells of a block as they are.

    Parameters
    ----------
    levels : float32 array, shape (pairs, slices, rows, outputs)
        In levels, from the least conductance on.
    sigma : float32 array of the same shape, optional
        Standard deviation of one read; None where there is no noise.
    """

    levels: Levels
    sigma: Levels | None = None

    def variance(self, pair: int | None = None) -> npt.NDArray[np.float32] | None:
        """Return the variance of a read of one cell of each pair, or of both together: (slices, rows, outputs)."""
        if self.sigma is None:
            return None
        squares: Levels = self.sigma * self.sigma
        return np.asarray(squares.sum(axis=0) if pair is None else squares[pair], dtype=np.float32)


def actual_of(cells: Cells, effects: Effects, name: tuple[str | int, ...]) -> Actual:
    """Return cells as a device has them.

    Parameters
    ----------
    cells : Cells
        As asked for.
    effects : Effects
        What happens to them.
    name : tuple of str or int
        Which block of which copy this is.
    """
    device = effects.device
    if device is None or not effects.any:
        return Actual(cells.levels)
    assert device.g_min_us is not None
    assert device.g_max_us is not None
    low, span = device.g_min_us, (device.g_max_us - device.g_min_us) / cells.top
    target = low + span * cells.levels.astype(np.float64)
    found: Micro = target
    if "programming" in effects.of:
        draws = stream(effects.seed, "programming", *name).standard_normal(target.shape)
        found = device.programmed_us(found, draws)
    if "drift" in effects.of:
        draws = stream(effects.seed, "drift", *name).standard_normal(target.shape)
        found = device.drifted_us(found, target, effects.seconds, draws)
    sigma = None
    if "read" in effects.of:
        sigma = (device.read_sigma_us(found, target, effects.seconds) / span).astype(np.float32)
    return Actual(((found - low) / span).astype(np.float32), sigma)
