"""From a trace and a chip to a plan: tile, replicate, size the buffers, place; more chips if one is too small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.mapping.copies import choose_copies
from pimsim.mapping.dataflow import Node, Table, build
from pimsim.mapping.package import HOST_TILE, Package
from pimsim.mapping.placement import Floor, NoRoom
from pimsim.mapping.plan import Plan, PlannedOp, Replica
from pimsim.mapping.tiling import Tiling, tile_op
from pimsim.mapping.units import unit_of
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
    """Choose copies within a budget of arrays and place everything, or raise `NoRoom`."""
    config = plan.chip.config
    copies = choose_copies(nodes, tilings, units, config, plan.input_bits, step, budget, plan.package.tiles)
    plan.pace_fs = copies.pace_fs
    ahead = np.array([2 * copies.of[n] for n in range(len(nodes))], dtype=np.int64)
    # What keeps the pipeline going: inputs for every copy's next firing, and a place for every result under way.
    wanted = [
        [places + 2 * copies.of[edge.source] for places, edge in zip(row, node.edges, strict=True)]
        for row, node in zip(_places(nodes, ahead), nodes, strict=True)
    ]
    floor = Floor(plan.chip, plan.package, plan.input_bits, least, wanted)
    for n, node in enumerate(nodes):
        op = PlannedOp(node, tiling=tilings[n], unit=units[n], attached=n in copies.attached)
        plan.ops.append(op)
        if op.tiling is not None:
            floor.place_on_arrays(n, op, plan.ops, copies.of[n])
        elif op.attached:
            op.replicas = [Replica(r.home) for r in plan.ops[node.edges[0].source].replicas]
        elif op.unit is None:
            op.replicas = [Replica(HOST_TILE)]
        else:
            floor.place_on_units(n, op, plan.ops, copies.of[n], copies.demand[n])
    plan.places = dict(floor.granted)
    for n in copies.attached:
        for tile in plan.ops[n].buffer_tiles:
            plan.places[n, 0, tile] = max(config.tile.in_flight, -(-least[n][0] // copies.of[n]) + 1)


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
