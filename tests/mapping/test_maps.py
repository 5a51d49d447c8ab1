"""Feature maps larger than a buffer: does every layout of them run, is it complete, and do the bytes add up?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pimsim.errors import MappingError
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.stores import STORE
from pimsim.mapping.flow.widths import Widths
from pimsim.mapping.lowering.lowering import lower
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning import dealing
from pimsim.mapping.planning.apart import apart_notes
from pimsim.mapping.planning.dealing import deal
from pimsim.mapping.planning.stationary import SPREAD
from pimsim.run.simulate import simulate
from tests.oracle.machines import engine_of
from tests.oracle.test_lowered import agree
from tests.oracle.test_twin import check_closure
from tests.random_models import Builder, chips, small_chip

Numbers = np.ndarray[Any, Any]


def view(model: Builder, kind: str, x: str, shape: tuple[int, ...], **attributes: Any) -> str:
    return model.add(kind, (x,), shape, **attributes)


def transpose(model: Builder, x: str, *perm: int) -> str:
    return view(model, "Transpose", x, tuple(model.shapes[x][axis] for axis in perm), perm=perm)


# -- addressing ------------------------------------------------------------------------------------------------


@st.composite
def views(draw: st.DrawFn) -> tuple[Builder, str, Numbers]:
    """A chain of layout ops behind a convolution, and the same on an array that holds each element's pixel."""
    model = Builder()
    shape = (
        draw(st.integers(1, 2)),
        draw(st.integers(1, 6)),
        draw(st.integers(1, 6)),
        draw(st.integers(1, 6)),
    )
    x = model.conv(model.input(*shape), shape[1], (1, 1))
    images, _, high, wide = shape
    pixels = np.arange(images * high * wide).reshape(images, 1, high, wide)
    at = np.broadcast_to(pixels, shape)
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["Transpose", "Reshape", "Slice"]))
        if kind == "Transpose":
            perm = tuple(draw(st.permutations(range(at.ndim))))
            at = at.transpose(perm)
            x = view(model, kind, x, at.shape, perm=perm)
        elif kind == "Reshape":
            rest, sizes = at.size, []
            while rest > 1 and len(sizes) < 4:
                sizes.append(draw(st.sampled_from([n for n in range(1, rest + 1) if rest % n == 0])))
                rest //= sizes[-1]
            sizes.append(rest)
            at = at.reshape(sizes)
            x = view(model, kind, x, at.shape)
        else:
            axis = draw(st.integers(0, at.ndim - 1))
            start = draw(st.integers(0, at.shape[axis] - 1))
            step = draw(st.integers(1, 2))
            at = at[tuple(slice(start, None, step) if n == axis else slice(None) for n in range(at.ndim))]
            end = model.shapes[x][axis]
            x = view(model, kind, x, at.shape, starts=(start,), ends=(end,), axes=(axis,), steps=(step,))
    return model, x, at


@settings(max_examples=300, deadline=None)
@given(views())
def test_a_reader_finds_each_element_in_its_token_whatever_layout_ops_are_between(drawn) -> None:
    """A row of the last tensor is read by the op behind it: the tokens that NumPy's own views say are in it."""
    model, x, at = drawn
    rank = at.ndim
    moved = model.add("DataMovement", (x,), at.shape, onnx_type="Move")
    nodes = {node.name: node for node in build(model.trace(), Widths(8))}
    assert not {node.type for node in nodes.values()} & {"Transpose", "Reshape", "Slice"}
    node = nodes[moved]
    (edge,) = node.edges
    axes = node.layout.axes
    assert node.positions == math.prod(at.shape[axis] for axis in axes)
    rows = at.transpose(*axes, *(n for n in range(rank) if n not in axes)).reshape(node.positions, -1)
    for position, row in enumerate(rows):
        assert edge.low[position] <= row.min()
        assert row.max() < edge.need[position]
        tokens = int(nodes[model.ops[1].name].tokens)
        wanted = edge.wanted(np.array([position]), tokens)
        assert wanted[np.unique(row)].all()
        if edge.window is not None:
            assert np.flatnonzero(wanted).tolist() == np.unique(row).tolist()


# -- maps that do not fit --------------------------------------------------------------------------------------


def from_channels_last(model: Builder) -> str:
    """As every model of TensorFlow begins."""
    return model.conv(transpose(model, model.input(1, 12, 12, 3), 0, 3, 1, 2), 4, (3, 3))


def resized(model: Builder) -> str:
    x = model.conv(model.input(1, 3, 6, 6), 8, (1, 1))
    return model.conv(view(model, "Resize", x, (1, 8, 12, 12), mode="linear"), 4, (3, 3))


