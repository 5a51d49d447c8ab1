"""What a firing waits for, against plain loops over what its op reads by ONNX's definition.

Two things are promised of every edge: all tokens that a position reads lie in ``[low, need)``, so that it neither
starts early nor finds its input overwritten; and both tables only grow, because tokens come and go in order.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.errors import MappingError
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.dataflow import Edge, Node
from pimsim.mapping.flow.widths import Widths
from pimsim.mapping.flow.windows import Window
from pimsim.trace import Op, Operand, Tensor
from tests.random_models import Builder
from tests.trace.symbolic import mixture

Reads = list[set[int]]


def last_edges(model: Builder) -> list[Edge]:
    """The edges of the last op (before the model's output)."""
    return last_node(model).edges


def last_node(model: Builder) -> Node:
    return next(
        node
        for node in build(model.trace(), Widths(8))
        if node.type != "Output" and node.name == model.ops[-1].name
    )


def fresh(model: Builder, *shape: int) -> str:
    """A tensor that comes position by position: an input comes row by row."""
    return model.relu(model.input(*shape))


def move(model: Builder, x: str) -> str:
    """Add an op that reads position by position: one that works element by element goes by its source's tokens."""
    return model.add("DataMovement", (x,), model.shapes[x], onnx_type="Move")


def check(edge: Edge, reads: Reads, exact: bool = False) -> None:
    """Compare tables with the tokens that each position reads."""
    assert len(edge.need) == len(edge.low) == len(reads)
    assert (np.diff(edge.need) >= 0).all()
    assert (np.diff(edge.low) >= 0).all()
    for position, tokens in enumerate(reads):
        for token in tokens:
            assert edge.low[position] <= token < edge.need[position], (position, token)
    if exact:
        need = list(itertools.accumulate((max(tokens) + 1 for tokens in reads), max))
        low = list(itertools.accumulate((min(tokens) for tokens in reversed(reads)), min))[::-1]
        assert edge.need.tolist() == need
        assert edge.low.tolist() == low


def window_reads(
    images: int, size: tuple[int, ...], out: tuple[int, ...], kernel: tuple[int, ...],
    strides: tuple[int, ...], pads: tuple[int, ...], dilations: tuple[int, ...],
) -> Reads:  # fmt: skip
    """Pixels under each window by the definition of a convolution, any number of dimensions."""
    reads = []
    for image in range(images):
        for place in itertools.product(*map(range, out)):
            tokens = set()
            for tap in itertools.product(*map(range, kernel)):
                at = [
                    p * s - pad + t * d
                    for p, s, pad, t, d in zip(place, strides, pads, tap, dilations, strict=False)
                ]
                if all(0 <= a < n for a, n in zip(at, size, strict=True)):
                    tokens.add(image * math.prod(size) + int(np.ravel_multi_index(at, size)))
            reads.append(tokens)
    return reads


@st.composite
def windows(draw: st.DrawFn) -> tuple[int, tuple[int, int], dict[str, tuple[int, ...]]]:
    """Images, a size, and a window that fits it."""
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    dilations = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    pads = tuple(draw(st.integers(0, 3)) for _ in range(4))
    size = tuple(
        max(1, (kernel[i] - 1) * dilations[i] + 1 - pads[i] - pads[i + 2]) + draw(st.integers(0, 5))
        for i in (0, 1)
    )
    strides = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    window = {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}
    return draw(st.integers(1, 3)), size, window  # type: ignore[return-value]


@settings(max_examples=300, deadline=None)
@given(windows(), st.sampled_from(["Conv", "MaxPool"]))
def test_windows_read_what_lies_between_low_and_need(drawn, kind):
    images, size, window = drawn
    model = Builder()
    x = fresh(model, images, 2, *size)
    y = model.conv(x, 3, **window) if kind == "Conv" else model.pool(x, **window)
    out = model.shapes[y][2:]
    node = last_node(model)
    if node.positions != images * math.prod(out):  # a single window fires as its input comes
        assert kind == "MaxPool"
        assert out == (1, 1)
        return
    reads = window_reads(images, size, out, **window)
    check(node.edges[0], reads, exact=all(reads))
    seen = node.edges[0].window
    assert seen is not None
    pixels = images * math.prod(size)
    covered = [set(np.flatnonzero(seen.covered(np.array([n]), pixels)).tolist()) for n in range(len(reads))]
    # What reads nothing but padding waits for what is nearest.
    assert all(here == (read or here) and here for here, read in zip(covered, reads, strict=True))
    assert seen.most() == max(map(len, covered))
    some = np.arange(0, node.positions, 3)
    together = set(np.flatnonzero(seen.covered(some, pixels)).tolist())
    assert together == set().union(*(covered[n] for n in some))


@pytest.mark.parametrize(("pads", "stride", "dilation"), [((0, 0), 1, 1), ((2, 0), 2, 1), ((1, 3), 1, 2)])
@pytest.mark.parametrize("images", [1, 2])
def test_a_window_over_one_dimension_slides_along_it_and_reads_all_channels(pads, stride, dilation, images):
    model = Builder()
    x = model.input(images, 3, 10)
    x = model.conv(x, 3, (1,))  # so that its positions come one by one
    model.conv(x, 4, (3,), (stride,), pads, (dilation,))
    length = model.shapes[model.ops[-1].name][2]
    node = last_node(model)
    assert (node.positions, node.features) == (images * length, 4)
    check(node.edges[0], window_reads(images, (10,), (length,), (3,), (stride,), pads, (dilation,)))


@pytest.mark.parametrize("kind", ["Conv", "MaxPool"])
@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize(
    ("size", "kernel", "strides", "pads"),
    [
        ((3, 4, 4), (3, 1, 1), (1, 1, 1), (1, 0, 0, 1, 0, 0)),
        ((4, 5, 3), (2, 3, 3), (2, 1, 2), (0, 1, 1, 0, 1, 1)),
        ((2, 6, 7), (1, 2, 3), (1, 2, 2), (0, 0, 0, 0, 0, 0)),
    ],
)
def test_a_window_over_three_dimensions_reads_what_lies_between_low_and_need(
    kind, images, size, kernel, strides, pads
):
    model = Builder()
    x = fresh(model, images, 2, *size)
    window = {"kernel": kernel, "strides": strides, "pads": pads}
    y = model.conv(x, 3, **window) if kind == "Conv" else model.pool(x, **window)
    out = model.shapes[y][2:]
    assert last_node(model).positions == images * math.prod(out)
    reads = window_reads(images, size, out, dilations=(1, 1, 1), **window)
    check(last_node(model).edges[0], reads, exact=True)


def test_a_window_over_four_dimensions_is_refused():
    model = Builder()
    model.conv(fresh(model, 1, 2, 3, 4, 4, 4), 4, (1, 1, 1, 1))
    with pytest.raises(MappingError, match="4 dimensions"):
        build(model.trace(), Widths(8))


def test_rows_of_an_input_come_whole():
    """A 3x3 window, padded by one, on 5 rows: output row y needs input rows up to y + 1."""
    model = Builder()
    x = model.input(2, 3, 5, 4)
    model.conv(x, 1, (3, 3), pads=(1, 1, 1, 1))
    rows = [min(y + 2, 5) for y in range(5) for _ in range(4)]
    first = [max(y - 1, 0) for y in range(5) for _ in range(4)]
    edge = last_edges(model)[0]
    assert edge.need.tolist() == rows + [row + 5 for row in rows]
    assert edge.low.tolist() == first + [row + 5 for row in first]


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (2, 3, 2, 2), (1, 1, 1, 1), (3, 7), (2, 3, 4)])
def test_elementwise_ops_need_one_position_of_each_operand(shape):
    model = Builder()
    a, b = fresh(model, *shape), fresh(model, *shape)
    model.sum(a, b)
    for edge in last_edges(model):
        check(edge, [{k} for k in range(len(edge.need))], exact=True)


