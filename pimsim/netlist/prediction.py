"""The pace that a machine's rows allow: what each part must do for an inference, before anything is simulated.

No inference follows another sooner than the busiest part is done with it; with waits at tiles' ports it is expected to
take longer. A result says how near its run comes to both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pimsim.netlist.loads import work_of
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import HOST
from pimsim.netlist.waiting import waited_fs

SHOWN = 5
"""Of the parts that bind."""
CANDIDATES = 200
"""Of the busiest: copies of an op mostly hold as many parts equally long."""


class Load(NamedTuple):
    """What a part does for an inference.

    Parameters
    ----------
    fs : int
        How long it is held.
    name : str
        Its own.
    what : str
        Its sort: ``arrays``, ``converters``, ``units``, ``buffers and buses``, ``tile ports``, ``links``, ``gateways``,
        ``links between chips``, ``host link``, ``memory``, ``launches`` or ``kernels in turn``.
    op, op_fs : str, int
        The op that holds it the longest, and how long.
    """

    fs: int
    name: str
    what: str
    op: str
    op_fs: int


@dataclass(frozen=True)
class Prediction:
    """The interval that a plan is predicted to have, and what sets it.

    Parameters
    ----------
    interval_fs : int
        Between two outputs in steady state: what the busiest part does for an inference; of rounds of weights, which
        take turns, the sum.
    expected_fs : int
        The same with waits for one another at tiles' ports (`pimsim.netlist.waiting`); of rounds without them.
    busiest : tuple of Load
        The parts that bind, the busiest first; of those of one sort that one op holds the longest, the first.
    by_what : tuple of Load
        The busiest part of each sort, likewise.
    links : tuple of Load
        The busiest channels of the network, those of tiles and gateways too.
    """

    interval_fs: int
    expected_fs: int
    busiest: tuple[Load, ...]
    by_what: tuple[Load, ...]
    links: tuple[Load, ...]

    def error(self, interval_fs: int) -> float:
        """Return how much longer an interval is than expected, as a share; below 0 if it is shorter."""
        return interval_fs / self.expected_fs - 1


def prediction_of(
    net: Netlist,
    inferences: int = 1,
    rounds: Mapping[str, int] | None = None,
    in_turn: Iterable[Load] = (),
) -> Prediction:
    """Predict the interval of a machine from its rows.

    Parameters
    ----------
    net : Netlist
        The machine.
    inferences : int
        That it runs.
    rounds : mapping of str to int, optional
        The round of each op, where weights take turns: one round begins when the other is over.
    in_turn : iterable of Load
        What the rows do not tell: sites whose kernels begin one after another.
    """
    rounds, count = rounds or {}, len(net.resources)
    held = np.zeros((1 + max(rounds.values(), default=0), count + net.links))
    for op, part, fs in work_of(net):
        held[rounds.get(op, 0), part] += fs
    held[:, :count] /= [row.servers for row in net.resources]
    held /= inferences
    total = held.sum(axis=0)
    order = [int(n) for n in np.argsort(-total, kind="stable") if total[n] > 0]
    sorts = {n: sort_of(net, n) for n in order}
    first: dict[str, int] = {}
    for n in order:
        first.setdefault(sorts[n], n)
    links = [n for n in order if n >= count][:SHOWN]
    by_op: dict[int, Counter[str]] = {n: Counter() for n in (*order[:CANDIDATES], *first.values(), *links)}
    for op, part, fs in work_of(net):
        if part in by_op:
            by_op[part][op] += fs
    names = [row.name for row in net.resources] + net.link_names

    def load(n: int) -> Load:
        ((op, fs),) = by_op[n].most_common(1)
        return Load(round(total[n]), names[n], sorts[n], op, round(total[n] * fs / by_op[n].total()))

    waiting = sorted(in_turn, key=lambda each: -each.fs)
    interval = max(round(held.max(axis=1, initial=0).sum()), *(each.fs for each in waiting[:1]), 1)
    rows = sorted([*waiting, *map(load, order[:CANDIDATES])], key=lambda each: -each.fs)
    alike = {(each.what, each.op): each for each in reversed(rows)}
    rows = sorted(alike.values(), key=lambda each: (-each.fs, each.name))
    kinds = sorted([*waiting[:1], *map(load, first.values())], key=lambda each: -each.fs)
    expected = interval if len(held) > 1 else waited_fs(net, inferences, interval)
    return Prediction(interval, expected, tuple(rows[:SHOWN]), tuple(kinds), tuple(map(load, links)))


def sort_of(net: Netlist, part: int) -> str:
    """Return the sort of a resource or, counted behind these, of a channel: see `Load`."""
    if part >= len(net.resources):
        assert net.network is not None
        channels = net.network.fabric.channels
        ends = {end[:1] for end in channels[(part - len(net.resources)) % len(channels)]}
        return next((what for mark, what in _ENDS if mark in ends), "links")
    row = net.resources[part]
    if row.part == "external":
        return "host link" if row.name.startswith("external-1.") else "links between chips"
    if row.cause in _CAUSES:
        return _CAUSES[row.cause]
    last = row.part.rpartition(".")[2]
    return {"array": "arrays", "adc": "converters"}.get(last, "host" if row.part == HOST else "units")


_ENDS = (("t", "tile ports"), ("g", "gateways"), ("m", "memory"))
_CAUSES = {"transport": "buffers and buses", "memory": "memory", "launch": "launches"}