def skip(model: Builder) -> str:
    """As in a U-Net."""
    high = model.conv(model.input(1, 3, 12, 12), 4, (3, 3), pads=(1, 1, 1, 1))
    low = model.conv(model.pool(high, (2, 2), (2, 2)), 4, (3, 3), pads=(1, 1, 1, 1))
    return model.conv(
        model.concat(view(model, "Resize", low, (1, 4, 12, 12), mode="nearest"), high), 4, (3, 3)
    )


def wide_layer(model: Builder) -> str:
    return model.conv(model.conv(model.input(1, 2, 9, 40), 8, (1, 1)), 4, (3, 3))


def atrous(model: Builder) -> str:
    """A layer of DeepLab's, whose window reaches further than it reads."""
    x = model.conv(model.input(1, 2, 8, 10), 12, (1, 1))
    return model.conv(x, 4, (3, 3), pads=(4, 4, 4, 4), dilations=(4, 4))


def turned_map(model: Builder) -> str:
    return model.conv(
        transpose(model, model.conv(model.input(1, 3, 10, 10), 6, (1, 1)), 0, 1, 3, 2), 4, (3, 3)
    )


def windows_of_attention(model: Builder) -> str:
    """Swin: a map cut into windows, whose pixels are rows then."""
    x = transpose(model, model.conv(model.input(1, 3, 8, 8), 6, (1, 1)), 0, 2, 3, 1)
    x = view(model, "Reshape", x, (1, 2, 4, 2, 4, 6))
    x = view(model, "Reshape", transpose(model, x, 0, 1, 3, 2, 4, 5), (4, 16, 6))
    return model.add("MatMul", (x,), (4, 16, 5), [("weight", (6, 5))])


def group_norm(model: Builder) -> str:
    x = model.conv(model.input(1, 3, 8, 8), 8, (3, 3), pads=(1, 1, 1, 1))
    x = view(model, "Reshape", x, (1, 2, 256))
    two = [("constant", (2,)), ("constant", (2,))]
    x = model.add("InstanceNormalization", (x,), (1, 2, 256), two, epsilon=1e-5)
    return model.conv(view(model, "Reshape", x, (1, 8, 8, 8)), 4, (1, 1))


def pixel_shuffle(model: Builder) -> str:
    x = view(model, "Reshape", model.conv(model.input(1, 3, 6, 6), 8, (1, 1)), (1, 2, 2, 2, 6, 6))
    return model.conv(
        view(model, "Reshape", transpose(model, x, 0, 1, 4, 2, 5, 3), (1, 2, 12, 12)), 4, (3, 3)
    )


def columns_as_a_sequence(model: Builder) -> str:
    """A CNN that reads text: each column of a map is a row of features."""
    x = transpose(model, model.conv(model.input(1, 3, 4, 16), 4, (1, 1)), 0, 3, 1, 2)
    return model.add("MatMul", (view(model, "Reshape", x, (1, 16, 16)),), (1, 16, 5), [("weight", (16, 5))])


def rolled(model: Builder) -> str:
    x = model.conv(model.input(1, 3, 8, 8), 6, (1, 1))
    cut = {"axes": (2,), "steps": (1,)}
    rest = view(model, "Slice", x, (1, 6, 5, 8), starts=(3,), ends=(8,), **cut)
    first = view(model, "Slice", x, (1, 6, 3, 8), starts=(0,), ends=(3,), **cut)
    return model.conv(model.concat(rest, first, axis=2), 4, (3, 3))


def scaled_by_its_mean(model: Builder) -> str:
    """Squeeze and excitation."""
    x = model.conv(model.input(1, 3, 8, 8), 6, (1, 1))
    return model.conv(model.sum(x, model.conv(model.global_pool(x), 6, (1, 1))), 4, (3, 3))


def padded(model: Builder) -> str:
    x = model.conv(model.input(1, 3, 8, 8), 6, (1, 1))
    x = view(model, "Pad", x, (1, 6, 12, 12), pads=(0, 0, 2, 2, 0, 0, 2, 2), mode="reflect")
    return model.conv(x, 4, (3, 3))


