"""What each op needs of its inputs before it can fire: the trace as a graph of streams.

A tensor is cut into positions (pixels, rows) that carry features (channels); an op fires once a position,
and its `need` and `low` tables say which positions of each input must have come, and which are still of use.
Ops that only rename positions (Reshape, Flatten, …) vanish.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pimsim.errors import MappingError
from pimsim.trace.schema import Op, Tensor, Trace

Table = npt.NDArray[np.int64]

VIEWS = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"}
WINDOWED = {"Conv", "MaxPool", "AveragePool"}
REDUCING = {"GlobalAveragePool", "GlobalMaxPool", "ReduceMean"}
MATRIX = {"Conv", "Gemm", "MatMul"}
GATHERING = {"Reshape", "Transpose", "Concat", "Slice", "Split", "Pad", "DataMovement", "Identity"}


@dataclass(frozen=True, slots=True)
class Layout:
    """A tensor as ``images * height * width`` positions of ``features`` elements each.

    By `channels` the tensor is NC…HW (or NCL), else its last dimension holds the features and all others count
    positions.
    """

    images: int
    height: int
    width: int
    features: int
    channels: bool

    @classmethod
    def of(cls, tensor: Tensor, channels: bool) -> Layout:
        """Return the layout of a tensor; below three dimensions there is but one."""
        shape = tensor.shape
        if channels and len(shape) == 3:
            return cls(shape[0], 1, shape[2], shape[1], True)
        if channels and len(shape) >= 4:
            return cls(shape[0], shape[-2], shape[-1], math.prod(shape[1:-2]), True)
        if not shape:
            return cls(1, 1, 1, 1, False)
        return cls(1, 1, math.prod(shape[:-1]), shape[-1], False)

    @property
    def positions(self) -> int:
        """Positions of one inference."""
        return self.images * self.height * self.width

    @property
    def strides(self) -> tuple[int, int, int]:
        """How elements lie in memory: positions outside of the features, features, positions inside."""
        inner = self.height * self.width if self.channels else 1
        outer = self.positions // inner
        return (outer * inner, 1, 1) if self.features == 1 else (outer, self.features, inner)


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
    window : Window, optional
        Which tokens exactly, if they are the pixels under a window.
    """

    source: int
    need: Table
    low: Table
    reads: int
    window: Window | None = None

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


def build(trace: Trace) -> list[Node]:
    """Return the nodes of a trace in topological order, the model's outputs last.

    Raises
    ------
    MappingError
        If an op is of a kind that no part of a chip can run.
    """
    nodes: list[Node] = []
    found: dict[str, int] = {}  # op -> the node that computes its tensor
    channels: dict[str, bool] = {}  # op -> whether its tensor is laid out by channels
    for op in trace.ops:
        channels[op.name] = _by_channels(op, channels)
        if op.type in VIEWS and len(op.activations) == 1 and op.activations[0].source is not None:
            found[op.name] = found[op.activations[0].source]
            continue
        nodes.append(_node(op, nodes, found, channels[op.name]))
        found[op.name] = len(nodes) - 1
    for name in trace.outputs:
        source = found[name]
        count = nodes[source].tokens
        steps = np.arange(count, dtype=np.int64)
        nodes.append(
            Node(
                name=f"{name} (output)",
                type="Output",
                op=None,
                positions=count,
                features=nodes[source].features,
                tokens=0,
                token=np.full(count, -1, dtype=np.int64),
                work=0,
                layout=nodes[source].layout,
                edges=[Edge(source, steps + 1, steps, nodes[source].features)],
            )
        )
    return nodes


def _by_channels(op: Op, channels: dict[str, bool]) -> bool:
    """Whether an op's tensor is NC…HW rather than rows; what does not care takes after its first operand."""
    if op.type in MATRIX:
        return op.type == "Conv"
    if op.type in WINDOWED or op.type in ("GlobalAveragePool", "GlobalMaxPool", "BatchNormalization", "LRN"):
        return True
    sources = [o.source for o in op.activations if o.source is not None]
    return channels[sources[0]] if sources else len(op.output.shape) >= 4


