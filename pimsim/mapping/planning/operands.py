"""The stationary operands of a plan: made when all of its ops have their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.plan import in_turn
from pimsim.mapping.planning.planned import PlannedOp
from pimsim.mapping.planning.stationary import ARRAYS, BUFFER, Share, Stationary, When


def give_operands(
    ops: Sequence[PlannedOp],
    kinds: Mapping[str, Kind],
    right_in: Mapping[int, str],
    written: Mapping[int, int],
    weight_bits: Sequence[int],
) -> None:
    """Give each op of a program its stationary operand.

    Parameters
    ----------
    ops : sequence of PlannedOp
        With their places.
    kinds : mapping of str to Kind
        By the name of the sites.
    right_in : mapping of int to str
        Where the right matrix of an op is, should it have one.
    written : mapping of int to int
        Arrays of each slice that right matrices are written into.
    weight_bits : sequence of int
        Of each op, the width of its weights.
    """
    turns = in_turn(ops)
    for n, op in enumerate(ops):
        if op.tiling is not None:
            op.operand = weights_of(op, kinds[str(op.site)], weight_bits[n], turns)
        elif op.site is not None and kinds[op.site].whole and op.node.on_arrays:
            op.operand = read_each_time(op, weight_bits[n])
        elif op.node.right is not None and n in right_in:
            slots = written[n] if right_in[n] == ARRAYS else 0
            op.operand = right_of(op, right_in[n], slots, kinds[str(op.site)])


def weights_of(op: PlannedOp, kind: Kind, weight_bits: int, turns: set[tuple[int, int]]) -> Stationary:
    """Return the weights of an op; those of cores that rounds take in turn are written anew in each inference."""
    shares = tuple(
        kind.share(chunk, weight_bits, "round" if (chunk.tile, chunk.core) in turns else "before")
        for replica in op.replicas
        for chunk in replica.chunks
    )
    return Stationary("weights", ARRAYS, shares, int(any(share.when == "round" for share in shares)))


def read_each_time(op: PlannedOp, bits: int) -> Stationary:
    """Return the weights of an op that reads them from the memory beside its inputs."""
    assert op.node.op is not None
    assert op.node.op.weight is not None
    elements = op.node.op.weight.tensor.elements
    share = Share(op.replicas[0].home, -1, 0, 1, elements, bits, elements, "before")
    return Stationary("weights", BUFFER, (share,), 0)


def right_of(op: PlannedOp, home: str, slots: int, kind: Kind) -> Stationary:
    """Return the right matrix of a product of two activations, with the cache before it.

    Parameters
    ----------
    op : PlannedOp
        The product.
    home : str
        `BUFFER`, `SPREAD`, `MEMORY` or `ARRAYS`.
    slots : int
        Arrays of each slice that it is written into.
    kind : Kind
        What does the product.
    """
    node, right = op.node, op.node.right
    assert right is not None
    when: When = "step" if right.cached else "image"
    if home == ARRAYS:
        rows, elements, cells = kind.product_written(node, op.slices)
    else:
        rows = (right.held - right.cached) // right.features
        elements = cells = -(-rows * right.features // op.slices)
    shares = tuple(
        Share(replica.home, -1, slots, rows, elements, right.bits, cells, when) for replica in op.replicas
    )
    times = 1 if right.cached else node.positions // right.rows
    return Stationary("cache" if right.cached else "activations", home, shares, times)
