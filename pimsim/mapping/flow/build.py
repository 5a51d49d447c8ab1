"""From a trace to a data flow: what each op needs of its inputs before it can fire.

A tensor is cut into positions (pixels, rows) that carry features (channels); an op fires once a position,
and its `need` and `low` tables say which positions of each input must have come, and which are still of use.
Ops that only address their input otherwise (Reshape, the transposition of attention heads, …) vanish. What depends on
an op's type stands in its row of `pimsim.mapping.flow.rules`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from pimsim.collection import uncollected
from pimsim.errors import MappingError
from pimsim.mapping.flow import addressing, costs
from pimsim.mapping.flow.causal import Triangle, made_by, seen_in
from pimsim.mapping.flow.cuts import leading
from pimsim.mapping.flow.dataflow import Edge, Expert, Node
from pimsim.mapping.flow.follow import followed, takes_all_in
from pimsim.mapping.flow.inputs import input_axes, input_node
from pimsim.mapping.flow.layout import Axes, Layout, Source, Table
from pimsim.mapping.flow.rules import OpRule, rule_of
from pimsim.mapping.flow.views import appended
from pimsim.mapping.flow.widths import Widths, give_widths
from pimsim.mapping.flow.windows import Window, window_of
from pimsim.trace.op import Op
from pimsim.trace.schema import Trace


@uncollected()
def build(trace: Trace, widths: Widths) -> list[Node]:
    """Return the nodes of a trace in topological order, the model's outputs last.

    Parameters
    ----------
    trace : Trace
        Bound.
    widths : Widths
        Of its activations.

    Raises
    ------
    MappingError
        If an op is of a kind that no part of a chip can run.
    """
    nodes: list[Node] = []
    found: dict[tuple[str, int], Source] = {}  # tensor -> the node that computes it
    readers: dict[str, list[Op]] = {}
    for op in trace.ops:
        for operand in op.activations:
            readers.setdefault(str(operand.source), []).append(op)
    for op in trace.ops:
        sources = [found[o.source, o.index] for o in op.activations if o.source is not None]
        if len(sources) == 1:
            kept = [_kept(op, sources[0], index) for index in range(len(op.outputs))]
            if all(kept):
                found.update(((op.name, index), source) for index, source in enumerate(kept) if source)
                continue
        _check_caches(op, sources)
        follows = followed(op, nodes, sources)
        if follows is not None:
            node, found[op.name, 0] = follows
            node.expert = _expert(op, [nodes[source.node] for source in sources])
            nodes.append(node)
            continue
        if op.type == "Input":
            axes = input_axes(op, readers)
            node = input_node(op, axes)
        else:
            axes = rule_of(op.type).cut(op, sources[leading(op)].axes if sources else None)
            node = _node(op, nodes, sources, axes)
        node.expert = _expert(op, [nodes[source.node] for source in sources])
        nodes.append(node)
        for index, output in enumerate(op.outputs):
            features = math.prod(size for axis, size in enumerate(output.shape) if axis not in axes)
            # Outputs that are cut along positions come from tokens of the whole.
            fits = max(axes, default=-1) < len(output.shape)  # outputs of an unknown op may have any rank
            whole = op.type == "Input" or (fits and node.tokens == Layout(output.shape, axes).positions)
            own = axes if whole else None
            piece = (op.name, index) if len(op.outputs) > 1 else ()
            grid = addressing.in_order(Layout(output.shape, axes), node.tokens) if whole else None
            found[op.name, index] = Source(
                len(nodes) - 1, own, features if own is not None else node.features, piece, grid=grid
            )
    for name in trace.outputs:
        source = found[name, 0]
        nodes.append(_output(name, source, nodes[source.node]))
    give_widths(nodes, trace.by_name, trace.outputs, widths)
    return nodes


def _output(name: str, source: Source, made_by: Node) -> Node:
    """Return the node that takes one of the model's outputs to the host, token by token."""
    steps = np.arange(made_by.tokens, dtype=np.int64)
    if source.grid is not None:
        read = np.zeros(made_by.tokens, dtype=np.bool_)
        read[source.grid.ravel()] = True
        steps = np.flatnonzero(read)
    count = len(steps)
    taken = source.features if source.piece else made_by.features
    return Node(
        name=f"{name} (output)",
        type="Output",
        op=None,
        positions=count,
        features=taken,
        tokens=0,
        token=np.full(count, -1, dtype=np.int64),
        work=0,
        layout=made_by.layout,
        edges=[Edge(source.node, steps + 1, steps, taken, taken, piece=source.piece)],
    )