def _node(op: Op, nodes: list[Node], found: dict[str, int], channels: bool) -> Node:
    # What comes out of a split is read from tokens as wide as what went in.
    layout = Layout.of(op.inputs[0].tensor if op.type == "Split" else op.output, channels)
    if op.type == "Input":
        # The host sends a row of pixels at a time: one burst, not one packet a pixel.
        rows = layout.images * layout.height
        size = layout.width * layout.features
        return Node(op.name, op.type, op, rows, size, rows, np.arange(rows), 0, layout)
    sources = [(found[o.source], o.tensor) for o in op.activations if o.source is not None]
    positions, token = layout.positions, np.arange(layout.positions, dtype=np.int64)
    reducing = _reduces(op, layout)
    if reducing:  # fires as its input comes and puts out a token at the end of each image
        before = Layout.of(sources[0][1], channels)
        each = before.height * before.width
        positions = before.positions
        token = np.full(positions, -1, dtype=np.int64)
        token[each - 1 :: each] = np.arange(before.images)
    work = float(layout.features) if reducing else _work(op, layout)
    node = Node(
        op.name, op.type, op, positions, layout.features, int((token >= 0).sum()), token, work, layout
    )
    for number, (source, tensor) in enumerate(sources):
        seen = Layout.of(tensor, channels)
        window = _window(op, layout, seen) if op.type in WINDOWED and not reducing else None
        need, low = window.tables() if window else _tables(op, number, layout, seen, positions, reducing)
        reads = seen.features if reducing else _reads(op, number, seen, positions)
        edge = _edge(nodes[source], source, seen, need, low, reads)
        if seen.positions == nodes[source].tokens and edge.need is need:
            edge.window = window
        node.edges.append(edge)
    return node


def _edge(source: Node, number: int, seen: Layout, need: Table, low: Table, reads: int) -> Edge:
    """Turn tables over the positions of an operand into tables over its source's tokens."""
    parts = source.type == "Split" and seen.strides[::2] == source.layout.strides[::2]
    if parts or seen.strides == source.layout.strides:
        if seen.positions == source.tokens:
            return Edge(number, need, low, reads)
        if source.type == "Input":  # a token is a row of positions
            grain = seen.positions // source.tokens
            return Edge(number, -(-need // grain), low // grain, reads)
    # A view has cut the tensor otherwise: every firing needs all of it.
    return Edge(number, np.full_like(need, source.tokens), np.zeros_like(low), reads)


def _reads(op: Op, operand: int, seen: Layout, positions: int) -> int:
    """Return the elements of an operand that one firing reads; what lies in a window is read again each time."""
    if op.type in WINDOWED:
        return int(seen.features * math.prod(op.attributes["kernel_shape"]))
    if op.type in MATRIX and operand > 0:
        return seen.positions * seen.features
    if seen.positions == 1:  # broadcast to every position
        return seen.features
    return -(-seen.positions * seen.features // positions)


def _tables(
    op: Op, operand: int, out: Layout, seen: Layout, positions: int, reducing: bool
) -> tuple[Table, Table]:
    """Return `need` and `low` of an op over the positions of one of its activations."""
    steps = np.arange(positions, dtype=np.int64)
    if reducing:
        return steps + 1, steps
    if seen.positions == 1 and positions > 1:  # broadcast
        return np.ones_like(steps), np.zeros_like(steps)
    if op.type in MATRIX and (operand > 0 or op.attributes.get("transA")):  # all of the second matrix
        pointwise = False
    else:
        pointwise = _within_features(op, out)
    shape = op.activations[operand].tensor.shape
    result = op.inputs[0].tensor.shape if op.type == "Split" else op.output.shape
    if pointwise and _grid(shape, len(result), out.channels) == _grid(result, len(result), out.channels):
        return steps + 1, steps
    return np.full_like(steps, seen.positions), np.zeros_like(steps)


def _grid(shape: tuple[int, ...], rank: int, channels: bool) -> tuple[int, ...] | None:
    """Return the dimensions that count positions once a tensor is broadcast to a rank; None if it cannot be."""
    if channels and rank >= 3:
        return (shape[0], *shape[2:][-2:]) if len(shape) == rank else None
    return (1,) * (rank - len(shape)) + shape[:-1]


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
    features = {rank - 1} if not out.channels or rank < 3 else {1} if rank == 3 else set(range(1, rank - 2))
    attributes = op.attributes
    if op.type == "Transpose":
        return all(attributes["perm"][axis] == axis for axis in range(rank) if axis not in features)
    if op.type == "Pad":
        return not any(
            attributes["pads"][axis] or attributes["pads"][axis + rank]
            for axis in set(range(rank)) - features
        )
    if op.type in ("Slice", "ReduceMean"):
        return set(attributes["axes"]) <= features and attributes.get("keepdims", 1) == 1
    if op.type == "LayerNormalization":  # over all dimensions from its axis on
        over = set(range(attributes["axis"], rank))
        return all(axis in features or op.output.shape[axis] == 1 for axis in over)
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
    operands = [Layout.of(o.tensor, out.channels).features for o in op.activations]
    if op.type in GATHERING:
        return float(max(out.features, 1))
    return float(max(operands) * max(1, len(operands) - 1))
