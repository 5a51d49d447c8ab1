"""Requests to a channel: where each goes, and how an address becomes a place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pimsim.dram.schema import Standard
from pimsim.errors import ConfigError

MOST_REQUESTS = 20_000_000  # some 170 bytes each
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Requests:
    """A list of reads and writes of a burst each.

    Parameters
    ----------
    write : numpy.ndarray of bool, shape (requests,)
        Which are writes.
    bank, row, column : numpy.ndarray of int64, shape (requests,)
        Places; banks count through the whole channel.
    cycle : numpy.ndarray of int64, optional
        When each is made; None if all are there from the beginning.
    """

    write: npt.NDArray[np.bool_]
    bank: Ints
    row: Ints
    column: Ints
    cycle: Ints | None = None

    def __len__(self) -> int:
        return len(self.bank)


def banks_of(standard: Standard) -> int:
    """Return the banks of a channel."""
    return int(np.prod(list(standard.levels.values()), dtype=np.int64))


def bursts_of(standard: Standard) -> int:
    """Return the bursts that a channel holds."""
    return banks_of(standard) * standard.rows * standard.columns


def bank_number(standard: Standard, places: dict[str, Ints]) -> Ints:
    """Return the number of a bank in the channel from its place at each level."""
    some = next(iter(places.values()))
    bank = np.zeros(len(some), dtype=np.int64)
    for level, count in standard.levels.items():
        bank = bank * count + places[level]
    return bank


def places_of(standard: Standard, bursts: Ints) -> tuple[Ints, Ints, Ints]:
    """Cut addresses as the standard's mapping says.

    Parameters
    ----------
    bursts : numpy.ndarray of int64
        Addresses in bursts.

    Returns
    -------
    bank, row, column : numpy.ndarray of int64
    """
    sizes = {**standard.levels, "row": standard.rows, "column": standard.columns}
    rest, places = np.asarray(bursts, dtype=np.int64), {}
    for name in reversed(standard.mapping):
        places[name] = rest % sizes[name]
        rest = rest // sizes[name]
    return bank_number(standard, places), places["row"], places["column"]


def check_bursts(standard: Standard, bursts: Ints, where: str) -> None:
    """Refuse addresses outside the channel.

    Raises
    ------
    ConfigError
        If there are any.
    """
    if len(bursts) and (bursts.min() < 0 or bursts.max() >= bursts_of(standard)):
        most = bursts_of(standard) * standard.data.burst_bytes - 1
        worst = int(bursts.max() if bursts.max() >= bursts_of(standard) else bursts.min())
        raise ConfigError(
            f"found the address {worst * standard.data.burst_bytes:#x}, expected 0 to {most:#x}", where=where
        )
