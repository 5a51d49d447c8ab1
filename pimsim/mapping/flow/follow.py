"""Ops that take their elements in whatever order they come: where a view has cut a tensor otherwise than its source.

An activation function, or the normalization of a group of channels, does not mind how elements are counted. It fires at
each token of its source and puts out one of the same elements; only its output is a view again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pimsim.mapping.flow.addressing import beside, is_in_order
from pimsim.mapping.flow.cuts import leading
from pimsim.mapping.flow.dataflow import Edge, Node
from pimsim.mapping.flow.layout import Layout, Source
from pimsim.mapping.flow.rules import OpRule, rule_of
from pimsim.mapping.flow.windows import Window
from pimsim.trace.op import Op


def followed(op: Op, nodes: Sequence[Node], sources: Sequence[Source]) -> tuple[Node, Source] | None:
    """Return the node of an op that follows the tokens of its leading operand, and its output; None if it does not.

    It does where they are not the positions of a tensor in their order, but all of them are in it.
    """
    rule = rule_of(op.type)
    if not rule.follows or not sources or len(op.outputs) != 1:
        return None
    first = leading(op)
    source, shape = sources[first], op.activations[first].tensor.shape
    tokens = nodes[source.node].tokens
    if source.grid is None or shape != op.output.shape or nodes[source.node].type == "Input":
        return None
    if (source.axes is not None and is_in_order(source.grid, tokens)) or not _whole(op, source, tokens):
        return None
    layout = Layout((tokens, source.features), (0,))
    sizes = [-(-each.tensor.elements // tokens) for each in op.activations]
    each = np.arange(tokens, dtype=np.int64)
    work = rule.work(op, layout, sizes)
    node = Node(op.name, op.type, op, tokens, source.features, tokens, each, work, layout)
    for number, other in enumerate(sources):
        filled_by = nodes[other.node]
        features = filled_by.features if filled_by.type == "Input" else other.features
        if number == first:
            own = rule.own_position(op, number, Layout(shape, _varying(source)))
            need, low, window = (each + 1 if own else np.full_like(each, tokens)), each, Window.own(tokens)
        else:
            need, low = beside(source.grid, tokens, other.grid, filled_by.tokens)
            window = None
        edge = Edge(other.node, need, low, sizes[number], features, window, piece=other.piece)
        node.edges.append(edge)
    return node, Source(len(nodes), source.axes, source.features, grid=source.grid)


def takes_all_in(op: Op, rule: OpRule, node: Node, source: Source, out: Layout) -> bool:
    """Whether an op makes one position of all tokens of its source, in whatever order they come."""
    one = rule.pools and not rule.window and out.positions == 1 and len(op.activations) == 1
    return (
        one
        and source.grid is not None
        and node.type != "Input"
        and node.tokens > 1
        and _whole(op, source, node.tokens)
    )


def _whole(op: Op, source: Source, tokens: int) -> bool:
    """Whether the operand has every element of the tokens, once."""
    operand = op.activations[leading(op)].tensor
    assert source.grid is not None
    if operand.elements != tokens * source.features:
        return False
    return bool((np.bincount(source.grid.ravel(), minlength=tokens) > 0).all())


def _varying(source: Source) -> tuple[int, ...]:
    """Return the axes along which elements are in several tokens."""
    assert source.grid is not None
    return tuple(axis for axis, size in enumerate(source.grid.shape) if size > 1)
