"""How many copies of each op: layers by the arrays that are left, digital work so that it keeps their pace."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pimsim.mapping.flow.dataflow import Edge, Node
from pimsim.mapping.flow.heads import Group, slices_of
from pimsim.mapping.flow.stores import STORE
from pimsim.mapping.planning.dealing import Deal
from pimsim.mapping.planning.package import Package
from pimsim.mapping.planning.replication import balance, pace_fs
from pimsim.mapping.planning.shared import users_of
from pimsim.mapping.planning.tiling import Tiling


@dataclass(slots=True)
class Copies:
    """What is decided before anything is placed.

    Parameters
    ----------
    of : dict of int to int
        Copies of each op.
    sets : dict of int to int
        By the first op that reads a weight, in how many sets of slots it stands: its users take turns on them.
    slices : dict of int to int
        Of the ops that are cut by attention heads, how many slices; they are their copies too.
    attached : set of int
        Ops that take their input straight from the copy of the op before.
    demand : dict of int to float
        Share of a tile's units, or of its link, that a copy keeps busy at the pipeline's pace.
    pace_fs : int
        Time an inference of the slowest layer on arrays; 0 if there is none.
    deals : dict of int to Deal
        Ops whose copies are as many as hold their inputs together.
    """

    of: dict[int, int]
    sets: dict[int, int]
    slices: dict[int, int] = field(default_factory=dict)
    attached: set[int] = field(default_factory=set)
    demand: dict[int, float] = field(default_factory=dict)
    pace_fs: int = 0
    deals: dict[int, Deal] = field(default_factory=dict)


def choose_copies(
    nodes: Sequence[Node],
    tilings: Sequence[Tiling | None],
    sites: Sequence[str | None],
    package: Package,
    input_bits: int,
    budget: Mapping[str, int],
    groups: Sequence[Group],
    least: Sequence[Sequence[int]],
    rounds: Sequence[int],
    owners: Sequence[int],
    deals: Mapping[int, Deal],
) -> Copies:
    """Choose copies so that the pipeline is balanced.

    Parameters
    ----------
    nodes, tilings, sites
        The ops: their data flow, and where they are done.
    package : Package
        The chips; more copies of an op than there are units in them win nothing.
    input_bits : int
        Bits of an activation.
    budget : mapping of str to int
        Slots that copies may use in all, by the name of the sites.
    groups : sequence of Group
        Ops that are cut by attention heads together.
    least : sequence of sequence of int
        Tokens that each input of each op must have room for.
    rounds : sequence of int
        When each op is done, where weights are reloaded.
    owners : sequence of int
        For each op, the first one whose weight is its own, too.
    deals : mapping of int to Deal
        Ops whose inputs do not fit one tile: how they fit several.
    """
    config, kinds = package.config, package.kinds
    # A tile that needs all of a tensor takes it in over one link, at best.
    per_element = input_bits / config.network.link_width_bits * config.clocks[config.network.clock].period_fs
    edges = [
        edge for n, node in enumerate(nodes) for edge in node.edges if n not in deals and not own_token(edge)
    ]
    fed = max((nodes[edge.source].features * nodes[edge.source].tokens for edge in edges), default=0)
    users = users_of(owners, tilings)
    layers = {n: tiling for n in users if (tiling := tilings[n]) is not None}
    names = [str(sites[n]) for n in layers]
    positions = [sum(nodes[n].positions for n in each) for each in users.values()]
    steps = [
        kinds[name].slot_fs(tiling, input_bits) for name, tiling in zip(names, layers.values(), strict=True)
    ]
    arrays = [tiling.arrays for tiling in layers.values()]
    # The users of a weight mostly follow one another: more copies than the largest can use would be idle.
    most = [max(nodes[n].positions for n in each) for each in users.values()]
    chosen = balance(positions, steps, arrays, budget, names, fed * per_element, most)
    sets = dict(zip(layers, chosen, strict=True))
    of = {n: min(sets[owner], nodes[n].positions) for owner, each in users.items() for n in each}
    copies = Copies(of, sets, pace_fs=pace_fs(positions, steps, chosen))
    group_of = {n: group for group in groups for n in group.members}
    spread = _spread(nodes, tilings, copies.of, [kinds[site].slots if site else 0 for site in sites])
    for n, node in enumerate(nodes):
        if n in copies.of:
            continue
        name = sites[n]
        if name is None:  # the host's ends
            copies.of[n] = 1
            continue
        kind, tiles = kinds[name], len(package.seats_of(name))
        if node.type == STORE:
            copies.of[n], copies.demand[n] = len(deals[n].parts), 0.0
            copies.deals[n] = deals[n]
            continue
        if kind.whole:
            copies.of[n] = 1
            copies.demand[n] = 0.0  # it goes where its inputs are
            continue
        unit = kind.site.unit_of(node.type)
        assert unit is not None
        group = group_of.get(n)
        source = node.edges[0].source
        if group is not None and group.slices > 1:
            slices = slices_of(group, tiles)
            copies.of[n] = copies.slices[n] = slices
            if node.pointwise and group_of.get(source) is group:
                copies.attached.add(n)
            busy = kind.service_fs(node, slices) * node.positions
            copies.demand[n] = busy / copies.pace_fs if copies.pace_fs else 0.0
            continue
        service = kind.service_fs(node)
        free = group is None and source not in copies.slices and nodes[source].type != "Input"
        free = free and rounds[source] == rounds[n] and sites[source] == name
        if free and node.pointwise and nodes[source].positions == node.positions:
            busy = -(-node.positions // copies.of[source]) * service
            if copies.pace_fs == 0 or busy <= copies.pace_fs:
                copies.attached.add(n)
                copies.of[n] = copies.of[source]
                if source in copies.deals:
                    copies.deals[n] = copies.deals[source]
                continue
        # Copies share the outputs, and the inputs too unless each needs its neighbours' positions.
        elements = [node.features * node.tokens * spread[n]]
        elements += [nodes[edge.source].features * node.positions for edge in node.edges if own_token(edge)]
        service = max(service, max(elements) * per_element / node.positions)
        pace = copies.pace_fs or service * node.positions
        one_sees_all = node.tokens != node.positions  # it reduces over positions
        wanted = 1 if one_sees_all else math.ceil(node.positions * service / pace)
        if n in deals:
            wanted = len(deals[n].parts)
            copies.deals[n] = deals[n]
        elif not one_sees_all and all(
            own_token(edge) for edge in node.edges
        ):  # copies share what must be held, too
            held = sum(
                places * edge.features * input_bits / 8
                for places, edge in zip(least[n], node.edges, strict=True)
            )
            capacity = kind.site.store.capacity_kib * 1024
            if held > capacity:
                wanted = max(wanted, math.ceil(2 * held / capacity))
        if n not in deals:
            wanted = min(wanted, tiles * kind.site.digital[unit].count)
        copies.of[n] = max(1, min(node.positions, wanted))
        copies.demand[n] = -(-node.positions // copies.of[n]) * service / pace
    return copies


def own_token(edge: Edge) -> bool:
    """Whether each firing needs a token of its own and no other."""
    return bool((edge.need - edge.low == 1).all())


def _spread(
    nodes: Sequence[Node], tilings: Sequence[Tiling | None], copies: dict[int, int], per_tile: Sequence[int]
) -> list[int]:
    """Return the tiles that each token of each op goes to, as far as the layers' copies tell."""
    tiles = [0] * len(nodes)
    for n, node in enumerate(nodes):
        tiling = tilings[n]
        for edge in node.edges:
            whole = tiling is not None and not node.pointwise
            tiles[edge.source] += -(-tiling.arrays * copies[n] // per_tile[n]) if whole and tiling else 1
    return tiles
