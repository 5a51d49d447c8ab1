"""What devices and wires make of the cells that were asked for: programming, drift, IR drop, the noise of a read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pimsim.values.streams import stream
from pimsim.values.wires import effective_fast_us

if TYPE_CHECKING:
    from pimsim.values.coding import Cells, Levels

PROGRAMMING, DRIFT, WIRES, READ = EFFECTS = "programming", "drift", "wires", "read"
"""What can be said to happen to a cell, in order; the wires are those of its array."""


Micro = npt.NDArray[np.float64]
"""Conductances in microsiemens."""


class Technology(Protocol):
    """What is asked of a technology of memory cells; `pimsim.chip.devices.Device` says what each means."""

    @property
    def g_min_us(self) -> float | None:
        """The least conductance."""

    @property
    def g_max_us(self) -> float | None:
        """The largest."""

    @property
    def models(self) -> Collection[str]:
        """Which of `EFFECTS` are known of it."""

    def programmed_us(self, target_us: Micro, normal: Micro) -> Micro:
        """Return conductances after programming."""

    def drifted_us(self, programmed_us: Micro, target_us: Micro, seconds: float, normal: Micro) -> Micro:
        """Return conductances after some time."""

    def read_sigma_us(
        self, conductance_us: Micro, target_us: Micro, seconds: float, programmed_us: Micro | None = None
    ) -> Micro:
        """Return the standard deviation of a read."""


def known_of(device: Technology, wire_ohm: float | None) -> frozenset[str]:
    """Return which of `EFFECTS` change the cells of a technology: none where it has no conductances but bits."""
    if device.g_min_us is None or device.g_max_us is None:
        return frozenset()
    return frozenset(EFFECTS) & {*device.models, *([WIRES] if wire_ohm else [])}


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
    wire_ohm : float
        Of the wire from one cell to the next, in ohm.
    compensated : bool
        Whether results are multiplied by a factor so that the cells of an op conduct as much as when it was written.
    """

    device: Technology | None = None
    of: frozenset[str] = frozenset()
    seconds: float = 0.0
    seed: int = 0
    wire_ohm: float = 0.0
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
    found = written = target
    if PROGRAMMING in effects.of:
        draws = stream(effects.seed, "programming", *name).standard_normal(target.shape)
        found = written = device.programmed_us(target, draws)
    if DRIFT in effects.of:
        draws = stream(effects.seed, "drift", *name).standard_normal(target.shape)
        found = device.drifted_us(found, target, effects.seconds, draws)
    if WIRES in effects.of:
        found = _behind_wires(found, effects.wire_ohm)
    sigma = None
    if READ in effects.of:
        sigma = (device.read_sigma_us(found, target, effects.seconds, written) / span).astype(np.float32)
    return Actual(((found - low) / span).astype(np.float32), sigma)


def _behind_wires(cells: Micro, wire_ohm: float) -> Micro:
    """Return the conductances that blocks seem to have, shape (pairs, slices, rows, outputs).

    The slices of a weight lie side by side, the two cells of a pair on wires of their own; nothing else is driven in
    the array, and the block begins where rows are driven and ends where columns are read.
    """
    pairs, slices, rows, outputs = cells.shape
    across = cells.transpose(0, 2, 3, 1).reshape(pairs, rows, outputs * slices)
    seen = effective_fast_us(across, wire_ohm)
    return seen.reshape(pairs, rows, outputs, slices).transpose(0, 3, 1, 2)
