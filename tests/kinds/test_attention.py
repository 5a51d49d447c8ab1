"""Attention in tiles on processors: which ops it is, what it moves, how long it takes, and what is refused.

Bytes are held against formulas of the two ways (T. Dao et al., "FlashAttention", NeurIPS 2022, theorem 2), what happens
against the plain SimPy twin.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.analysis.roofline import roofline
from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.kinds.processor.attention import attend
from pimsim.machine.machine import Machine
from pimsim.mapping.flow.attention import Attention
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.fused import attention_of, chains_of
from pimsim.mapping.flow.widths import Widths
from pimsim.mapping.mapper import make_plan
from pimsim.run.simulate import simulate
from pimsim.trace.bind import bind
from pimsim.trace.schema import Trace
from tests.analysis.test_closures import closes
from tests.kinds.processors import attention, processor
from tests.kinds.test_tensor import gpu
from tests.oracle.test_lowered import compare
from tests.transformers import decoder

CHIPS = {"systolic": processor, "tensor": gpu}
TILED, WRITTEN = {"tile.attention": "tiled"}, {"tile.attention": "written"}


def moved(chip: Chip, trace: Trace) -> float:
    """The bytes that the kernels of a trace read from the memory and write there, the host's left out."""
    rows = [row for row in simulate(chip, trace).ops if row["op"] != "host"]
    return float(
        sum(row[f"bytes_{way}"] - row[f"network_bytes_{way}"] for row in rows for way in ("in", "out"))
    )