BROADCASTS = [
    ((1, 4, 3, 3), (1, 4, 1, 1)),
    ((2, 4, 3, 3), (2, 4, 1, 1)),
    ((1, 4, 3, 2), (1, 1, 3, 1)),
    ((1, 4, 2, 2), (4, 1, 1)),  # as many positions of one kind as of the other
    ((1, 3, 2, 3), (2, 1)),
    ((5, 4), (4,)),
    ((2, 3, 4), (3, 4)),
    ((2, 3, 4), (2, 1, 4)),
]


def elements(shape):
    """The index of each element."""
    return np.arange(math.prod(shape)).reshape(shape)


def position_of(shape, axes=None):
    """For each element of a tensor, the position that carries it.

    `axes` count positions: by default the first and the last two of four or more, else all but the last.
    """
    if axes is None:
        axes = (0, len(shape) - 2, len(shape) - 1) if len(shape) >= 4 else tuple(range(len(shape) - 1))
    index, position = np.indices(shape), np.zeros(shape, dtype=np.int64)
    for axis in axes:
        position = position * shape[axis] + index[axis]
    return position


def reads_of(operand, read_by, out, axes=None, into=None):
    """Positions of an operand that each output position reads; `read_by` has operand elements, one row an element.

    `axes` count the operand's positions, `into` the output's; by default the same.
    """
    where, into = position_of(operand, axes), position_of(out, axes if into is None else into)
    reads: Reads = [set() for _ in range(int(into.max()) + 1)]
    for position, element in zip(into.ravel(), read_by.reshape(into.size, -1), strict=True):
        reads[position] |= {int(where.ravel()[e]) for e in element}
    return reads


