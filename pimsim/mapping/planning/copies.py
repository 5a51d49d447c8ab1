"""How many copies of each op: layers by the arrays that are left, digital work so that it keeps their pace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pimsim.chip import ChipConfig
from pimsim.mapping.flow.dataflow import Edge, Node
from pimsim.mapping.flow.heads import Group, slices_of
from pimsim.mapping.planning.replication import balance, pace_fs
from pimsim.mapping.planning.tiling import Tiling
from pimsim.mapping.planning.units import service_fs


@dataclass(slots=True)
class Copies:
    """What is decided before anything is placed.

    Parameters
    ----------
    of : dict of int to int
        Copies of each op.
    slices : dict of int to int
        Of the ops that are cut by attention heads, how many slices; they are their copies too.
    attached : set of int
        Ops that take their input straight from the copy of the op before.
    demand : dict of int to float
        Share of a tile's units, or of its link, that a copy keeps busy at the pipeline's pace.
    pace_fs : int
        Time an inference of the slowest layer on arrays; 0 if there is none.
    """

    of: dict[int, int]
    slices: dict[int, int] = field(default_factory=dict)
    attached: set[int] = field(default_factory=set)
    demand: dict[int, float] = field(default_factory=dict)
    pace_fs: int = 0


def choose_copies(
    nodes: Sequence[Node],
    tilings: Sequence[Tiling | None],
    units: Sequence[str | None],
    config: ChipConfig,
    input_bits: int,
    step_fs: int,
    budget: int,
    tiles: int,
    groups: Sequence[Group],
    least: Sequence[Sequence[int]],
    rounds: Sequence[int],
) -> Copies:
    """Choose copies so that the pipeline is balanced.

    Parameters
    ----------
    nodes, tilings, units
        The ops: their data flow, and where they run.
    config : ChipConfig
        The chip.
    input_bits : int
        Bits of an activation.
    step_fs : int
        Time between two multiplications of one copy, fs.
    budget : int
        Arrays that copies may use in all.
    tiles : int
        Of all chips: more copies of an op than there are units in them win nothing.
    groups : sequence of Group
        Ops that are cut by attention heads together.
    least : sequence of sequence of int
        Tokens that each input of each op must have room for.
    rounds : sequence of int
        When each op is done, where weights are reloaded.
    """
    # A tile that needs all of a tensor takes it in over one link, at best.
    per_element = input_bits / config.network.link_width_bits * config.clocks[config.network.clock].period_fs
    edges = [edge for node in nodes for edge in node.edges if not own_token(edge)]
    fed = max((nodes[edge.source].features * nodes[edge.source].tokens for edge in edges), default=0)
    layers = {n: tiling.arrays for n, tiling in enumerate(tilings) if tiling is not None}
    positions, steps = [nodes[n].positions for n in layers], [step_fs] * len(layers)
    chosen = balance(positions, steps, list(layers.values()), budget, fed * per_element)
    copies = Copies(dict(zip(layers, chosen, strict=True)), pace_fs=pace_fs(positions, steps, chosen))
    group_of = {n: group for group in groups for n in group.members}
    spread = _spread(nodes, tilings, copies.of, config.tile.cores * config.core.arrays)
    for n, node in enumerate(nodes):
        if n in copies.of:
            continue
        unit = units[n]
        if unit is None:  # the host's ends
            copies.of[n] = 1
            continue
        group = group_of.get(n)
        source = node.edges[0].source
        if group is not None and group.slices > 1:
            slices = slices_of(group, tiles)
            copies.of[n] = copies.slices[n] = slices
            if node.pointwise and group_of.get(source) is group:
                copies.attached.add(n)
            busy = service_fs(node, config, slices) * node.positions
            copies.demand[n] = busy / copies.pace_fs if copies.pace_fs else 0.0
            continue
        service = service_fs(node, config)
        free = group is None and source not in copies.slices and nodes[source].type != "Input"
        free = free and rounds[source] == rounds[n]
        if free and node.pointwise and nodes[source].positions == node.positions:
            busy = -(-node.positions // copies.of[source]) * service
            if copies.pace_fs == 0 or busy <= copies.pace_fs:
                copies.attached.add(n)
                copies.of[n] = copies.of[source]
                continue
        # Copies share the outputs, and the inputs too unless each needs its neighbours' positions.
        elements = [node.features * node.tokens * spread[n]]
        elements += [nodes[edge.source].features * node.positions for edge in node.edges if own_token(edge)]
        service = max(service, max(elements) * per_element / node.positions)
        pace = copies.pace_fs or service * node.positions
        one_sees_all = node.tokens != node.positions  # it reduces over positions
        wanted = 1 if one_sees_all else math.ceil(node.positions * service / pace)
        if not one_sees_all and all(
            own_token(edge) for edge in node.edges
        ):  # copies share what must be held, too
            held = sum(
                places * edge.features * input_bits / 8
                for places, edge in zip(least[n], node.edges, strict=True)
            )
            if held > config.tile.buffer.capacity_kib * 1024:
                wanted = max(wanted, math.ceil(2 * held / (config.tile.buffer.capacity_kib * 1024)))
        copies.of[n] = max(1, min(node.positions, wanted, tiles * config.tile.digital[unit].count))
        copies.demand[n] = -(-node.positions // copies.of[n]) * service / pace
    return copies


def own_token(edge: Edge) -> bool:
    """Whether each firing needs a token of its own and no other."""
    return bool((edge.need - edge.low == 1).all())


def _spread(
    nodes: Sequence[Node], tilings: Sequence[Tiling | None], copies: dict[int, int], per_tile: int
) -> list[int]:
    """Return the tiles that each token of each op goes to, as far as the layers' copies tell."""
    tiles = [0] * len(nodes)
    for n, node in enumerate(nodes):
        tiling = tilings[n]
        for edge in node.edges:
            whole = tiling is not None and not node.pointwise
            tiles[edge.source] += -(-tiling.arrays * copies[n] // per_tile) if whole and tiling else 1
    return tiles
