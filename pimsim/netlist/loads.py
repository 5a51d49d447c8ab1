"""What a run asks of the parts of a machine, and sends over its network, from the rows alone: nothing is simulated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Step, Tree
from pimsim.netlist.times import step_held_fs

Table = npt.NDArray[np.int64]


def loads_of(net: Netlist) -> Table:
    """Return the flits that a run sends over each channel of the network, int64, shape (links,).

    Of experts, and of what grows with a cache, the last path counts: the most that can be.
    """
    flits, held = np.zeros(net.links, dtype=np.int64), held_by(net)
    for steps, times in _visits(net):
        for step in steps:
            for channel, _ in net.routes[step.route] if step.route is not None else ():
                flits[channel] += step.flits * times
    for _, tree, times in _trees(net):
        size = sum(tree.pieces)
        for channel in {channel for leaf in tree.leaves for channel, _ in leaf.way}:
            flits[channel] += size * times
    for number, row in enumerate(net.resources):  # entrances, and by packet all links, are resources
        if row.link is not None:
            flits[row.link] += held[number] // row.period_fs
    return flits


def held_by(net: Netlist) -> Table:
    """Return how long the visits of a run hold each resource if nothing holds them up, fs, int64, shape (resources,).

    Of experts, and of what grows with a cache, the last path counts: the most that can be.
    """
    held: Table = np.zeros(len(net.resources), dtype=np.int64)
    for steps, times in _visits(net):
        for step in steps:
            held[step.resource] += step_held_fs(step) * times
            if step.mvm is not None:
                held[step.mvm.bank] += step.mvm.phases * step.mvm.convert * times
    for _, tree, times in _trees(net):
        assert net.network is not None
        held[tree.resource] += sum(tree.pieces) * net.network.period_fs * times
    return held


def work_of(net: Netlist) -> Iterator[tuple[str, int, int]]:
    """Yield what a run holds: an op, a resource or, counted behind these, a channel, and how long, fs.

    All that is yielded for a resource is shared by its servers. An entrance of the network counts as its channel. Of
    experts, and of what grows with a cache, the last path counts: the most that can be.
    """
    behind = len(net.resources)
    period = net.network.period_fs if net.network is not None else 0
    at = [n if row.link is None else behind + row.link for n, row in enumerate(net.resources)]
    for path, times in _paths(net).items():
        op = net.path_owners[path].op
        for step in net.paths[path]:
            yield op, at[step.resource], step_held_fs(step) * times
            if step.mvm is not None:
                yield op, at[step.mvm.bank], step.mvm.phases * step.mvm.convert * times
            for channel, _ in net.routes[step.route] if step.route is not None else ():
                yield op, behind + channel, step.flits * period * times
    for actor, tree, times in _trees(net):
        op, size = net.owner_of(actor).op, sum(tree.pieces) * period * times
        yield op, at[tree.resource], size
        for channel in {channel for leaf in tree.leaves for channel, _ in leaf.way}:
            yield op, behind + channel, size


def energy_of(net: Netlist) -> float:
    """Return the energy of all visits of a run that have one, pJ; of what grows with a cache, the most."""
    total = 0.0
    for steps, times in _visits(net):
        total += times * sum(pj for step in steps for _, pj in step.energy if pj is not None)
    for _, tree, times in _trees(net):
        total += times * sum(pj for _, pj in tree.energy if pj is not None)
    return total


def traffic_of(net: Netlist) -> dict[tuple[int, str, str], int]:
    """Return the flits that a run sends between nodes of a chip, by chip, source and target; by flit only."""
    assert net.network is not None
    fabric, found = net.network.fabric, Counter[tuple[int, str, str]]()

    def note(terminal: int, last: int, flits: int) -> None:
        chip, number = divmod(terminal, len(fabric.terminals))
        target = fabric.channels[last % len(fabric.channels)][1]
        found[chip, fabric.terminals[number], target] += flits

    for steps, times in _visits(net):
        for step in steps:
            if step.route is not None:
                note(step.terminal, net.routes[step.route][-1][0], step.flits * times)
    for _, tree, times in _trees(net):
        for leaf in tree.leaves:
            note(tree.terminal, leaf.way[-1][0], sum(tree.pieces) * times)
    return dict(found)


def packets_of(net: Netlist) -> Iterator[tuple[int, tuple[int, ...], int, int]]:
    """Yield the packets of a run: the entrance, the channels on their way, flits, and how many; by flit only.

    Of packets that branch, the longest branch.
    """
    for steps, times in _visits(net):
        for step in steps:
            if step.route is not None:
                yield (
                    step.resource,
                    tuple(channel for channel, _ in net.routes[step.route]),
                    step.flits,
                    times,
                )
    for _, tree, times in _trees(net):
        way = max((leaf.way for leaf in tree.leaves), key=len)
        yield tree.resource, tuple(channel for channel, _ in way), sum(tree.pieces), times


def _visits(net: Netlist) -> Iterator[tuple[tuple[Step, ...], int]]:
    """Yield the paths of firings and tokens, and how often the run takes each."""
    for path, count in _paths(net).items():
        yield net.paths[path], count


def _paths(net: Netlist) -> Counter[int]:
    """Return how often the run takes each path."""
    times = Counter[int]()
    for actor in net.actors:
        times[actor.path + (actor.selector is not None)] += actor.firings
    for output in net.outputs:
        if output.path is not None:
            sent, actor = int((net.tables[output.token] >= 0).sum()), net.actors[output.actor]
            times[output.path + (output.selector is not None)] += sent * (actor.firings // actor.period)
    return times


def _trees(net: Netlist) -> Iterator[tuple[int, Tree, int]]:
    """Yield the trees that packets of an actor branch in, and how often the run takes each."""
    for cast in net.casts:
        actor = net.actors[cast.actor]
        which, counts = np.unique(net.tables[cast.tree], return_counts=True)
        for tree, count in zip(which.tolist(), counts.tolist(), strict=True):
            if tree >= 0:
                yield cast.actor, cast.trees[tree], count * (actor.firings // actor.period)