@pytest.mark.parametrize(("left", "right"), BROADCASTS)
def test_broadcasting_waits_for_all_that_a_position_reads(left, right):
    model = Builder()
    a, b = fresh(model, *left), fresh(model, *right)
    model.add("Mul", (a, b), left)
    for edge, shape in zip(last_edges(model), (left, right), strict=True):
        check(edge, reads_of(shape, np.broadcast_to(elements(shape), left), left))


@pytest.mark.parametrize(
    ("left", "right"),
    [((4, 4), (4, 6)), ((5, 3), (3, 5)), ((2, 4, 4), (2, 4, 4)), ((1, 2, 4, 4), (1, 2, 4, 4))],
)
def test_a_product_of_two_activations_needs_a_row_of_one_and_all_of_the_other(left, right):
    model = Builder()
    a, b = fresh(model, *left), fresh(model, *right)
    out = (*left[:-1], right[-1])
    model.add("MatMul", (a, b), out)
    rows = np.broadcast_to(elements(left)[..., :, None, :], (*out, left[-1]))
    columns = np.broadcast_to(np.swapaxes(elements(right), -1, -2)[..., None, :, :], (*out, left[-1]))
    node = last_node(model)
    assert node.positions == math.prod(out[:-1])  # a firing is a row of the result
    for edge, shape, read in zip(node.edges, (left, right), (rows, columns), strict=True):
        reads = reads_of(shape, read, out, tuple(range(len(shape) - 1)))
        if len(shape) >= 4:  # it comes pixel by pixel, a column of a row in each
            reads = reads_of(shape, read, out, (0, 2, 3), tuple(range(len(out) - 1)))
        check(edge, reads)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((1, 3, 2, 2), 1), ((1, 3, 2, 2), 3), ((2, 3, 4), 2), ((2, 3, 4), 1), ((3, 5), 0), ((3, 5), 1)],
)
def test_softmax_needs_all_along_its_axis(shape, axis):
    model = Builder()
    model.softmax(fresh(model, *shape), axis)
    along = np.broadcast_to(
        np.moveaxis(elements(shape), axis, -1)[..., None, :],
        (*np.moveaxis(elements(shape), axis, -1).shape, shape[axis]),
    )
    check(last_edges(model)[0], reads_of(shape, np.moveaxis(along, -2, axis), shape))