def heads_side_by_side(model: Builder) -> str:
    """As a detector ends: boxes and classes of all places of two maps, one after another."""
    x = model.conv(model.input(1, 3, 8, 8), 6, (1, 1))
    maps = [x, model.conv(x, 6, (2, 2), (2, 2))]
    rows = [view(model, "Reshape", each, (1, 6, math.prod(model.shapes[each][2:]))) for each in maps]
    joined = model.concat(*rows, axis=2)
    whole = model.shapes[joined][2]
    boxes = view(model, "Slice", joined, (1, 2, whole), starts=(0,), ends=(2,), axes=(1,), steps=(1,))
    classes = view(model, "Slice", joined, (1, 4, whole), starts=(2,), ends=(6,), axes=(1,), steps=(1,))
    box = model.conv(view(model, "Reshape", boxes, (1, 1, 2, whole)), 1, (1, 1))
    return model.concat(view(model, "Reshape", box, (1, 2, whole)), model.relu(classes), axis=1)


def attention(model: Builder) -> str:
    """Over the pixels of a map: its right matrices fit no buffer."""
    x = model.conv(model.input(1, 3, 6, 6), 8, (1, 1))
    x = transpose(model, view(model, "Reshape", x, (1, 8, 36)), 0, 2, 1)
    q, k, v = (model.add("MatMul", (x,), (1, 36, 8), [("weight", (8, 8))]) for _ in range(3))
    scores = model.softmax(model.add("MatMul", (q, transpose(model, k, 0, 2, 1)), (1, 36, 36)), 2)
    return model.add("MatMul", (scores, v), (1, 36, 8))


KINDS: dict[str, Callable[[Builder], str]] = {
    each.__name__: each
    for each in (
        from_channels_last, resized, skip, wide_layer, atrous, turned_map, windows_of_attention, group_norm,
        pixel_shuffle, columns_as_a_sequence, rolled, scaled_by_its_mean, padded, heads_side_by_side, attention,
    )
}  # fmt: skip


def made(kind: str) -> Builder:
    model = Builder()
    KINDS[kind](model)
    return model


def tight_chip(kib: float = 0.5) -> Any:
    """Sixteen tiles with a buffer that holds none of the maps."""
    topology = {"kind": "mesh", "width": 4, "height": 4}
    return small_chip(
        {"tile.buffer.capacity_kib": kib, "tile.count": 16, "network.topology": topology, "core.arrays": 4}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_that_fits_no_buffer_runs_as_plain_simpy_does(kind: str) -> None:
    """To the femtosecond, and nothing stops: the twin shares no code with the engine."""
    plan = make_plan(tight_chip(), made(kind).trace())
    engine = agree(plan, 2)
    assert engine.finished
    for stream in lower(plan, 1).net.streams:
        if stream.tile is not None:
            assert stream.capacity * -(-stream.bits // 8) <= 512


@pytest.mark.parametrize("kind", KINDS)
def test_it_costs_no_more_where_there_is_room(kind: str) -> None:
    """With large buffers the same model needs nothing elsewhere; and what lies elsewhere moves once more."""
    tight, roomy = (make_plan(tight_chip(kib), made(kind).trace()) for kib in (0.5, 64))
    assert not apart_notes(roomy)
    costs = [simulate(tight_chip(kib), made(kind).trace()).energy["total_aj"] for kib in (0.5, 64)]
    if apart_notes(tight) and any(op.node.type == STORE or op.elsewhere for op in tight.ops):
        assert costs[0] > costs[1]


def test_a_store_sends_each_firing_what_it_reads() -> None:
    """Of a 3x3 window over 8 channels each of the 7 x 38 firings gets 72 elements; the map comes in once, and halos."""
    plan = make_plan(tight_chip(), made("wide_layer").trace())
    number = next(n for n, op in enumerate(plan.ops) if op.node.type == STORE)
    store, layer = plan.ops[number], plan.ops[number + 1]
    assert sorted(np.concatenate(store.dealt).tolist()) == list(range(7 * 38))
    net = lower(plan, 1).net
    out = [row for row in net.streams if row.name.startswith(f"{store.node.name} -> {layer.node.name}")]
    assert sum(row.tokens * row.bits for row in out) >= 7 * 38 * 72 * plan.input_bits
    into = [row for row in net.streams if f"-> {store.node.name}" in row.name]
    there: dict[int, set[int]] = {}  # columns of the map by tile: a window reaches two further than its own
    for replica, part in zip(store.replicas, store.dealt, strict=True):
        there.setdefault(replica.home, set()).update(int(k % 38) + more for k in part for more in range(3))
    columns = sum(map(len, there.values()))
    assert columns > 40
    assert sum(row.tokens for row in into) == 9 * columns


def test_a_right_matrix_that_fits_no_buffer_is_said_to_lie_elsewhere() -> None:
    chip = tight_chip()
    plan = make_plan(chip, made("attention").trace())
    product = [op for op in plan.ops if op.node.right is not None]
    assert {op.held_in for op in product} == {SPREAD}
    assert any("right matrix" in note for note in apart_notes(plan))
    assert set(apart_notes(plan)) <= set(simulate(chip, made("attention").trace()).notes)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), st.sampled_from(sorted(KINDS)), st.integers(1, 2))
