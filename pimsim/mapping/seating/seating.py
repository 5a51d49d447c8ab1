"""Change the places of tiles that are alike until the busiest links of the network carry little more than they must.

A plan says what each tile does; which of the tiles that are alike does it changes nothing but the ways of data. Pairs
of tiles change places at random while the search cools (simulated annealing; Kirkpatrick, Gelatt and Vecchi, Science
220, 1983). What counts is what each channel carries in a run, from the plan's rows. The outcome is lowered again and
taken only if it is better by the same measure. Equal inputs give equal plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pimsim.chip import ChipConfig
from pimsim.errors import ConfigError
from pimsim.mapping.lowering.lowering import lower_programs
from pimsim.mapping.planning.options import Effort
from pimsim.mapping.planning.package import Package
from pimsim.mapping.planning.program import Program
from pimsim.mapping.seating.moved import moved
from pimsim.mapping.seating.routes import Routes
from pimsim.netlist.loads import loads_of, traffic_of
from pimsim.netlist.netlist import Netlist
from pimsim_core.annealing import Annealing

SWAPS: dict[Effort, int] = {"quick": 0, "normal": 300_000, "thorough": 10_000_000}
"""Swaps tried for each chip, by effort."""
MOST_SITES = 400
"""Of a chip: the routes between all pairs of more would take longer to find than all else."""
FAR = 0.1  # what a flit's way over one more channel is worth, as a share of the busiest channel's load
HOT, COLD = 0.3, 1e-4  # the busiest channel at first counts 1
WORSE = 1.1  # flits' ways in all may be so much longer


def seated(programs: Sequence[Program], effort: Effort, *, shorter: bool = False) -> list[Program]:
    """Return programs that share their tiles with these changed for others that are alike.

    Parameters
    ----------
    programs : sequence of Program
        Of one package; each counts as often as it runs.
    effort : str
        ``quick`` changes nothing; ``normal`` and ``thorough`` search so long, where `can_be_seated`.
    shorter : bool
        Whether shorter ways count, too, if the busiest channel cannot be helped: for energy.
    """
    package = programs[0].plan.package
    if not SWAPS[effort] or not can_be_seated(package.config):
        return list(programs)
    net = lower_programs(programs).net
    to = _places(package, net, SWAPS[effort])
    found = [replace(each, plan=moved(each.plan, to)) for each in programs]
    return found if _is_better(lower_programs(found).net, net, shorter) else list(programs)


def can_be_seated(config: ChipConfig) -> bool:
    """Whether tiles of a chip can change places: its network is by flit, and it has few enough sites."""
    return not _refusal(config)


def _refusal(config: ChipConfig) -> str:
    if config.network.fidelity != "flit":
        return f"the network is by {config.network.fidelity}, expected flit (network.fidelity)"
    if config.tiles > MOST_SITES:
        return f"a chip has {config.tiles} sites, expected up to {MOST_SITES}"
    return ""


def require_effect(config: ChipConfig, effort: Effort) -> None:
    """Refuse an effort that would change nothing and go unnoticed.

    Raises
    ------
    ConfigError
        If there is an effort, but the network is by packet, or has too many sites.
    """
    reason = _refusal(config)
    if SWAPS[effort] and reason:
        message = f"{effort} has no effect on {config.name}: {reason}"
        raise ConfigError(message, where="effort", mend="leave it out")


def _places(package: Package, net: Netlist, swaps: int) -> list[int]:
    """Return the tile that each tile's work goes to."""
    assert net.network is not None
    to, tiles = list(range(package.tiles)), package.config.tiles
    traffic = traffic_of(net)
    ends = {node for _, source, target in traffic for node in (source, target)}
    routes = Routes(net.network.fabric, tiles, ends)
    group = np.full(len(routes.nodes), -1, dtype=np.int32)
    for number, name in enumerate(package.config.working):
        group[[tile for tile in package.seats_of(name) if tile < tiles]] = number
    for chip in range(package.chips):
        sent = {
            (source, target): flits for (where, source, target), flits in traffic.items() if where == chip
        }
        if not sent:
            continue
        search = Annealing(
            np.arange(len(routes.nodes)),
            group,
            [[routes.number[node] for node in pair] for pair in sent],
            list(sent.values()),
            routes.first,
            routes.channels,
            len(net.network.fabric.channels),
            FAR,
            seed=1 + chip,
        )
        search.run(swaps, HOT, COLD)
        to[chip * tiles : (chip + 1) * tiles] = (chip * tiles + search.seats[:tiles]).tolist()
    return to


def _is_better(new: Netlist, old: Netlist, shorter: bool) -> bool:
    """Whether the busiest channel carries less, and all together little more; or as much, and all together less.

    Where something else binds, or a channel that no places relieve, what waits for what is all that changes: as likely
    for the worse.
    """
    a, b = loads_of(new), loads_of(old)
    if shorter and a.max(initial=0) == b.max(initial=0):
        return bool(a.sum() < b.sum())
    return bool(a.max(initial=0) < b.max(initial=0) and a.sum() <= WORSE * b.sum())
