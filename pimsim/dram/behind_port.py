"""A channel of a memory behind a port of a machine, as the core runs it."""

from __future__ import annotations

from math import prod

import numpy as np

from pimsim.dram.bus import after, between
from pimsim.dram.channel import Channel, built
from pimsim.dram.requests import Requests, banks_of
from pimsim.dram.schema import Standard
from pimsim_core.dram import DramChannel
from pimsim_core.dram_time import DramTime

BANKS, ROWS, COLUMNS = range(3)  # what a digit of an address counts


def digits(standard: Standard) -> list[tuple[int, int, int]]:
    """Return how an address in bursts becomes a place, from the lowest digit up.

    Each digit has a size, what it counts (`BANKS`, `ROWS` or `COLUMNS`), and for how many of these one of it counts.
    """
    counts = list(standard.levels.values())
    inside = {level: prod(counts[number + 1 :]) for number, level in enumerate(standard.levels)}
    others = {"row": (standard.rows, ROWS, 1), "column": (standard.columns, COLUMNS, 1)}
    return [
        others[name] if name in others else (standard.levels[name], BANKS, inside[name])
        for name in reversed(standard.mapping)
    ]


def idle(channel: Channel) -> DramChannel:
    """Return an idle channel that keeps what its time goes to."""
    standard = channel.standard
    nothing = np.zeros(0, dtype=np.int64)
    _, made, _ = built(standard, channel.policy, Requests(nothing > 0, nothing, nothing, nothing), 0, False)
    refresh = standard.refresh.get(channel.policy.refresh)  # type: ignore[call-overload]
    made.keep_time(
        DramTime(
            banks_of(standard),
            standard.cycles["nBL"],
            between(standard, "activate", "read"),
            between(standard, "activate", "write"),
            between(standard, "precharge", "activate"),
            after(standard, refresh.command) if refresh is not None else 0,
        )
    )
    return made
