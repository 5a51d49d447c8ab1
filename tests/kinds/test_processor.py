"""The kind ``processor``: kernels one after another, what they move, and the promises of a result.

Expected times and bytes are formulas, said at each test; what happens when is held against the plain SimPy twin.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pimsim.analysis.roofline import roofline
from pimsim.analysis.whatif import whatif
from pimsim.chip import Chip
from pimsim.errors import ConfigError, MappingError
from pimsim.kinds.processor.product import Product, product_of
from pimsim.kinds.processor.schedule import schedule
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.widths import Widths
from pimsim.run.simulate import simulate
from pimsim.trace.bind import bind
from tests.analysis.test_closures import closes
from tests.kinds.processors import BASE, matmul, processor
from tests.oracle.test_lowered import compare, small_cnn
from tests.random_models import Builder, traces
from tests.transformers import decoder

DATAFLOWS = ["output-stationary", "weight-stationary", "input-stationary"]
TWO = {"tile.count": 2, "network.topology": {"kind": "mesh", "width": 2, "height": 1}}


def beside_arrays(**changes: Any) -> Chip:
    """Tiles of arrays of a small ISAAC with a processor in the same network."""
    data = Chip.load("isaac").to_dict()
    data["clocks"] |= BASE["clocks"] | {"core": data["clocks"].get("core", {"period_ns": 1.0})}
    data["sites"]["tile"] |= {"count": 3, "cores": 2}
    data["network"]["topology"] = {"kind": "mesh", "width": 2, "height": 2}
    data["sites"]["cpu"] = BASE["sites"]["tile"]
    return Chip.from_dict(data, changes)


# -- time ----------------------------------------------------------------------------------------------------------


def test_kernels_run_one_after_another() -> None:
    result = simulate(processor(), small_cnn())
    rows = [row for row in result.ops if row["op"] != "host"]
    for before, after in itertools.pairwise(rows):
        assert after["begin_fs"] >= before["end_fs"]
    assert len(rows) > 5


def test_inferences_run_one_after_another_on_one_processor_and_in_stages_on_two() -> None:
    one, batch = simulate(processor(), small_cnn()), simulate(processor(), small_cnn(), 3)
    kernels = one.ops[-1]["end_fs"] - min(row["begin_fs"] for row in one.ops if row["op"] != "host")
    assert batch.interval_fs == pytest.approx(kernels, rel=0.1)
    two = simulate(processor(TWO), small_cnn(), 3)
    assert 0.4 < two.interval_fs / batch.interval_fs < 0.8
    assert {tile for row in two.plan for tile in row["tiles"]} == {0, 1}


@pytest.mark.parametrize("count", [1, 2])
def test_one_inference_shows_the_interval_of_a_long_run(count: int) -> None:
    """The host sends inputs far ahead, more firings than kernels have: they are no progress of the machine.

    From below: the busiest resource's work. From above: what a long batch takes, and on one processor the latency.
    """
    model = Builder()
    model.relu(model.conv(model.relu(model.conv(model.input(1, 3, 96, 96), 8, (3, 3))), 8, (3, 3)))
    chip, trace = processor(TWO if count == 2 else {"tile.launcher.launch_ns": 5000.0}), model.trace()
    one, batch = simulate(chip, trace), simulate(chip, trace, 24)
    assert batch.interval_how == "settled"
    assert one.interval_how != "bound"
    assert one.interval_fs >= one.bounds["interval_fs"]
    assert abs(one.interval_fs - batch.interval_fs) <= one.interval_error_fs + batch.interval_error_fs
    assert (batch.latency_fs - one.latency_fs) / 23 == pytest.approx(one.interval_fs, rel=0.02)
    if count == 1:
        assert 0.5 * one.latency_fs < one.interval_fs <= one.latency_fs


@pytest.mark.parametrize("launch_ns", [100.0, 1000.0])
def test_each_kernel_is_started(launch_ns: float) -> None:
    """So many kernels, so many starts, all on the critical path of a chain of ops."""
    model = Builder()
    model.relu(model.gemm(model.relu(model.input(4, 64)), 32))
    result = simulate(processor({"tile.launcher.launch_ns": launch_ns}), model.trace())
    started = sum(row["fs"] for row in result.attribution if row["cause"] == "launch")
    assert started == 3 * launch_ns * 1_000_000


def test_a_large_product_takes_what_the_arrays_take_and_a_vector_what_the_memory_takes() -> None:
    """The bound by the busiest resource names it, and is tight."""
    large = simulate(processor(), matmul(512, 512, 512))
    assert large.bounds["resource"] == "tile0.digital.matrix"
    assert large.bounds["latency_over_bound"] < 1.03
    narrow = {"tile.memory.width_bits": 256, "external.bandwidth_gb_per_s": 100_000.0}
    vector = simulate(processor(narrow, count=64, rows=64, lanes=4096), matmul(1, 4096, 1024))
    assert vector.bounds["resource"] == "tile0.memory"
    assert vector.bounds["latency_over_bound"] < 1.1


# -- what is moved -------------------------------------------------------------------------------------------------


def moved(chip: Chip, m: int, n: int, k: int) -> tuple[float, float]:
    """The bytes that a product reads from the memory and writes there."""
    row = next(row for row in simulate(chip, matmul(m, n, k)).ops if row["op"] == "matmul1")
    return row["bytes_in"] - m * k * 2, row["bytes_out"] - m * n * 2  # which the host brings and takes, too


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_operands_that_the_buffer_keeps_are_read_once(dataflow: str) -> None:
    read, written = moved(processor(dataflow=dataflow), 64, 128, 96)
    assert read == 2 * (64 * 96 + 96 * 128)
    assert written == 2 * 64 * 128


@pytest.mark.parametrize(
    ("dataflow", "left", "right"),
    [
        ("output-stationary", 1, 64 // 16),  # the right matrix for each block of 16 rows
        ("weight-stationary", 128 // 16, 1),  # the left one for each block of 16 columns
        ("input-stationary", 1, 64 // 16),
    ],
)
def test_what_passes_and_does_not_fit_is_read_again_each_time(dataflow: str, left: int, right: int) -> None:
    """What stays in the array is read once; what passes goes by once for each block across."""
    read, written = moved(processor({"tile.buffer.capacity_kib": 16.0}, dataflow=dataflow), 64, 128, 96)
    assert read == 2 * (left * 64 * 96 + right * 96 * 128)
    assert written == 2 * 64 * 128


def test_a_causal_mask_is_skipped_if_the_units_say_so() -> None:
    skipping = {f"tile.digital.{unit}.skips_masked": True for unit in ("matrix", "vector")}
    bound = bind(decoder(1, 4, 32, causal=True), {"batch": 1, "seq": 64, "kv": 0})
    written = {"tile.attention": "written"}
    plain, skipped = (simulate(processor({**written, **more}), bound) for more in ({}, skipping))
    assert skipped.latency_fs < plain.latency_fs
    assert skipped.macs < plain.macs


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(*[st.integers(1, 2000)] * 3),
    st.sampled_from(DATAFLOWS),
    st.tuples(st.integers(1, 6), st.integers(1, 32), st.integers(1, 32)),
)
def test_pieces_add_up_to_the_kernel(
    sizes: tuple[int, int, int], dataflow: str, array: tuple[int, int, int]
) -> None:
    """Cycles are those of all waves of folds; every bit and multiply-accumulate is in one piece."""
    count, rows, columns = array
    chip = processor(count=count, rows=rows, lanes=rows * columns, dataflow=dataflow)
    site = chip.config.sites["tile"]
    node = build(matmul(*sizes), Widths(16))[1]
    (kernel,) = schedule(site, node, 16, 16)  # type: ignore[arg-type]
    m, n, k = sizes
    unit: Any = site.digital["matrix"]  # type: ignore[attr-defined]
    product = Product(1, m, n, k)
    waves = -(-unit.folds(product) // count)
    assert sum(piece.times * piece.cycles for piece in kernel.pieces) == waves * unit.fold_cycles(product)
    assert sum(piece.times * piece.stored for piece in kernel.pieces) == m * n * 16
    assert sum(piece.times * piece.loaded for piece in kernel.pieces) >= (m * k + k * n) * 16
    assert sum(piece.times * piece.elements for piece in kernel.pieces) == pytest.approx(m * n * k)
    assert kernel.last.times == 1
    assert sum(piece.times for piece in kernel.pieces) <= 513


def test_a_convolution_is_the_product_of_its_windows() -> None:
    """M output pixels, N channels of a group, K the window: the MACs are those of the op."""
    model = Builder()
    model.conv(model.input(2, 8, 10, 10), 12, (3, 3), group=4)
    op = model.ops[-1]
    product = product_of(op)
    assert product == Product(4, 2 * 8 * 8, 3, 2 * 3 * 3)
    assert product.macs == op.macs


# -- promises ------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    traces(),
    st.sampled_from(DATAFLOWS),
    st.integers(1, 3),
    st.sampled_from([2.0, 64.0]),
    st.booleans(),
)
def test_the_twin_agrees_on_random_models(
    trace: Any, dataflow: str, in_flight: int, buffer_kib: float, two: bool
) -> None:
    changes = {"tile.in_flight": in_flight, "tile.buffer.capacity_kib": buffer_kib, **(TWO if two else {})}
    chip = processor(changes, rows=4, lanes=32, count=2, dataflow=dataflow)
    try:
        compare(chip, trace, 2)
    except MappingError:
        assume(False)


def test_time_and_energy_close_and_what_if_and_roofline_work() -> None:
    chip, trace = processor(), small_cnn()
    closes(simulate(chip, trace, 2))
    result = simulate(chip, trace)
    bounds = {point["bound"] for point in roofline(result).points}
    assert bounds <= {"memory", "digital units"}
    table = whatif(chip, trace, parts=["tile.launcher"])
    wins = {row.change.kind: row.won_fs for row in table.rows}
    starts = sum(row["fs"] for row in result.attribution if row["part"] == "tile.launcher")
    assert wins["twice as fast"] == pytest.approx(starts / 2, rel=0.05)


def test_a_processor_beside_arrays_shares_a_model_with_them_and_the_twin_agrees() -> None:
    chip = beside_arrays()
    result = simulate(chip, small_cnn())
    assert {row["site"] for row in result.plan} == {None, "tile", "cpu"}
    closes(result)
    compare(chip, small_cnn(), 2)


# -- mistakes ------------------------------------------------------------------------------------------------------


def test_a_buffer_that_does_not_hold_a_block_is_refused() -> None:
    with pytest.raises(MappingError, match=r"its buffer of 0\.25 KiB does not hold what stays in the arrays"):
        simulate(processor({"tile.buffer.capacity_kib": 0.25}), matmul(64, 64, 64))


def test_a_memory_that_does_not_hold_the_weights_is_refused() -> None:
    with pytest.raises(MappingError, match=r"tile\.memory\.capacity_kib"):
        simulate(processor({"tile.memory.capacity_kib": 64.0}), matmul(64, 512, 512))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataflow": "row-stationary"}, "output-stationary"),
        ({"rows": 48}, "rows that divide the lanes"),
    ],
)
def test_an_array_that_is_none_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        processor(**changes)


def test_weights_are_in_the_memory_and_a_cold_start_is_not_modelled() -> None:
    with pytest.raises(ConfigError, match="not modelled"):
        simulate(processor(), matmul(4, 8, 8), cold=True)