@pytest.mark.parametrize(("shape", "axis"), [((1, 3, 2, 2), 1), ((2, 3, 4), 2), ((2, 3, 4), 1), ((4, 5), 1)])
def test_layer_normalization_needs_all_dimensions_from_its_axis_on(shape, axis):
    model = Builder()
    scale = ("constant", shape[axis:])
    model.add("LayerNormalization", (fresh(model, *shape),), shape, [scale], axis=axis, epsilon=1e-5)
    block = elements(shape).reshape(*shape[:axis], -1)
    read = np.broadcast_to(
        block[(..., *[None] * (len(shape) - axis), slice(None))], (*shape, block.shape[-1])
    )
    check(last_edges(model)[0], reads_of(shape, read, shape))


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_concat_needs_the_position_it_copies(axis):
    shape = (1, 2, 3, 2)
    model = Builder()
    a, b = fresh(model, *shape), fresh(model, *shape)
    out = model.shapes[model.concat(a, b, axis=axis)]
    halves = np.concatenate([elements(shape), elements(shape) + 100], axis=axis)
    for edge, low in zip(last_edges(model), (0, 100), strict=True):
        into, where = position_of(out), position_of(shape)
        reads: Reads = [set() for _ in range(int(into.max()) + 1)]
        for position, element in zip(into.ravel(), halves.ravel(), strict=True):
            if low <= element < low + 100:
                reads[position].add(int(where.ravel()[element - low]))
        check(edge, reads)


REARRANGED = [
    ("Transpose", (1, 3, 2, 2), {"perm": (0, 1, 3, 2)}),
    ("Transpose", (1, 2, 2, 3), {"perm": (0, 2, 1, 3)}),
    ("Transpose", (3, 3), {"perm": (1, 0)}),
    ("Slice", (1, 3, 4, 2), {"starts": (3,), "ends": (-1,), "axes": (2,), "steps": (-1,)}),
    ("Slice", (1, 3, 4, 2), {"starts": (1,), "ends": (3,), "axes": (2,), "steps": (1,)}),
    ("Slice", (1, 3, 4, 2), {"starts": (1,), "ends": (3,), "axes": (1,), "steps": (1,)}),
]


@pytest.mark.parametrize(("kind", "shape", "attributes"), REARRANGED)
def test_rearranging_needs_the_position_it_copies(kind, shape, attributes):
    source = elements(shape)
    if kind == "Transpose":
        read = np.transpose(source, attributes["perm"])
    else:
        axis, step = attributes["axes"][0], attributes["steps"][0]
        chosen = list(range(attributes["starts"][0], attributes["ends"][0], step))
        read = np.take(source, chosen, axis=axis)
    model = Builder()
    move(model, model.add(kind, (fresh(model, *shape),), read.shape, **attributes))
    nodes = {node.name: node for node in build(model.trace(), Widths(8))}
    moved = nodes.get(model.ops[-2].name)  # what only addresses its input otherwise is no node
    node = moved or nodes[model.ops[-1].name]
    check(node.edges[0], reads_of(shape, read, read.shape, into=node.layout.axes))
    if moved:
        check(nodes[model.ops[-1].name].edges[0], [{n} for n in range(moved.tokens)])


RESHAPES = [
    ((1, 4, 2, 2), (1, 2, 2, 2, 2), False),  # channels split: positions stay (shufflenet)
    ((1, 4, 2, 2), (1, 1, 4, 4), False),
    ((1, 4, 2, 2), (1, 4, 4), False),
    ((1, 4, 2, 2), (1, 4, 4), True),
    ((1, 4, 2, 2), (1, 1, 4, 4), True),
    ((1, 3, 4, 2), (1, 3, 2, 4), False),
    ((2, 6), (3, 4), False),
]


