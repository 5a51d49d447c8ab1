"""What each op needs of its inputs before it can fire: the trace as a graph of streams.

A tensor is cut into positions (pixels, rows) that carry features (channels); an op fires once a position, and
its `need` and `low` tables say which positions of each input must have come, and which are still of use. Ops that
only rename positions (Reshape, Flatten, …) vanish.
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

    Rank 4 and above is taken as NC…HW; below that the last dimension holds the features.
    """

    images: int
    height: int
    width: int
    features: int

    @classmethod
    def of(cls, tensor: Tensor) -> Layout:
        """Return the layout of a tensor."""
        shape = tensor.shape
        if len(shape) >= 4:
            return cls(shape[0], shape[-2], shape[-1], math.prod(shape[1:-2]))
        if not shape:
            return cls(1, 1, 1, 1)
        return cls(1, 1, math.prod(shape[:-1]), shape[-1])

    @property
    def positions(self) -> int:
        """Positions of one inference."""
        return self.images * self.height * self.width


@dataclass(slots=True)
class Edge:
    """An input of a node: a stream of the source's tokens.

    Parameters
    ----------
    source : int
        Number of the node that fills it.
    need, low : int64, shape (positions of the consumer,)
        Tokens that must have come before a position fires; the first token that it or a later one still needs.
    whole : bool
        Whether the consumer reads every position's features as rows of one long vector (after a Flatten).
    """

    source: int
    need: Table
    low: Table
    whole: bool = False


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
    for op in trace.ops:
        if op.type in VIEWS and len(op.activations) == 1 and op.activations[0].source is not None:
            found[op.name] = found[op.activations[0].source]
            continue
        nodes.append(_node(op, nodes, found))
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
                edges=[Edge(source, steps + 1, steps)],
            )
        )
    return nodes


def _node(op: Op, nodes: list[Node], found: dict[str, int]) -> Node:
    layout = Layout.of(op.output)
    if op.type == "Input":
        # The host sends a row of pixels at a time: one burst, not one packet a pixel.
        rows = layout.images * layout.height
        return Node(op.name, op.type, op, rows, layout.width * layout.features, rows, np.arange(rows), 0)
    sources = [(found[o.source], o.tensor) for o in op.activations if o.source is not None]
    if not sources:
        raise MappingError(
            f"op '{op.name}' ({op.type}) computes from constants alone", mend="fold it when exporting"
        )
    positions, token = layout.positions, np.arange(layout.positions, dtype=np.int64)
    reducing = _reduces(op, layout)
    if reducing:  # fires as its input comes and puts out a token at the end of each image
        before = Layout.of(sources[0][1])
        each = before.height * before.width
        positions = before.positions
        token = np.full(positions, -1, dtype=np.int64)
        token[each - 1 :: each] = np.arange(before.images)
    work = float(layout.features) if reducing else _work(op, layout)
    node = Node(op.name, op.type, op, positions, layout.features, int((token >= 0).sum()), token, work)
    for number, tensor in sources:
        seen = Layout.of(tensor)
        need, low = _tables(op, layout, seen, positions, reducing)
        node.edges.append(_edge(nodes[number], number, seen.positions, need, low))
    return node


def _edge(source: Node, number: int, seen: int, need: Table, low: Table) -> Edge:
    """Turn tables over the `seen` positions of an operand into tables over its source's tokens."""
    if seen == source.tokens:
        return Edge(number, need, low)
    if source.type == "Input" and seen % source.tokens == 0:  # a token is a row of positions
        grain = seen // source.tokens
        return Edge(number, -(-need // grain), low // grain)
    # A view has cut the tensor otherwise: every firing needs all of it.
    return Edge(number, np.full_like(need, source.tokens), np.zeros_like(low), whole=True)


def _tables(op: Op, out: Layout, seen: Layout, positions: int, reducing: bool) -> tuple[Table, Table]:
    """Return `need` and `low` of an op over the positions of one operand."""
    steps = np.arange(positions, dtype=np.int64)
    if reducing:
        return steps + 1, steps
    if op.type in WINDOWED:
        return _window_tables(op, out, seen)
    if seen.positions == 1 and positions > 1:  # broadcast
        return np.ones_like(steps), np.zeros_like(steps)
    rowwise = op.type not in ("Softmax", "LayerNormalization", "Concat", "Transpose") or _within_features(op)
    second = op.type in ("MatMul", "Gemm") and op.weight is None and seen.positions != out.positions
    if seen.positions == positions and rowwise and not second:
        return steps + 1, steps
    return np.full_like(steps, seen.positions), np.zeros_like(steps)


def _window_tables(op: Op, out: Layout, seen: Layout) -> tuple[Table, Table]:
    """Tables of a sliding window, row by row: the last and the first pixel under it, padding left out."""
    kernel, strides = op.attributes["kernel_shape"], op.attributes["strides"]
    dilations = op.attributes.get("dilations", (1,) * len(kernel))
    pads = op.attributes["pads"]
    y, x = np.divmod(np.arange(out.height * out.width, dtype=np.int64), out.width)
    if len(kernel) == 1:  # one spatial dimension, laid out along the width
        kernel, strides, dilations, pads = (
            (1, *kernel),
            (1, *strides),
            (1, *dilations),
            (0, pads[0], 0, pads[1]),
        )
    top, left = y * strides[0] - pads[0], x * strides[1] - pads[1]
    bottom = np.clip(top + (kernel[0] - 1) * dilations[0], 0, seen.height - 1)
    right = np.clip(left + (kernel[1] - 1) * dilations[1], 0, seen.width - 1)
    last = np.maximum.accumulate(bottom * seen.width + right) + 1
    first = np.clip(top, 0, seen.height - 1) * seen.width + np.clip(left, 0, seen.width - 1)
    first = np.minimum.accumulate(first[::-1])[::-1]
    image = np.arange(out.images, dtype=np.int64)[:, None] * (seen.height * seen.width)
    return (image + last).ravel(), (image + first).ravel()


def _within_features(op: Op) -> bool:
    """Whether an op with an axis works inside each position, so that positions do not wait for one another."""
    rank = len(op.output.shape)
    feature_axes = set(range(1, rank - 2)) if rank >= 4 else {rank - 1}
    if op.type == "Transpose":
        perm = op.attributes["perm"]
        return all(perm[axis] == axis for axis in range(rank) if axis not in feature_axes)
    axis = op.attributes.get("axis", -1) % max(rank, 1)
    if axis in feature_axes:
        return True
    # Reducing over positions that number one is the same as staying inside the position.
    return op.type != "Concat" and Layout.of(op.output).positions == 1


def _reduces(op: Op, out: Layout) -> bool:
    """Whether an op takes in all positions of an image, each once, and leaves one."""
    pools = op.type in REDUCING or op.type in (
        "MaxPool",
        "AveragePool",
    )  # a single window sees each pixel once
    return pools and len(op.inputs[0].tensor.shape) == 4 and out.positions == out.images


def _work(op: Op, out: Layout) -> float:
    """Elements that one firing processes."""
    if op.type in ("MaxPool", "AveragePool"):
        return float(out.features * math.prod(op.attributes["kernel_shape"]))
    if op.type in MATRIX:
        return op.macs / out.positions
    operands = [Layout.of(o.tensor).features for o in op.activations]
    if op.type in GATHERING:
        return float(max(out.features, 1))
    return float(max(operands) * max(1, len(operands) - 1))
