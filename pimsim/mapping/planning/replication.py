"""How often each layer stands on the chip, so that all keep the same pace."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence


def balance(
    positions: Sequence[int],
    step_fs: Sequence[int],
    arrays: Sequence[int],
    budget: Mapping[str, int],
    owners: Sequence[str],
    floor_fs: float = 0,
    most: Sequence[int] | None = None,
) -> list[int]:
    """Spend the arrays that are left on copies of whichever layer sets the pace.

    Parameters
    ----------
    positions : sequence of int
        Firings of each layer an inference.
    step_fs : sequence of int
        Time between two firings of one replica, fs.
    arrays : sequence of int
        Arrays of one replica.
    budget : mapping of str to int
        Arrays there are at the sites of each name, at least as many as one replica of each of their layers takes.
    owners : sequence of str
        The name of the sites of each layer.
    floor_fs : float
        Time an inference that something other than the arrays takes; copies for a faster pace would be idle.
    most : sequence of int, optional
        Replicas that each layer can use; by default one a position.

    Returns
    -------
    list of int
        Replicas of each layer.
    """
    most = positions if most is None else most
    replicas = [1] * len(positions)
    left = dict(budget)
    for owner, each in zip(owners, arrays, strict=True):
        left[owner] -= each
    slowest = [(-positions[i] * step_fs[i], i) for i in range(len(positions))]
    heapq.heapify(slowest)
    while slowest:
        longest, i = heapq.heappop(slowest)
        if -longest <= floor_fs or arrays[i] > left[owners[i]] or replicas[i] >= most[i]:
            break  # the pace is set by a layer that cannot be helped: more copies of others would be idle
        # The next number of replicas that shortens the longest share of positions.
        rounds = -(-positions[i] // replicas[i])
        wanted = min(most[i], -(-positions[i] // (rounds - 1))) if rounds > 1 else replicas[i]
        if (wanted - replicas[i]) * arrays[i] > left[owners[i]]:
            break
        left[owners[i]] -= (wanted - replicas[i]) * arrays[i]
        replicas[i] = wanted
        rounds = -(-positions[i] // wanted)
        heapq.heappush(slowest, (-rounds * step_fs[i], i))
    return replicas


def pace_fs(positions: Sequence[int], step_fs: Sequence[int], replicas: Sequence[int]) -> int:
    """Return the time an inference takes the slowest layer."""
    return max((-(-p // r) * s for p, s, r in zip(positions, step_fs, replicas, strict=True)), default=0)