def _kept(op: Op, source: Source, index: int) -> Source | None:
    """Return the source of an output of an op that moves no data."""
    if any(o.role == "cache" for o in op.inputs):
        return appended(op, source)
    carried = rule_of(op.type).carried
    return carried(op, source, index) if carried and len(op.activations) == len(op.inputs) else None


def _check_caches(op: Op, sources: Iterable[Source]) -> None:
    """Refuse a cache that is not the right matrix of a product: only there it is read where it lies."""
    odd = any(source.cached for source in list(sources)[: 1 if rule_of(op.type).holds_right else None])
    if odd or any(o.role == "cache" for o in op.inputs):
        raise MappingError(
            "it reads a cache of keys or values, which only the right operand of a MatMul can",
            where=f"op '{op.name}' ({op.type})",
            mend="append to the cache along its tokens, and multiply by it",
        )


def _expert(op: Op, sources: Iterable[Node]) -> Expert | None:
    """Return the expert that an op belongs to: what takes the rows of several belongs to none."""
    bound = rule_of(op.type).expert
    if bound == "begins":
        return op.attributes["layer"], op.attributes["expert"]
    found = {node.expert for node in sources if node.expert is not None}
    return found.pop() if len(found) == 1 and bound != "ends" else None


def _node(op: Op, nodes: list[Node], sources: list[Source], axes: Axes) -> Node:
    rule = rule_of(op.type)
    shape = op.output.shape
    layout = Layout((*shape[:-1], shape[-1] * len(op.outputs)) if rule.joins else shape, axes)
    shapes = [o.tensor.shape for o in op.activations]
    views = [rule.seen(op, shape, layout) for shape in shapes]
    positions, token = layout.positions, np.arange(layout.positions, dtype=np.int64)
    reducing, all_in = _reduces(rule, op, layout), False
    if sources and takes_all_in(op, rule, nodes[sources[0].node], sources[0], layout):
        reducing = all_in = True
        positions = nodes[sources[0].node].tokens
        views = [Layout((positions, sources[0].features), (0,))]
        token = np.append(np.full(positions - 1, -1, dtype=np.int64), 0)
        work = float(layout.features)
    elif reducing:  # fires as its input comes and puts out a token at the end of each image
        before = Layout(shapes[0], axes)
        each = before.height * before.width
        positions = before.positions
        token = np.full(positions, -1, dtype=np.int64)
        token[each - 1 :: each] = np.arange(before.images)
        work = float(layout.features)
    else:
        work = rule.work(op, layout, [seen.features for seen in views])
    node = Node(
        op.name, op.type, op, positions, layout.features, int((token >= 0).sum()), token, work, layout
    )
    scores = [
        seen_in(nodes[source.node].scores, source, shape)
        for source, shape in zip(sources, shapes, strict=True)
    ]
    node.scores, read = made_by(op), scores[0] if rule.holds_right else None
    left = node.scores or read
    for number, (source, shape, seen) in enumerate(zip(sources, shapes, views, strict=True)):
        filled_by = nodes[source.node]
        if rule.holds_right and number == 1:
            node.edges.append(_right_matrix(filled_by, source, shape, layout, left))
            continue
        reads = seen.features if reducing else rule.reads(op, number, seen, layout, positions)
        window = None if reducing else _window(rule, op, number, layout, seen)
        if window:
            need, low = window.tables()
        elif reducing:
            low = np.arange(positions, dtype=np.int64)
            need = low + 1
        else:
            need, low = _tables(rule, op, number, layout, seen)
        if all_in:
            edge = Edge(source.node, need, low, reads, source.features, piece=source.piece)
        else:
            edge = _edge(filled_by, source, seen, need, low, reads, window)
        matrix = rule.reads is costs.row_and_matrix and number > 0
        edge.evenly = (
            not matrix and not edge.window and bool((edge.need - edge.low == filled_by.tokens).all())
        )
        if (made := scores[number]) is not None:
            edge.seen = made.share
            if rule.elementwise and layout.shape[-2:] == shape[-2:] and edge.need is need:
                left = node.scores = made
        node.edges.append(edge)
    node.seen = left.share if left is not None else 1.0
    return node


