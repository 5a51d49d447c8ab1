"""One channel under a list of requests: from a standard and a policy to the core, and back to figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from pimsim.dram.load import load_standard
from pimsim.dram.policy import PAGES, Policy, parse_policy
from pimsim.dram.requests import MOST_REQUESTS, Ints, Requests, banks_of
from pimsim.dram.schema import Standard
from pimsim.dram.tables import bank_paths, timing
from pimsim.errors import ConfigError, SimulationError
from pimsim.units import FS_PER_S
from pimsim_core.dram import DramChannel
from pimsim_core.dram_queues import OUTCOMES, DramQueues

STEPS = 200_000  # cycles with something in them between two looks at the progress


@dataclass(frozen=True)
class Served:
    """What a channel did.

    Parameters
    ----------
    standard, policy, requests
        What was asked for.
    cycles : int
        From cycle 0 to the end of the last data.
    accepted, issued, done : numpy.ndarray of int64, shape (requests,)
        Cycles in which each was let in, its column was sent (-1: it needed none), and its data ended.
    outcome : numpy.ndarray of int8
        Places in `pimsim_core.dram_queues.OUTCOMES`.
    counts : dict of str to int
        How often each command was sent.
    active_cycles : int
        In which a row was open, summed over what is refreshed together.
    units : int
        How many of these there are.
    log : numpy.ndarray of int64, shape (commands, 3)
        Cycle, number and bank of each command; empty unless asked for.
    """

    standard: Standard
    policy: Policy
    requests: Requests
    cycles: int
    accepted: Ints
    issued: Ints
    done: Ints
    outcome: npt.NDArray[np.int8]
    counts: dict[str, int]
    active_cycles: int
    units: int
    log: Ints

    @property
    def latency(self) -> Ints:
        """Cycles of each request: from when it was made (accepted, if all were there from the beginning) to its end."""
        cycle = self.requests.cycle
        return self.done - (self.accepted if cycle is None else cycle)

    def outcomes(self) -> dict[str, int]:
        """Return how many requests came to what."""
        found = np.bincount(self.outcome, minlength=len(OUTCOMES))
        return {name: int(count) for name, count in zip(OUTCOMES, found, strict=True)}


@dataclass(frozen=True)
class Channel:
    """A channel and its controller.

    Parameters
    ----------
    standard, policy
        The memory and its controller's policy.
    """

    standard: Standard
    policy: Policy

    @property
    def period_fs(self) -> int:
        """A cycle, fs."""
        return round(FS_PER_S / (self.standard.clock_mhz * 1e6))

    def bursts(self, bits: int) -> int:
        """Return the bursts that so many bits take."""
        return -(-bits // (8 * self.standard.data.burst_bytes))

    def least_cycles(self, bursts: int, write: bool) -> tuple[int, int]:
        """Return the least cycles until so many bursts are in the queues, and until the last one is done.

        One comes in a cycle; of those that a full queue keeps out, the data buses move no more than they can. A write
        may replace one that waits.
        """
        standard, policy = self.standard, self.policy
        waits = bursts - policy.read_queue - policy.write_queue
        inside = max(bursts, (waits // standard.buses - 1) * standard.cycles["nBL"])
        return inside, inside + (
            1 if write else standard.of(standard.read_latency) + policy.controller_cycles
        )


@cache
def channel_of(standard: str, policy: str) -> Channel:
    """Return a channel of a standard, whose controller has a policy in words: ``page=closed,…``.

    Raises
    ------
    ConfigError
        If one of them is at fault, or they do not fit.
    """
    found = Channel(load_standard(standard), parse_policy(policy))
    actions(found.standard, found.policy)
    return found


def serve(
    standard: Standard,
    policy: Policy,
    requests: Requests,
    outstanding: int = 0,
    record: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> Served:
    """Run a channel until all requests are served.

    Parameters
    ----------
    standard, policy, requests
        The memory, its controller, and what is asked for.
    outstanding : int
        Requests accepted and not yet done at a time, at most; 0 for any number.
    record : bool
        Keep every command.
    on_progress : callable, optional
        Called now and then with the number of requests that were accepted.

    Raises
    ------
    ConfigError
        If the standard has no such refresh or there are too many requests.
    SimulationError
        If the channel cannot go on.
    """
    if len(requests) > MOST_REQUESTS:
        raise ConfigError(f"found {len(requests):,} requests, expected at most {MOST_REQUESTS:,}")
    queues, channel, units = built(standard, policy, requests, outstanding, record)
    try:
        while not channel.run(STEPS):
            if on_progress is not None:
                on_progress(queues.progress)
    except RuntimeError as error:
        raise SimulationError(str(error), where=standard.name) from None
    accepted, issued, done, outcome = queues.figures
    cycles = int(done.max(initial=0))
    return Served(
        standard,
        policy,
        requests,
        cycles,
        accepted,
        issued,
        done,
        outcome,
        {name: int(count) for name, count in zip(standard.commands, channel.counts, strict=True)},
        int(channel.active_cycles(cycles).sum()),
        units,
        channel.commands,
    )


def refresh_level(standard: Standard) -> str:
    """Return the level that is refreshed together, or in turns."""
    if "all_bank" in standard.refresh:
        return standard.commands[standard.refresh["all_bank"].command].level
    return standard.data.level


def actions(standard: Standard, policy: Policy) -> list[int]:
    """Return the number of the command for each of `pimsim_core.dram.ACTIONS`; -1 where there is none.

    Raises
    ------
    ConfigError
        If the policy asks for one that the standard does not have.
    """
    refresh = standard.refresh.get(policy.refresh)  # type: ignore[call-overload]
    if refresh is None and policy.refresh != "none":
        have = ", ".join([*standard.refresh, "none"])
        raise ConfigError(
            f"{standard.name} has no refresh '{policy.refresh}'",
            where="policy: refresh",
            mend=f"it has {have}",
        )
    found = [
        standard.find("activate", "open"),
        standard.find("precharge", "closed"),
        standard.find("precharge", "closed", refresh_level(standard)),
        standard.find("read", "open"),
        standard.find("write", "open"),
        standard.find("read", "closed"),
        standard.find("write", "closed"),
        refresh.command if refresh else None,
    ]
    if policy.page == "closed" and None in found[5:7]:
        raise ConfigError(
            f"{standard.name} has no read or write that closes its row",
            where="policy: page",
            mend="use timed",
        )
    names = list(standard.commands)
    return [-1 if name is None else names.index(name) for name in found]


def built(
    standard: Standard, policy: Policy, requests: Requests, outstanding: int, record: bool
) -> tuple[DramQueues, DramChannel, int]:
    """Return the queues and the controller of an idle channel, and its units of refresh."""
    numbers = actions(standard, policy)
    count = len(requests)
    queues = DramQueues(
        banks_of(standard),
        requests.write,
        requests.bank,
        requests.row,
        requests.column,
        np.zeros(count, dtype=np.int64) if requests.cycle is None else requests.cycle,
        policy.read_queue,
        policy.write_queue,
        outstanding,
    )
    units = bank_paths(standard)[:, standard.nest.index(refresh_level(standard))]
    every = standard.refresh.get(policy.refresh)  # type: ignore[call-overload]
    ends = [
        standard.of(text) + policy.controller_cycles
        for text in (standard.read_latency, standard.write_latency)
    ]
    interval, count = standard.of(every.interval) if every else 0, int(units.max()) + 1
    channel = DramChannel(
        timing(standard),
        queues,
        numbers,
        units,
        ends,
        policy.write_low,
        policy.write_high,
        policy.row_hit_cap,
        PAGES.index(policy.page),
        policy.page_timeout,
        interval,
        first_due(interval, count, every is not None and every.staggered),
        policy.refresh == "per_bank",
        record,
    )
    return queues, channel, count


def first_due(interval: int, units: int, staggered: bool) -> list[int]:
    """Return when each unit of refresh is due for the first time: all at once, or in turns."""
    return [interval * (unit + 1) // units if staggered else interval for unit in range(units)]
