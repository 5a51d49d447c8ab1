"""Synthetic traffic: which addresses are asked for, and when."""

from __future__ import annotations

import numpy as np

from pimsim.dram.requests import Ints, Requests, bursts_of, places_of
from pimsim.dram.schema import Standard
from pimsim.errors import ConfigError, nearest

PATTERNS = {
    "stream": "one address after the other",
    "random": "any address of the channel",
    "stride": "stride:N every N-th burst",
    "pingpong": "two rows of one bank in turn",
    "copy": "read A[i], write B[i]: two streams half of the channel apart",
}


def make_requests(
    standard: Standard,
    pattern: str,
    count: int,
    write_share: float = 0.0,
    load: float | None = None,
    seed: int = 1,
) -> Requests:
    """Return requests of a pattern.

    Parameters
    ----------
    standard : Standard
        The memory.
    pattern : str
        A key of `PATTERNS`.
    count : int
        Requests.
    write_share : float
        Part of them that are writes, drawn at random; of ``copy``, every other one is.
    load : float, optional
        Share of the peak bandwidth that is asked for, as a Poisson process; None if all are there from the beginning.
    seed : int
        Of what is drawn.

    Raises
    ------
    ConfigError
        If there is no such pattern.
    """
    name, colon, text = pattern.partition(":")
    where = "--pattern"
    if name not in PATTERNS or bool(colon) != (name == "stride"):
        mend = nearest(name, list(PATTERNS)) if name not in PATTERNS else PATTERNS[name]
        raise ConfigError(f"found '{pattern}'"[:100], where=where, mend=mend)
    rng = np.random.default_rng(seed)
    write = rng.random(count) < write_share
    if name == "copy":
        write = np.arange(count) % 2 == 1
    if name == "pingpong":
        each = np.arange(count, dtype=np.int64)
        zero = np.zeros(count, dtype=np.int64)
        places = zero, each % 2, each // 2 % standard.columns
    else:
        places = places_of(standard, _bursts(standard, name, text, count, rng))
    return Requests(write, *places, _arrivals(standard, count, load, rng))


def _bursts(standard: Standard, name: str, text: str, count: int, rng: np.random.Generator) -> Ints:
    """Return addresses, in bursts."""
    room, each = bursts_of(standard), np.arange(count, dtype=np.int64)
    if name == "random":
        return rng.integers(0, room, count)
    if name == "copy":
        return (each // 2 + each % 2 * (room // 2)) % room
    if name == "stream":
        return each % room
    if not text.isdecimal() or not 1 <= int(text[:12]) < room:
        raise ConfigError(
            f"found '{text[:40]}', expected stride:N with 1 to {room - 1} bursts", where="--pattern"
        )
    return each * int(text) % room


def _arrivals(standard: Standard, count: int, load: float | None, rng: np.random.Generator) -> Ints | None:
    """Return the cycles in which requests are made: a Poisson process."""
    if load is None:
        return None
    pace = standard.cycles["nBL"] / standard.buses / load  # cycles a request
    return np.floor(np.cumsum(rng.exponential(pace, count))).astype(np.int64)