def _window(rule: OpRule, op: Op, operand: int, out: Layout, seen: Layout) -> Window | None:
    """Return the pixels that each position reads, if it is an image that it looks at."""
    if rule.window:
        return window_of(op, out, seen)
    return rule.span(op, operand, out, seen) if rule.span is not None else None


def _reduces(rule: OpRule, op: Op, out: Layout) -> bool:
    """Whether an op takes in all positions of an image, each once, and leaves one."""
    images = out.channels and len(op.inputs[0].tensor.shape) in (4, 5)
    return rule.pools and images and out.positions == out.images


def _edge(
    node: Node, source: Source, seen: Layout, need: Table, low: Table, reads: int, window: Window | None
) -> Edge:
    """Turn tables over the positions of an operand into tables over its source's tokens."""
    features = node.features if node.type == "Input" else source.features
    table = None
    if source.grid is not None:
        table = addressing.looked_up(source.grid, seen)
    elif seen.same_tokens(source.axes) and seen.positions == node.tokens:
        table = np.arange(node.tokens, dtype=np.int64)[:, None]
    if table is None:  # a view has cut the tensor otherwise: every firing needs all of it
        every = np.full_like(need, node.tokens)
        return Edge(source.node, every, np.zeros_like(low), reads, features, piece=source.piece)
    if table.shape[1] == 1 and addressing.is_in_order(table, node.tokens):
        return Edge(source.node, need, low, reads, features, window=window, piece=source.piece)
    if window is None and np.array_equal(need, np.arange(1, seen.positions + 1)) and (need - low == 1).all():
        window = Window.own(seen.positions)
    order = table if window is not None else None
    return Edge(
        source.node, *addressing.through(table, node.tokens, need, low), reads, features,
        window=window, order=order, piece=source.piece,
    )  # fmt: skip


def _right_matrix(
    node: Node, source: Source, shape: tuple[int, ...], out: Layout, scores: Triangle | None
) -> Edge:
    """Return the edge of the right matrix of a product of two activations.

    A row needs all of its image's tokens; of causal scores, those up to its own.
    """
    features = node.features if node.type == "Input" else source.features
    images = (
        shape[0]
        if len(shape) == 4 and source.axes and source.axes[0] == 0 and out.shape[0] == shape[0]
        else 1
    )
    if node.tokens % images or out.positions % images:
        images = 1
    image = np.arange(out.positions, dtype=np.int64) * images // out.positions
    tokens, first, last = node.tokens // images, None, None
    if source.grid is not None and not addressing.is_in_order(source.grid, node.tokens):
        table = (
            source.grid.reshape(images, -1) if source.grid.size % images == 0 else source.grid.reshape(1, -1)
        )
        one = np.zeros_like(image) if len(table) == 1 else image
        last, first = addressing.through(table, node.tokens, one + 1, one)
        tokens = len(np.unique(table[0]))
    cached = source.cached * source.features
    held = tokens * features + cached
    ways = [axis - len(shape) for axis in source.axes or () if axis >= len(shape) - 2]
    across = ways == [-1] if len(ways) == 1 else None
    need, rows = (image + 1) * tokens if last is None else last, out.positions // images
    if (
        scores is not None
        and last is None
        and across is not None
        and (scores.rows, scores.keys) == (rows, tokens + source.cached)
    ):
        need = scores.need(image, tokens, source.cached)
    return Edge(
        source.node, need, image * tokens if first is None else first, held, features,
        piece=source.piece, held=held, cached=cached, rows=rows, across=across,
        seen=scores.share if scores is not None else 1.0,
    )  # fmt: skip


def _tables(rule: OpRule, op: Op, operand: int, out: Layout, seen: Layout) -> tuple[Table, Table]:
    """Return `need` and `low` of an op over the positions of one of its activations."""
    steps = np.arange(out.positions, dtype=np.int64)
    if seen.positions == 1 and out.positions > 1:  # broadcast
        return np.ones_like(steps), np.zeros_like(steps)
    alike = _grid(seen) == _grid(out) and len(seen.shape) <= len(out.shape)
    if alike and rule.own_position(op, operand, out):
        return steps + 1, steps
    return np.full_like(steps, seen.positions), np.zeros_like(steps)


def _grid(layout: Layout) -> list[int]:
    """Return the sizes that count positions, without those of 1."""
    return [layout.shape[axis] for axis in layout.axes if layout.shape[axis] > 1]