def test_on_random_chips_all_that_is_planned_runs(chip, kind: str, batch: int) -> None:
    try:
        plan = make_plan(chip, made(kind).trace())
    except MappingError:
        assume(False)
    net = lower(plan, batch).net
    engine = engine_of(net)
    while engine.next_time is not None:
        engine.run(deaf=True)
    assert engine.finished
    check_closure(engine, net)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize(
    "kind", ["wide_layer", "resized", "group_norm", "padded", "rolled", "heads_side_by_side"]
)
def test_dealt_positions_are_all_positions_once_and_have_all_that_they_read(kind: str, count: int) -> None:
    nodes = build(made(kind).trace(), Widths(8))
    for node in nodes:
        tokens = [nodes[edge.source].tokens for edge in node.edges]
        if node.type in ("Input", "Output") or node.tokens != node.positions:
            continue
        sizes = [edge.features for edge in node.edges]
        held = sum(count * size for count, size in zip(tokens, sizes, strict=True))
        found = deal(node, tokens, tokens, sizes, held / count + 1, 64)
        if found is None:
            continue
        assert sorted(np.concatenate(found.parts).tolist()) == list(range(node.positions))
        for edge, places, all_tokens in zip(node.edges, found.places, tokens, strict=True):
            read = [edge.wanted(part, all_tokens, dealt=True) for part in found.parts]
            whole = edge.wanted(np.arange(node.positions), all_tokens)
            assert np.array_equal(np.any(read, axis=0), whole)
            assert max(int(each.sum()) for each in read) <= places


def dilated(steps: tuple[int, int], size: int = 48) -> tuple[Node, int]:
    """A pooling of 3 x 3 taps over a map of 48 x 48 pixels of one byte, and the tokens that it reads."""
    model = Builder()
    model.pool(model.conv(model.input(1, 1, size, size), 1, (1, 1)), (3, 3), dilations=steps)
    nodes = build(model.trace(), Widths(8))
    return next(node for node in nodes if node.type == "MaxPool"), size * size


@pytest.mark.parametrize("steps", [(12, 12), (6, 8), (1, 12), (12, 1)])
def test_positions_of_a_dilated_window_are_dealt_out_by_what_they_read_in_common(
    steps: tuple[int, int],
) -> None:
    """Every d-th row and column is a map of its own (Yu and Koltun, ICLR 2016): d x d tiles hold 1 / d² of it each."""
    node, pixels = dilated(steps)
    count = steps[0] * steps[1]
    found = deal(node, [pixels], [pixels], [1], pixels / count, count)
    assert found is not None
    assert (len(found.parts), found.places) == (count, (pixels // count,))
    assert sorted(np.concatenate(found.parts).tolist()) == list(range(node.positions))
    assert deal(node, [pixels], [pixels], [1], pixels / count - 1, count) is None


def test_what_cannot_fit_is_not_looked_at_and_nothing_is_looked_at_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A window of 9 taps fits no buffer of 8 bytes; with more tiles only what fewer could not do is tried."""
    node, pixels = dilated((1, 1), 24)
    looked: list[int] = []
    monkeypatch.setattr(
        dealing, "_places", lambda edge, tokens, least, part: looked.append(len(part)) or least
    )
    assert deal(node, [pixels], [pixels], [1], 8, 400) is None
    assert looked == []
    assert deal(node, [pixels], [pixels], [1], 64, 40) is None
    first = len(looked)
    assert deal(node, [pixels], [pixels], [1], 64, 60, tried=40) is None
    again = len(looked) - first
    assert deal(node, [pixels], [pixels], [1], 64, 60) is None
    assert first > 0
    assert len(looked) - first - again > again > 0


# -- chips that are far too small ------------------------------------------------------------------------------


def test_hundreds_of_chips_are_asked_for_first() -> None:
    """16 outputs of 8 cells each fill an array of 128 columns: 150 times as many, 150 chips of one array."""
    model = Builder()
    model.gemm(model.input(1, 128), 16 * 150)
    chip = small_chip({"tile.count": 1, "tile.cores": 1, "core.arrays": 1, "core.adc.banks": 1})
    with pytest.raises(MappingError, match=r"150 chips or more are needed.*about \d+ .*--chips 150.*--yes"):
        make_plan(chip, model.trace())
    assert make_plan(chip, model.trace(), many=True).package.chips >= 150
    assert make_plan(chip, model.trace(), chips=151).package.chips == 151