@pytest.mark.parametrize(("before", "after", "at_input"), RESHAPES)
def test_a_view_reads_the_tokens_that_hold_its_elements(before, after, at_input):
    model = Builder()
    x = model.input(*before)
    x = x if at_input else model.relu(x)
    x = model.add("Reshape", (x,), after)
    move(model, x)
    # Position by position of the new shape: which positions of the old one hold its elements.
    where = position_of(before)
    if at_input:
        where = where // (before[-1] if len(before) >= 4 else before[0])
    into = position_of(after, last_node(model).layout.axes)
    reads: Reads = [set() for _ in range(int(into.max()) + 1)]
    for position, token in zip(into.ravel(), where.ravel(), strict=True):
        reads[position].add(int(token))
    check(last_edges(model)[0], reads)


def test_an_input_of_rows_comes_row_by_row_and_a_slice_waits_for_the_rows_it_takes():
    """By ONNX's definition, output row k of the slice is input row 1 + 2 k."""
    model = Builder()
    x = model.input(1, 6, 8)
    move(model, model.add("Slice", (x,), (1, 3, 8), starts=(1,), ends=(6,), axes=(1,), steps=(2,)))
    nodes = {node.name: node for node in build(model.trace(), Widths(8))}
    assert (nodes[x].tokens, nodes[x].features) == (6, 8)
    check(last_edges(model)[0], [{1}, {3}, {5}], exact=True)


def test_a_flattened_tensor_is_needed_whole():
    model = Builder()
    x = model.flatten(fresh(model, 1, 3, 4, 5))
    model.gemm(x, 7)
    edge = last_edges(model)[0]
    assert (edge.need.tolist(), edge.low.tolist()) == ([20], [0])
    assert edge.reads == 3 * 4 * 5


@pytest.mark.parametrize(
    ("build", "elements"),
    [
        (lambda m: m.relu(m.input(1, 16, 7, 7)), 16),  # a pixel, though the host sends rows
        (lambda m: m.pool(m.input(1, 16, 8, 8), (3, 3)), 9 * 16),  # all that lies in the window
        (lambda m: m.softmax(m.flatten(m.input(1, 16, 7, 7)), 1), 16 * 49),  # one firing reads it all
    ],
)
def test_a_firing_reads_from_its_buffer_what_it_works_on(build, elements):
    model = Builder()
    build(model)
    assert [edge.reads for edge in last_edges(model)] == [elements]


@pytest.mark.parametrize("images", [1, 3])
def test_a_global_pool_takes_positions_as_they_come_and_puts_out_one_an_image(images):
    model = Builder()
    model.global_pool(fresh(model, images, 3, 4, 5))
    node = last_node(model)
    check(node.edges[0], [{k} for k in range(images * 20)], exact=True)
    assert np.flatnonzero(node.token >= 0).tolist() == [20 * n + 19 for n in range(images)]
    assert node.tokens == images


@pytest.mark.parametrize(
    ("shape", "axes", "keepdims"),
    [
        ((1, 4, 2, 2), (3,), 0),
        ((1, 4, 2, 2), (2, 3), 0),
        ((2, 4, 2, 2), (2, 3), 1),
        ((1, 4, 2, 2), (1,), 1),
        ((2, 3, 4), (1,), 0),
        ((2, 3, 4), (2,), 1),
    ],
)
def test_a_mean_needs_all_that_it_averages_before_it_puts_a_token_out(shape, axes, keepdims):
    model = Builder()
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    out = kept if keepdims else tuple(size for axis, size in enumerate(shape) if axis not in axes)
    model.add("ReduceMean", (fresh(model, *shape),), out, axes=axes, keepdims=keepdims)
    node = last_node(model)
    into, where = position_of(out, node.layout.axes).reshape(kept), position_of(shape)
    ready = node.edges[0].need[node.token >= 0]  # tokens come in order
    for position, token in zip(np.broadcast_to(into, shape).ravel(), where.ravel(), strict=True):
        assert token < ready[position]