# -- which ops -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("heads", "kv_heads", "keys"), [(4, 4, 8), (4, 2, 40), (6, 1, 9)])
def test_attention_is_found_with_its_sizes(heads: int, kv_heads: int, keys: int) -> None:
    nodes = build(attention(2, heads, kv_heads, 8, keys, 16, causal=True), Widths(16))
    (chain,) = chains_of(nodes)
    assert [nodes[n].type for n in chain] == ["MatMul", "Mul", "Softmax", "MatMul"]
    sizes = attention_of(nodes, chain)
    assert sizes == Attention(2 * kv_heads, heads // kv_heads, 8, keys, 16, 16, 0.0, True)
    rows = range(keys - 8 + 1, keys + 1)  # keys that each row sees
    assert sizes.macs == 2 * heads * sum(rows) * 32


def test_scores_that_somebody_else_reads_are_no_tiles() -> None:
    """A model that puts its attention weights out needs them in the memory."""
    trace = attention(1, 2, 2, 8, 8, 16)
    softmax = next(op for op in trace.ops if op.type == "Softmax")
    more = type(softmax)("also", "Relu", (trace.ops[-1].inputs[0],), softmax.outputs, {})
    assert len(chains_of(build(trace, Widths(16)))) == 1
    assert chains_of(build(Trace.from_ops("both", [*trace.ops, more]), Widths(16))) == []


@pytest.mark.parametrize("kind", CHIPS)
def test_a_chip_file_says_how_attention_is_done(kind: str) -> None:
    bound = bind(decoder(2, 4, 32, causal=True), {"batch": 1, "seq": 32, "kv": 16})
    ways = {
        way: make_plan(CHIPS[kind]({"tile.attention": way}), bound) for way in ("tiled", "written", "auto")
    }
    tiled = {way: sum(op.node.attention is not None for op in plan.ops) for way, plan in ways.items()}
    assert tiled == {"tiled": 2, "written": 0, "auto": 2}
    inner = [op for op in ways["tiled"].ops if op.node.within]
    assert len(inner) == 2 * 4
    assert all(op.how.startswith("in the kernel of ") for op in inner)


def test_auto_takes_what_is_predicted_to_be_faster() -> None:
    """On a systolic array a block of few queries fills no pipeline: with starts for nothing, op by op is faster."""
    free = {
        "tile.launcher.launch_ns": 1.0,
        "tile.buffer.capacity_kib": 8.0,
        "tile.memory.width_bits": 1 << 19,
    }
    plan = make_plan(processor({**free, "tile.attention": "auto"}), attention(1, 2, 2, 256, 256, 64))
    times = {}
    for way in ("tiled", "written"):
        result = simulate(processor({**free, "tile.attention": way}), attention(1, 2, 2, 256, 256, 64))
        times[way] = result.latency_fs
    took = "tiled" if any(op.node.attention for op in plan.ops) else "written"
    assert took == "written"
    assert took == min(times, key=lambda way: times[way])


# -- what is moved -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "kib"), [(256, 16), (512, 16), (1024, 16), (512, 32), (512, 64)])
def test_bytes_in_tiles(rows: int, kib: int) -> None:
    """N rows of d features, in elements: 2Nd + 2Nd·⌈N / R⌉ in tiles of R rows; one more is the constant of the scale.

    The block of queries, its sums and a column block of scores take half of the buffer, M: so R goes with M / d,
    and the whole to N²d² / M.
    """
    depth, columns = 64, 16
    tiled = moved(
        processor({"tile.buffer.capacity_kib": float(kib), **TILED}), attention(1, 1, 1, rows, rows, depth)
    )
    block = kib * 1024 // 2 * 8 // (depth * 16 + depth * 32 + columns * (32 + 16))
    assert tiled / 2 == 2 * rows * depth * (1 + -(-rows // block)) + 1


@pytest.mark.parametrize("rows", [64, 256, 512])
def test_bytes_as_written(rows: int) -> None:
    """4Nd + 6N² elements: both products read and write, a scale and a softmax go over scores; all pass once."""
    written = moved(
        processor({"tile.buffer.capacity_kib": 4096.0, **WRITTEN}), attention(1, 1, 1, rows, rows, 64)
    )
    assert written / 2 == 4 * rows * 64 + 6 * rows**2 + 1


def test_tiles_save_five_times_the_accesses() -> None:
    """The sizes of GPT-2's heads in the paper, and the shared memory of an A100's core: at least five times."""
    trace = attention(1, 1, 1, 1024, 1024, 64)
    tiled, written = (
        moved(processor({"tile.buffer.capacity_kib": 192.0, **way}), trace) for way in (TILED, WRITTEN)
    )
    assert written / tiled >= 5


def test_tensor_units_read_keys_again_only_if_the_buffer_does_not_keep_them() -> None:
    """Four cores do 4 x 32 queries at once, as their scratchpads hold: 256 rows are two passes over keys and values."""
    trace = attention(1, 1, 1, 256, 256, 64)
    kept = moved(gpu(TILED), trace) / 2
    again = moved(gpu({**TILED, "tile.buffer.capacity_kib": 16.0}, scratchpad_kib=8.0), trace) / 2
    assert kept == 4 * 256 * 64 + 1
    assert again == 2 * 256 * 64 * (1 + 2) + 1


# -- kernels -------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Attention,
        st.integers(1, 20),
        st.integers(1, 4),
        st.integers(1, 300),
        st.integers(300, 2000),
        st.integers(1, 128),
        st.integers(1, 128),
        st.just(0.0),
        st.booleans(),
    ),
    st.integers(1, 40),
    st.booleans(),
)
def test_pieces_add_up_to_the_attention(sizes: Attention, count: int, systolic: bool) -> None:
    """All multiply-accumulates are in a piece, inputs come at least once, results go once, no core is over its rate."""
    chip = processor() if systolic else gpu(count=count)
    site: Any = chip.config.sites["tile"]
    op: Any = type("Product", (), {"name": "values", "type": "MatMul"})()
    first, *adds = attend(site, op, sizes, 16)
    queries, both, results = sizes.elements()
    assert sum(piece.times * piece.elements for piece in first.pieces) == pytest.approx(sizes.macs)
    assert sum(piece.times * piece.loaded for piece in first.pieces) >= 16 * (queries + both)
    assert sum(piece.times * piece.stored for piece in (adds or [first])[-1].pieces) == 16 * results
    cycles = sum(piece.times * piece.cycles for piece in first.pieces)
    unit = site.digital["matrix"]
    assert cycles >= sizes.macs / (unit.lanes * unit.count) * 0.999
    assert first.last.times == 1


@pytest.mark.parametrize("kind", CHIPS)
@pytest.mark.parametrize("kv_heads", [None, 2])
def test_the_twin_agrees_and_all_closes(kind: str, kv_heads: int | None) -> None:
    chip = CHIPS[kind](TILED)
    bound = bind(decoder(1, 4, 32, kv_heads=kv_heads, causal=True), {"batch": 2, "seq": 24, "kv": 40})
    compare(chip, bound, 2)
    result = simulate(chip, bound)
    closes(result)
    assert roofline(result).points
    assert (
        result.bounds["chip_interval_fs"] <= result.interval_fs
    )  # what is done in another's kernel takes no time
    assert result.prediction["interval_fs"] <= 1.02 * result.interval_fs


@pytest.mark.parametrize("kind", CHIPS)
def test_the_prediction_is_what_is_simulated(kind: str) -> None:
    """To 5 %, where the kernel is longer than its start: so rows of a table may be held against predictions."""
    chip = CHIPS[kind]({**TILED, "tile.launcher.launch_ns": 1000.0})
    trace = attention(1, 4, 4, 512, 512, 64, causal=True)
    machine = Machine(make_plan(chip, trace), 1)
    machine.run()
    begin, end, _, _ = machine.op_figures
    last = machine.ops.index(trace.ops[-1].name)
    (node,) = (op.node for op in machine.plan.ops if op.node.attention is not None)
    site: Any = chip.config.sites["tile"]
    predicted = sum(kernel.predicted_fs(site) for kernel in attend(site, node.op, node.attention, 16))  # type: ignore[arg-type]
    assert end[last] - begin[last] == pytest.approx(predicted, rel=0.05)


def test_asynchronous_products_hide_the_softmax() -> None:
    """FlashAttention-3's way: a tile takes the longer of the two, not both."""
    trace = attention(1, 4, 4, 256, 256, 64)
    after, beside = (simulate(gpu(TILED, asynchronous=each), trace).latency_fs for each in (False, True))
    assert beside < after


# -- mistakes ------------------------------------------------------------------------------------------------------


def test_a_scratchpad_too_small_for_a_tile_is_refused() -> None:
    with pytest.raises(MappingError, match=r"does not hold the smallest tile.*scratchpad_kib"):
        simulate(gpu(TILED, scratchpad_kib=1.0), attention(1, 1, 1, 32, 32, 64))


def test_a_buffer_too_small_for_a_row_is_refused() -> None:
    with pytest.raises(MappingError, match=r"does not hold a row of attention.*attention=written"):
        simulate(processor({**TILED, "tile.buffer.capacity_kib": 0.5}), attention(1, 1, 1, 32, 32, 64))
