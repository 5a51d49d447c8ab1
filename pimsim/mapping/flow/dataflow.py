"""What each op needs of its inputs before it can fire: the trace as a graph of streams.

A tensor is cut into positions (pixels, rows) that carry features (channels); an op fires once a position,
and its `need` and `low` tables say which positions of each input must have come, and which are still of use.
Ops that only address their input otherwise (Reshape, the transposition of attention heads, …) vanish.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pimsim.errors import MappingError
from pimsim.mapping.flow.layout import Axes, Layout, Source, appended, carried, pixels_of, rows_of
from pimsim.trace.schema import Op, Trace

Table = npt.NDArray[np.int64]
Expert = tuple[int, int]
"""A layer of a mixture of experts, and which of its experts."""

WINDOWED = {"Conv", "MaxPool", "AveragePool"}
PIXELS = WINDOWED | {"GlobalAveragePool", "GlobalMaxPool", "BatchNormalization", "LRN"}
REDUCING = {"GlobalAveragePool", "GlobalMaxPool", "ReduceMean"}
MATRIX = {"Conv", "Gemm", "MatMul"}
GATHERING = {
    "Reshape",
    "Transpose",
    "Concat",
    "Slice",
    "Split",
    "Pad",
    "DataMovement",
    "Identity",
    "Gather",
    "Expand",
}


@dataclass(frozen=True, slots=True)
class Window:
    """The pixels under a sliding window, padding left out; rows are counted over all images.

    Parameters
    ----------
    top, bottom, left, right : int64, shape (positions of the consumer,)
        First and last row and column, both included.
    width : int
        Columns of the tensor that it slides over.
    """

    top: Table
    bottom: Table
    left: Table
    right: Table
    width: int

    def tables(self) -> tuple[Table, Table]:
        """Return `need` and `low` over the pixels, row by row: behind the last, and at the first one needed."""
        last = np.maximum.accumulate(self.bottom * self.width + self.right) + 1
        first = np.minimum.accumulate((self.top * self.width + self.left)[::-1])[::-1]
        return last, first

    def covered(self, positions: Table, pixels: int) -> npt.NDArray[np.bool_]:
        """Return which of the pixels lie under the window at some of the positions."""
        corners = np.zeros((pixels // self.width + 1, self.width + 1), dtype=np.int64)
        for rows, columns, sign in (
            (self.top, self.left, 1),
            (self.top, self.right + 1, -1),
            (self.bottom + 1, self.left, -1),
            (self.bottom + 1, self.right + 1, 1),
        ):
            np.add.at(corners, (rows[positions], columns[positions]), sign)
        return (corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0).ravel()


@dataclass(slots=True)
class Edge:
    """An input of a node: a stream of the source's tokens.

    Parameters
    ----------
    source : int
        Number of the node that fills it.
    need, low : int64, shape (positions of the consumer,)
        Tokens that must have come before a position fires; the first token that it or a later one needs.
    reads : int
        Elements that one firing reads from its buffer.
    features : int
        Elements of a token that are taken: all of the source's, or a slice.
    window : Window, optional
        Which tokens exactly, if they are the pixels under a window.
    piece : tuple
        Which slice of the source's features; empty for all.
    held : int
        For the right matrix of a product of two activations: its elements, which stay while the left one's rows
        pass; 0 for other inputs.
    cached : int
        Of those, the elements that a cache holds from earlier inferences.
    rows : int
        How many firings use the same ones.
    across : bool or None
        Whether its tokens are columns of that matrix, or rows; None where it is cut otherwise.
    """

    source: int
    need: Table
    low: Table
    reads: int
    features: int
    window: Window | None = None
    piece: tuple[object, ...] = ()
    held: int = 0
    cached: int = 0
    rows: int = 1
    across: bool | None = None

    def wanted(self, positions: Table, tokens: int) -> npt.NDArray[np.bool_]:
        """Return which of the source's tokens some of the consumer's positions read."""
        if self.window is not None:
            return self.window.covered(positions, tokens)
        edges = np.zeros(tokens + 1, dtype=np.int64)
        np.add.at(edges, self.low[positions], 1)
        np.add.at(edges, self.need[positions], -1)
        return np.cumsum(edges[:-1]) > 0


@dataclass(slots=True)
class Node:
    """An op that fires.

    Parameters
    ----------
    name, type : str
        Of the op; the model's outputs get nodes of type ``Output``.
    op : Op or None
        The op; None for ``Output``.
    positions : int
        Firings an inference.
    features : int
        Elements of a token that it puts out.
    tokens : int
        Tokens an inference.
    token : int64, shape (positions,)
        The token that a firing puts out, -1 for none.
    work : float
        Elements that one firing processes on a digital unit (before the unit's cost per element).
    layout : Layout
        Of the tensor that its tokens make up.
    edges : list of Edge
        Its inputs.
    expert : (int, int), optional
        The expert that it is an op of: from the Dispatch to the last op before the Combine.
    """

    name: str
    type: str
    op: Op | None
    positions: int
    features: int
    tokens: int
    token: Table
    work: float
    layout: Layout
    edges: list[Edge] = field(default_factory=list)
    expert: Expert | None = None

    @property
    def on_arrays(self) -> bool:
        """Whether it multiplies by a weight held in arrays."""
        return self.op is not None and self.op.weight is not None

    @property
    def pointwise(self) -> bool:
        """Whether position k needs position k of its single input and nothing else."""
        return len(self.edges) == 1 and bool(
            np.array_equal(self.edges[0].need, np.arange(1, self.positions + 1))
            and np.array_equal(self.token, np.arange(self.positions))
        )

    @property
    def right(self) -> Edge | None:
        """The right matrix of a product of two activations."""
        return next((edge for edge in self.edges if edge.held), None)


def build(trace: Trace) -> list[Node]:
    """Return the nodes of a trace in topological order, the model's outputs last.

    Raises
    ------
    MappingError
        If an op is of a kind that no part of a chip can run.
    """
    nodes: list[Node] = []
    found: dict[tuple[str, int], Source] = {}  # tensor -> the node that computes it
    for op in trace.ops:
        sources = [found[o.source, o.index] for o in op.activations if o.source is not None]
        if len(sources) == 1:
            kept = [_kept(op, sources[0], index) for index in range(len(op.outputs))]
            if all(kept):
                found.update(((op.name, index), source) for index, source in enumerate(kept) if source)
                continue
        _check_caches(op, sources)
        axes = _axes(op, sources)
        node = _node(op, nodes, sources, axes)
        node.expert = _expert(op, [nodes[source.node] for source in sources])
        nodes.append(node)
        for index, output in enumerate(op.outputs):
            features = math.prod(size for axis, size in enumerate(output.shape) if axis not in axes)
            # Outputs that are cut along positions come from tokens of the whole.
            whole = op.type == "Input" or node.tokens == Layout(output.shape, axes).positions
            own = axes if whole else None
            piece = (op.name, index) if len(op.outputs) > 1 else ()
            found[op.name, index] = Source(
                len(nodes) - 1, own, features if own is not None else node.features, piece
            )
    for name in trace.outputs:
        source = found[name, 0]
        count = nodes[source.node].tokens
        steps = np.arange(count, dtype=np.int64)
        taken = source.features if source.piece else nodes[source.node].features
        edge = Edge(source.node, steps + 1, steps, taken, taken, piece=source.piece)
        nodes.append(
            Node(
                name=f"{name} (output)",
                type="Output",
                op=None,
                positions=count,
                features=taken,
                tokens=0,
                token=np.full(count, -1, dtype=np.int64),
                work=0,
                layout=nodes[source.node].layout,
                edges=[edge],
            )
        )
    return nodes


def _kept(op: Op, source: Source, index: int) -> Source | None:
    """Return the source of an output of an op that moves no data."""
    if any(o.role == "cache" for o in op.inputs):
        return appended(op, source)
    if len(op.activations) == len(op.inputs):
        return carried(op, source, index)
    return None


def _check_caches(op: Op, sources: Iterable[Source]) -> None:
    """Refuse a cache that is not the right matrix of a product: only there it is read where it lies."""
    odd = any(source.cached for source in list(sources)[: 1 if op.type == "MatMul" else None])
    if odd or any(o.role == "cache" for o in op.inputs):
        raise MappingError(
            "it reads a cache of keys or values, which only the right operand of a MatMul can",
            where=f"op '{op.name}' ({op.type})",
            mend="append to the cache along its tokens, and multiply by it",
        )


def _expert(op: Op, sources: Iterable[Node]) -> Expert | None:
    """Return the expert that an op belongs to: what takes the rows of several, as a Combine, belongs to none."""
    if op.type == "Dispatch":
        return op.attributes["layer"], op.attributes["expert"]
    found = {node.expert for node in sources if node.expert is not None}
    return found.pop() if len(found) == 1 and op.type != "Combine" else None


def _axes(op: Op, sources: list[Source]) -> Axes:
    """Return the axes of an op's output that count positions; what does not care takes after its first operand."""
    rank = len(op.output.shape)
    if op.type in PIXELS:
        return pixels_of(rank)
    if not sources:
        return pixels_of(rank) if rank >= 4 else rows_of(rank)
    first = op.activations[0].tensor.shape
    axes = sources[0].axes
    if axes is None or op.type == "Gemm":
        return rows_of(rank)
    if op.type == "Transpose":
        perm = op.attributes["perm"]
        moved = tuple(n for n, axis in enumerate(perm) if axis in axes)
        kept = [perm[n] for n in moved] == sorted(perm[n] for n in moved)
        return _settled(op.output.shape, moved) if kept else rows_of(rank)
    if op.type == "ReduceMean" and not op.attributes["keepdims"]:
        gone = op.attributes["axes"]
        return tuple(axis - sum(g < axis for g in gone) for axis in axes if axis not in gone)
    if len(first) > rank:
        return rows_of(rank)
    shifted = tuple(axis + rank - len(first) for axis in axes)
    settled = _settled(op.output.shape, shifted)
    if op.type == "MatMul" and not Layout(op.output.shape, settled).heads:
        return rows_of(rank)
    return settled


def _settled(shape: tuple[int, ...], axes: Axes) -> Axes:
    """Return one of the usual layouts if these axes cut a tensor as it does, where axes of size 1 leave it open."""
    rank = len(shape)
    if axes in (rows_of(rank), pixels_of(rank), (0, 2)):
        return axes
    usual = [rows_of(rank), *([(0, 2)] if rank == 4 else []), pixels_of(rank)]
    return next((each for each in usual if Layout(shape, each).same_tokens(axes)), axes)


def _node(op: Op, nodes: list[Node], sources: list[Source], axes: Axes) -> Node:
    # What a split along positions puts out is read from tokens of what went in.
    layout = Layout(op.inputs[0].tensor.shape if op.type == "Split" else op.output.shape, axes)
    if op.type == "Input":
        # The host sends a row at a time, of pixels or of features: one burst, not one packet a pixel.
        rows = layout.images * layout.height if layout.channels else layout.positions
        size = math.prod(layout.shape) // rows
        return Node(op.name, op.type, op, rows, size, rows, np.arange(rows), 0, layout)
    operands = [(source, o.tensor.shape) for source, o in zip(sources, op.activations, strict=True)]
    positions, token = layout.positions, np.arange(layout.positions, dtype=np.int64)
    reducing = _reduces(op, layout)
    if reducing:  # fires as its input comes and puts out a token at the end of each image
        before = Layout(operands[0][1], axes)
        each = before.height * before.width
        positions = before.positions
        token = np.full(positions, -1, dtype=np.int64)
        token[each - 1 :: each] = np.arange(before.images)
    work = float(layout.features) if reducing else _work(op, layout)
    node = Node(
        op.name, op.type, op, positions, layout.features, int((token >= 0).sum()), token, work, layout
    )
    for number, (source, shape) in enumerate(operands):
        seen = _seen(op, shape, layout)
        if op.type == "MatMul" and op.weight is None and number == 1:
            node.edges.append(_right_matrix(nodes[source.node], source, shape, layout))
            continue
        window = _window(op, layout, seen) if op.type in WINDOWED and not reducing else None
        need, low = window.tables() if window else _tables(op, number, layout, seen, positions, reducing)
        reads = seen.features if reducing else _reads(op, number, seen, positions)
        edge = _edge(nodes[source.node], source, seen, need, low, reads)
        if seen.positions == nodes[source.node].tokens and edge.need is need:
            edge.window = window
        node.edges.append(edge)
    if op.type == "Combine":  # of each token it reads as many rows as the token went to experts, whichever
        given = [o.tensor.shape[0] for o in op.activations[1:]]
        upto = np.cumsum([0, *given]) * op.attributes["top"] * layout.features // sum(given)
        for edge, reads in zip(node.edges[1:], np.diff(upto), strict=True):
            edge.reads = int(reads)
    return node


def _seen(op: Op, shape: tuple[int, ...], out: Layout) -> Layout:
    """Return how an op sees an operand: cut as its output is, as far as the axes go."""
    if op.type == "Transpose":
        return Layout(shape, tuple(sorted(op.attributes["perm"][axis] for axis in out.axes)))
    if op.type == "ReduceMean" and not op.attributes["keepdims"]:
        return Layout(shape, pixels_of(len(shape)) if len(shape) >= 4 else rows_of(len(shape)))
    if out.axes == rows_of(len(out.shape)):
        return Layout(shape, rows_of(len(shape)))
    shift = len(out.shape) - len(shape)
    return Layout(shape, tuple(axis - shift for axis in out.axes if axis >= shift))


def _edge(node: Node, source: Source, seen: Layout, need: Table, low: Table, reads: int) -> Edge:
    """Turn tables over the positions of an operand into tables over its source's tokens."""
    features, grain = source.features, 1
    if seen.same_tokens(source.axes):
        if seen.positions == node.tokens:
            return Edge(source.node, need, low, reads, features, piece=source.piece)
        if node.type == "Input":  # a token is a row of positions
            grain = seen.positions // node.tokens
            return Edge(source.node, -(-need // grain), low // grain, reads, node.features)
    # A view has cut the tensor otherwise: every firing needs all of it.
    features = node.features if node.type == "Input" else features
    every = np.full_like(need, node.tokens)
    return Edge(source.node, every, np.zeros_like(low), reads, features, piece=source.piece)


def _right_matrix(node: Node, source: Source, shape: tuple[int, ...], out: Layout) -> Edge:
    """Return the edge of the right matrix of a product of two activations: all of its image's tokens, at every row."""
    features = node.features if node.type == "Input" else source.features
    images = (
        shape[0]
        if len(shape) == 4 and source.axes and source.axes[0] == 0 and out.shape[0] == shape[0]
        else 1
    )
    if node.tokens % images or out.positions % images:
        images = 1
    image = np.arange(out.positions, dtype=np.int64) * images // out.positions
    tokens = node.tokens // images
    cached = source.cached * source.features
    held = tokens * features + cached
    ways = [axis - len(shape) for axis in source.axes or () if axis >= len(shape) - 2]
    across = ways == [-1] if len(ways) == 1 else None
    return Edge(
        source.node, (image + 1) * tokens, image * tokens, held, features,
        piece=source.piece, held=held, cached=cached, rows=out.positions // images, across=across,
    )  # fmt: skip


def _reads(op: Op, operand: int, seen: Layout, positions: int) -> int:
    """Return the elements of an operand that one firing reads; what lies in a window is read again each time."""
    if op.type in WINDOWED:
        return int(seen.features * math.prod(op.attributes["kernel_shape"]))
    if op.type in MATRIX and operand > 0:
        return seen.positions * seen.features
    if seen.positions == 1 or op.type == "Dispatch":  # broadcast to every position; one token's row
        return seen.features
    return -(-seen.positions * seen.features // positions)


def _tables(
    op: Op, operand: int, out: Layout, seen: Layout, positions: int, reducing: bool
) -> tuple[Table, Table]:
    """Return `need` and `low` of an op over the positions of one of its activations."""
    steps = np.arange(positions, dtype=np.int64)
    if reducing:
        return steps + 1, steps
    if op.type == "Slice" and min(op.attributes["steps"]) > 0:  # the positions that it takes, in order
        cut = dict(
            zip(
                op.attributes["axes"],
                zip(op.attributes["starts"], op.attributes["ends"], op.attributes["steps"], strict=True),
                strict=True,
            )
        )
        grid = np.arange(seen.positions, dtype=np.int64).reshape([seen.shape[axis] for axis in seen.axes])
        taken = grid[tuple(slice(*cut[axis]) if axis in cut else slice(None) for axis in seen.axes)].ravel()
        return taken + 1, taken
    if seen.positions == 1 and positions > 1:  # broadcast
        return np.ones_like(steps), np.zeros_like(steps)
    if op.type in MATRIX and (operand > 0 or op.attributes.get("transA")):  # all of the second matrix
        pointwise = False
    else:
        pointwise = _within_features(op, out)
    if pointwise and _grid(seen) == _grid(out) and len(seen.shape) <= len(out.shape):
        return steps + 1, steps
    return np.full_like(steps, seen.positions), np.zeros_like(steps)


def _grid(layout: Layout) -> list[int]:
    """Return the sizes that count positions, without those of 1."""
    return [layout.shape[axis] for axis in layout.axes if layout.shape[axis] > 1]


def _window(op: Op, out: Layout, seen: Layout) -> Window:
    """Return the window of a convolution or pooling over an operand."""
    kernel, strides = op.attributes["kernel_shape"], op.attributes["strides"]
    dilations = op.attributes.get("dilations", (1,) * len(kernel))
    pads = op.attributes["pads"]
    if len(kernel) > 2:
        raise MappingError(
            f"its window slides over {len(kernel)} dimensions, one or two can be mapped",
            where=f"op '{op.name}' ({op.type})",
        )
    image, pixel = np.divmod(np.arange(out.positions, dtype=np.int64), out.height * out.width)
    y, x = np.divmod(pixel, out.width)
    if len(kernel) == 1:  # one spatial dimension, laid out along the width
        kernel, strides, dilations, pads = (
            (1, *kernel),
            (1, *strides),
            (1, *dilations),
            (0, pads[0], 0, pads[1]),
        )
    top, left = y * strides[0] - pads[0], x * strides[1] - pads[1]
    bottom, right = top + (kernel[0] - 1) * dilations[0], left + (kernel[1] - 1) * dilations[1]
    return Window(
        np.clip(top, 0, seen.height - 1) + image * seen.height,
        np.clip(bottom, 0, seen.height - 1) + image * seen.height,
        np.clip(left, 0, seen.width - 1),
        np.clip(right, 0, seen.width - 1),
        seen.width,
    )


def _within_features(op: Op, out: Layout) -> bool:
    """Whether an op works inside each position, so that positions do not wait for one another."""
    rank = len(op.output.shape)
    features = set(range(rank)) - set(out.axes)
    attributes = op.attributes
    if op.type == "Transpose":
        kept = [attributes["perm"][axis] for axis in out.axes]
        return kept == sorted(kept)
    if op.type == "Pad":
        return not any(
            attributes["pads"][axis] or attributes["pads"][axis + rank]
            for axis in set(range(rank)) - features
        )
    if op.type in ("Slice", "ReduceMean"):
        return set(attributes["axes"]) <= features and attributes.get("keepdims", 1) == 1
    if op.type in ("LayerNormalization", "RMSNormalization"):  # over all dimensions from its axis on
        over = set(range(attributes["axis"], rank))
        return all(axis in features or op.output.shape[axis] == 1 for axis in over)
    if op.type == "Gather":
        return False
    if op.type in ("Softmax", "Concat", "Split"):
        # Softmax over positions that number one is the same as staying inside the position.
        return attributes["axis"] in features or (op.type == "Softmax" and out.positions == 1)
    return True


def _reduces(op: Op, out: Layout) -> bool:
    """Whether an op takes in all positions of an image, each once, and leaves one."""
    pools = op.type in REDUCING or op.type in (
        "MaxPool",
        "AveragePool",
    )  # a single window sees each pixel once
    return pools and out.channels and len(op.inputs[0].tensor.shape) == 4 and out.positions == out.images


def _work(op: Op, out: Layout) -> float:
    """Elements that one firing processes."""
    if op.type in ("MaxPool", "AveragePool"):
        return float(out.features * math.prod(op.attributes["kernel_shape"]))
    if op.type in MATRIX:
        return op.macs / out.positions
    if op.type == "Combine":  # the rows of the experts that a token went to
        return float(out.features * op.attributes["top"])
    operands = [_seen(op, o.tensor.shape, out).features for o in op.activations]
    if op.type in GATHERING:
        return float(max(out.features, 1))
    return float(max(operands) * max(1, len(operands) - 1))