def test_readers_of_a_split_take_their_slice_of_each_token_of_what_went_in():
    """The first output has 1 channel, the second 3, of the 4 that a pixel carries."""
    model = Builder()
    x = fresh(model, 1, 4, 2, 2)
    split = model.add("Split", (x,), (1, 1, 2, 2), more=[(1, 3, 2, 2)], axis=1)
    model.relu(split)
    second = Operand("activation", Tensor((1, 3, 2, 2)), split, 1)
    model.ops.append(Op("second", "Relu", (second,), (Tensor((1, 3, 2, 2)),)))
    nodes = build(model.trace(), Widths(8))
    edges = [node.edges[0] for node in nodes if node.type == "Relu"][1:]
    assert [(nodes[edge.source].name, edge.features) for edge in edges] == [(x, 1), (x, 3)]
    assert len({edge.piece for edge in edges}) == 2  # so that nobody takes the one for the other
    for edge in edges:
        check(edge, [{k} for k in range(4)], exact=True)


@given(st.integers(1, 6), st.integers(1, 6), st.lists(st.integers(0, 8), min_size=1, max_size=5), st.data())
def test_the_pixels_under_a_window_are_those_that_a_loop_finds(height, width, positions, data):
    def spans(size):
        ends = [sorted(data.draw(st.tuples(*[st.integers(0, size - 1)] * 2))) for _ in range(9)]
        return np.array(ends).T

    (top, bottom), (left, right) = spans(height), spans(width)
    window = Window(top, bottom, left, right, width)
    expected = {
        y * width + x
        for p in positions
        for y in range(top[p], bottom[p] + 1)
        for x in range(left[p], right[p] + 1)
    }
    covered = window.covered(np.array(positions), height * width)
    assert set(np.flatnonzero(covered).tolist()) == expected


def test_a_copy_that_does_every_fourth_column_is_not_sent_what_lies_between():
    """A row of 8 and a 3x3 window: copy 0 of 4 does columns 0 and 4, and reads 0, 1, 3, 4 and 5."""
    model = Builder()
    x = model.conv(model.input(1, 2, 8, 8), 2, (1, 1))
    model.conv(x, 2, (3, 3), pads=(1, 1, 1, 1))
    wanted = last_edges(model)[0].wanted(np.arange(0, 64, 4), 64).reshape(8, 8)
    assert wanted.tolist() == [[True, True, False, True, True, True, False, False]] * 8


@pytest.mark.parametrize("tokens", [1, 3, 10])
def test_a_combine_reads_and_adds_the_rows_of_the_experts_that_a_token_went_to(tokens):
    """However many experts there are: top rows a token; and a Dispatch reads the row that it passes on."""
    for experts in (4, 8):
        bound = mixture(experts=experts, top=3).bind(batch=1, seq=tokens, keep_experts=True)
        for node in build(bound, Widths(8)):
            if node.type == "Combine":
                assert node.work == 3 * 6
                assert sum(edge.reads for edge in node.edges[1:]) == 3 * 6
            if node.type == "Dispatch":
                assert [edge.reads for edge in node.edges] == [6, 3]
                assert node.work == 6


def test_an_expert_is_what_lies_between_its_dispatch_and_the_combine():
    nodes = {node.name: node.expert for node in build(mixture(layers=1).bind(batch=1, seq=9), Widths(8))}
    assert nodes == {
        **{f"l0e{e}{end}": (0, e) for e in range(4) for end in (".in", "")},
        **dict.fromkeys(("x", "gates", "chosen", "l0", "l0 (output)")),
    }
