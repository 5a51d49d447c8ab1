"""A product of two activations on arrays as actors: one writes the right matrix, another multiplies by it."""

from __future__ import annotations

import math

import numpy as np

from pimsim.kinds.crossbar.multiplication import Arrays, multiplication, resource_of, write_rows
from pimsim.kinds.crossbar.site import Crossbar
from pimsim.kinds.crossbar.written import Matrix
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.growth import figures
from pimsim.mapping.lowering.actors import Actors
from pimsim.mapping.planning.planned import PlannedOp, Replica
from pimsim.mapping.planning.stationary import ARRAYS
from pimsim.netlist.rows import Step, Written


def written_product(
    actors: Actors, site: Crossbar, number: int, op: PlannedOp, index: int, replica: Replica
) -> tuple[int, int]:
    """Return two actors of a product: one multiplies, the other writes the right matrix before."""
    growth, home = actors.growing(number), replica.home
    if growth is None:
        multiplier = actors.actor(op, index, "", _path(actors, site, op, op.node, index, home))
    else:
        alike = figures(growth.low[number]), figures(growth.high[number]), ARRAYS, op.slices, op.attached

        def path_at(cached: int) -> list[Step]:
            return _path(actors, site, op, growth.node(number, cached), index, home)

        path = actors.add_growing(path_at, alike, growth)
        multiplier = actors.actor(op, index, "", path)
    assert op.operand is not None
    arrays = resource_of(actors.transport, site, arrays_of(op, index, home))
    share, times = op.operand.shares[index], op.operand.times
    bits = share.elements * share.width
    writing = write_rows(site, arrays, share.rows, share.cells)
    if growth is None:  # or else the cells of new tokens, which nothing has written before
        writing = writing._replace(tally=Written((op.node.name, index)))
    name = f"{actors.net.actors[multiplier].name}.write"
    writer = actors.net.add_actor(
        name,
        op.node.name,
        actors.net.add_path([*actors.transport.read_buffer(home, bits), writing]),
        times * actors.program.inferences,
        period=times,
    )
    each = np.arange(op.node.positions) // (op.node.positions // times)
    stream = actors.net.add_stream(name, 1, times, part=site.label("core.array"))
    actors.net.add_output(writer, stream, actors.net.add_table(np.arange(times)))
    actors.net.add_input(
        multiplier,
        stream,
        actors.net.add_table(each + 1),
        actors.net.add_table(np.append(each[1:], times)),
    )
    return multiplier, writer


def arrays_of(op: PlannedOp, index: int, tile: int) -> Arrays:
    """Return the arrays that a slice's right matrices are written into."""
    return Arrays(tile, "products", f"{op.node.name}.{index}", False, op.written)


def _path(actors: Actors, site: Crossbar, op: PlannedOp, node: Node, index: int, tile: int) -> list[Step]:
    """The path of one firing of a product on arrays: a row of each of the slice's heads."""
    matrix = Matrix.of(node, op.slices)
    assert matrix is not None
    down, across = matrix.blocks(site)
    left = math.ceil(sum(edge.reads for edge in node.edges if edge is not node.right) / op.slices)
    path = actors.transport.read_buffer(tile, left * node.read_bits)
    arrays = arrays_of(op, index, tile)
    path += [
        multiplication(
            actors.transport,
            actors.lowered.instances,
            site,
            node.read_bits,
            arrays,
            inputs=left // matrix.vectors,
            rows=matrix.count * matrix.rows * across,
            active=matrix.count * down * across,
        )
    ] * matrix.vectors
    outputs = matrix.count * matrix.columns * matrix.vectors
    largest = Matrix.of(op.node, op.slices)
    assert largest is not None
    if largest.blocks(site)[0] > 1:
        # Also before a cache has grown so far: the way is the same for each token.
        path.append(actors.transport.at_unit(tile, "Accumulate", outputs * down))
    path.append(actors.over_bus(tile, outputs))
    return path
