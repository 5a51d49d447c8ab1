"""From a trace and a chip to a plan: tile, replicate, size the buffers, place; more chips if one is too small."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.mapping.dataflow import Edge, Node, Table, build
from pimsim.mapping.package import HOST_TILE, Package
from pimsim.mapping.placement import Floor, NoRoom
from pimsim.mapping.plan import Plan, PlannedOp, Replica
from pimsim.mapping.replication import balance, pace_fs
from pimsim.mapping.tiling import Tiling, tile_op
from pimsim.mapping.units import service_fs, unit_of
from pimsim.trace.schema import Trace

BUDGETS = [1.0, 0.97, 0.94, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2, 0.0]
"""Shares of the spare arrays that replication may use; less where buffers force arrays to stay idle."""


def make_plan(
    chip: Chip,
    trace: Trace,
    *,
    chips: int | None = None,
    weight_bits: int | None = None,
    input_bits: int | None = None,
) -> Plan:
    """Map a trace on a chip.

    Parameters
    ----------
    chip : Chip
        What to map on.
    trace : Trace
        What to map.
    chips : int, optional
        How many chips; by default as few as hold the model.
    weight_bits, input_bits : int, optional
        Precision; by default the trace's where it states one, else the chip's.

    Raises
    ------
    MappingError
        If the model does not fit; says what is needed and what there is.
    """
    config = chip.config
    weight_bits = weight_bits or _stated(trace, "weight") or config.precision.weight_bits
    input_bits = input_bits or _stated(trace, "activation") or config.precision.input_bits
    nodes = build(trace)
    tilings = [
        tile_op(node.op, config, weight_bits) if node.on_arrays and node.op else None for node in nodes
    ]
    units = [None if node.on_arrays else unit_of(node, config) for node in nodes]
    needed = sum(tiling.arrays for tiling in tilings if tiling)
    per_chip = config.tiles * config.tile.cores * config.core.arrays
    fewest = max(1, -(-needed // per_chip))
    if chips is not None and chips < fewest:
        raise MappingError(
            f"the weights of '{trace.model}' need {needed} arrays, {chips} x {config.name} has {chips * per_chip}",
            mend=f"give --chips {fewest} or more, or leave it out",
        )
    least = _places(nodes, np.zeros(len(nodes), dtype=np.int64))
    _check_buffers(chip, nodes, tilings, least, input_bits)
    step = chip.mvm_period_fs(input_bits)
    reason = ""
    for count in [chips] if chips is not None else range(fewest, 2 * fewest + 3):
        package = Package(config, count)
        for share in BUDGETS:
            budget = needed + int((count * per_chip - needed) * share)
            plan = Plan(chip, package, [], {}, weight_bits, input_bits, 0)
            try:
                _fill(plan, nodes, tilings, units, least, step, budget)
            except NoRoom as failure:
                reason = str(failure)
                continue
            return plan
    raise MappingError(
        f"'{trace.model}' needs {needed} arrays, {count} x {config.name} has {count * per_chip}, but its buffers "
        f"do not leave enough {reason} in reach",
        mend="give more --chips or a larger tile.buffer.capacity_kib",
    )


def _fill(
    plan: Plan,
    nodes: list[Node],
    tilings: Sequence[Tiling | None],
    units: Sequence[str | None],
    least: list[list[int]],
    step: int,
    budget: int,
) -> None:
    """Choose replicas within a budget of arrays and place everything, or raise `NoRoom`."""
    config = plan.chip.config
    on_arrays = [n for n, tiling in enumerate(tilings) if tiling is not None]
    positions = [nodes[n].positions for n in on_arrays]
    sizes = [tiling.arrays for tiling in tilings if tiling is not None]
    steps = [step] * len(on_arrays)
    # A tile that needs all of a tensor takes it in over one link, at best.
    per_element = (
        plan.input_bits / config.network.link_width_bits * config.clocks[config.network.clock].period_fs
    )
    whole = [
        nodes[e.source].features * nodes[e.source].tokens for x in nodes for e in x.edges if not _own_token(e)
    ]
    slowest = max(whole, default=0) * per_element
    copies = dict(zip(on_arrays, balance(positions, steps, sizes, budget, slowest), strict=True))
    plan.pace_fs = pace_fs(positions, steps, list(copies.values()))
    attached: set[int] = set()
    demand: dict[int, float] = {}
    readers: list[list[int]] = [[] for _ in nodes]
    for n, node in enumerate(nodes):
        for edge in node.edges:
            readers[edge.source].append(n)

    def spread(source: int) -> int:
        """Tiles that each token of an op goes to, as far as it is known before placement."""
        per_tile = config.tile.cores * config.core.arrays
        tiles = 0
        for n in readers[source]:
            tiling = tilings[n]
            whole = tiling is not None and not nodes[n].pointwise
            tiles += -(-tiling.arrays * copies[n] // per_tile) if whole and tiling is not None else 1
        return tiles

    for n, node in enumerate(nodes):
        if n in copies:
            continue
        if units[n] is None:  # the host's ends
            copies[n] = 1
            continue
        service = service_fs(node, config)
        # Copies share the outputs, and the inputs too unless each needs its neighbours' positions.
        elements = [node.features * node.tokens * spread(n)]
        elements += [nodes[edge.source].features * node.positions for edge in node.edges if _own_token(edge)]
        at_link = max(elements) * per_element / node.positions
        source = node.edges[0].source
        if node.pointwise and nodes[source].type != "Input" and nodes[source].positions == node.positions:
            each = -(-node.positions // copies[source]) * service
            if plan.pace_fs == 0 or each <= plan.pace_fs:
                attached.add(n)
                copies[n] = copies[source]
                continue
        service = max(service, at_link)
        accumulates = node.tokens != node.positions  # over positions: only one replica sees them all
        pace = plan.pace_fs or service * node.positions
        copies[n] = (
            1 if accumulates else max(1, min(node.positions, math.ceil(node.positions * service / pace)))
        )
        demand[n] = -(-node.positions // copies[n]) * service / pace
    ahead = np.array([2 * copies[n] for n in range(len(nodes))], dtype=np.int64)
    # What keeps the pipeline going: inputs for every copy's next firing, and a place for every result under way.
    wanted = [
        [places + 2 * copies[edge.source] for places, edge in zip(row, node.edges, strict=True)]
        for row, node in zip(_places(nodes, ahead), nodes, strict=True)
    ]
    floor = Floor(plan.chip, plan.package, plan.input_bits, least, wanted)
    for n, node in enumerate(nodes):
        op = PlannedOp(node, tiling=tilings[n], unit=units[n], attached=n in attached)
        plan.ops.append(op)
        if op.tiling is not None:
            floor.place_on_arrays(n, op, plan.ops, copies[n])
        elif n in attached:
            op.replicas = [Replica(r.home) for r in plan.ops[node.edges[0].source].replicas]
        elif op.unit is None:
            op.replicas = [Replica(HOST_TILE)]
        else:
            floor.place_on_units(n, op, plan.ops, copies[n], demand[n])
    plan.places = dict(floor.granted)
    for n in attached:
        source_copies = copies[n]
        for tile in plan.ops[n].buffer_tiles:
            plan.places[n, 0, tile] = max(config.tile.in_flight, -(-least[n][0] // source_copies) + 1)


def _own_token(edge: Edge) -> bool:
    """Whether each firing needs a token of its own and no other."""
    return bool((edge.need - edge.low == 1).all())


def _places(nodes: list[Node], ahead: Table) -> list[list[int]]:
    """Return the places that each edge of each node needs, by the token game."""
    from pimsim_core.token_game import play

    edges = [edge for node in nodes for edge in node.edges]
    sizes = [len(edge.need) for edge in edges]
    emitted = [np.cumsum(node.token >= 0) for node in nodes]
    most = play(
        np.array([node.positions for node in nodes], dtype=np.int64),
        np.cumsum([0, *(len(node.edges) for node in nodes)]).astype(np.int32),
        np.array([edge.source for edge in edges], dtype=np.int32),
        np.array([nodes[edge.source].tokens for edge in edges], dtype=np.int64),
        np.concatenate([edge.need for edge in edges]),
        np.concatenate([edge.low for edge in edges]),
        np.cumsum([0, *sizes[:-1]]).astype(np.int64),
        np.concatenate(emitted),
        np.cumsum([0, *(len(each) for each in emitted[:-1])]).astype(np.int64),
        ahead,
        2,
    )
    found = iter(most.tolist())
    return [[max(1, next(found)) for _ in node.edges] for node in nodes]


def _check_buffers(
    chip: Chip, nodes: list[Node], tilings: Sequence[Tiling | None], least: list[list[int]], input_bits: int
) -> None:
    """Refuse a model with an op whose inputs do not fit even an empty tile."""
    capacity = chip.config.tile.buffer.capacity_kib * 1024
    per_tile = chip.config.tile.cores * chip.config.core.arrays
    for node, tiling, places in zip(nodes, tilings, least, strict=True):
        if node.type == "Output":
            continue
        share = tiling.share(tiling.blocks[:per_tile]) if tiling else 1.0
        need = sum(
            n * nodes[edge.source].features * share * input_bits / 8
            for n, edge in zip(places, node.edges, strict=True)
        )
        if need > capacity:
            raise MappingError(
                f"its inputs need {need / 1024:.1f} KiB of buffer in one tile, "
                f"{chip.config.name} has {capacity / 1024:g} KiB",
                where=f"op '{node.name}' ({node.type})",
                mend=f"give --set tile.buffer.capacity_kib={2 ** int(np.ceil(np.log2(need / 1024)))}, "
                "fewer --input-bits or a smaller input",
            )


def _stated(trace: Trace, role: str) -> int | None:
    """Return the bits that a trace states for its weights or activations, None if it leaves them to the chip."""
    bits = {
        o.tensor.bits for op in trace.ops for o in op.inputs if o.role == role and o.tensor.bits is not None
    }
    return max(bits) if bits else None
