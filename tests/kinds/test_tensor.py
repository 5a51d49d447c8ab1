"""Tensor units: tiles, parts of K, what is moved, and what is refused.

Expected cycles and bytes are formulas, said at each test; what happens when is held against the plain SimPy twin.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.kinds.processor.kernel import Kernel
from pimsim.kinds.processor.schedule import schedule
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.widths import Widths
from pimsim.run.simulate import simulate
from tests.analysis.test_closures import closes
from tests.kinds.processors import BASE, matmul, processor
from tests.oracle.test_lowered import compare, small_cnn

TENSOR: dict[str, Any] = {
    "kind": "tensor_unit",
    "count": 4,
    "lanes": 256,
    "rows": 16,
    "bits": 16,
    "scratchpad_kib": 64.0,
    "feed_bits": 1024,
    "clock": "core",
    "latency_cycles": 0,
    "energy_per_element_pj": 0.5,
    "operations": {"Conv": 1.0, "Gemm": 1.0, "MatMul": 1.0},
}
ADDS = {**BASE["sites"]["tile"]["digital"]["vector"], "operations": {"Accumulate": 1.0}}


def gpu(changes: dict[str, Any] | None = None, **tensor: Any) -> Chip:
    """A chip of one processor with tensor units; keywords change these."""
    digital = {"matrix": {**TENSOR, **tensor}, "vector": ADDS}
    return processor({"tile.digital": digital, **(changes or {})})


def kernels(chip: Chip, m: int, n: int, k: int) -> list[Kernel]:
    """What is done for a product."""
    return schedule(chip.config.sites["tile"], build(matmul(m, n, k), Widths(16))[1], 16, 16)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 600), st.integers(1, 600), st.integers(1, 3000), st.integers(1, 40), st.integers(1, 2))
def test_pieces_add_up_to_the_product(m: int, n: int, k: int, count: int, cluster: int) -> None:
    """Every multiply-accumulate is in one piece, both matrices come at least once, and the result goes once."""
    first, *adds = kernels(gpu(count=count, cluster=cluster), m, n, k)
    assert sum(piece.times * piece.elements for piece in first.pieces) == pytest.approx(m * n * k)
    assert sum(piece.times * piece.loaded for piece in first.pieces) >= 16 * (m * k + k * n)
    stored = sum(piece.times * piece.stored for kernel in (first, *adds) for piece in kernel.pieces)
    assert stored >= 16 * m * n
    assert first.last.times == 1
    peak = m * n * k / (256 * count)
    assert sum(piece.times * piece.cycles for piece in first.pieces) >= peak


def test_the_last_wave_takes_as_long_as_a_full_one() -> None:
    """Of tiles for one core more than there are, a whole wave: 5 tiles of 64 x 64 on 4 cores take two waves."""
    one = dict(rows=64, achievable=1.0, feed_bits=100_000)
    times = []
    for tiles in (4, 5, 8):
        (kernel,) = kernels(gpu(**one, scratchpad_kib=32.0), 64, 64 * tiles, 64)
        assert f"{tiles / 4:.3g} waves" in kernel.how
        times.append(sum(piece.times * piece.cycles for piece in kernel.pieces))
    assert times == [64 * 64 * 64 // 256, 2 * 64 * 64 * 64 // 256, 2 * 64 * 64 * 64 // 256]


def test_k_is_cut_where_there_are_too_few_tiles() -> None:
    """One tile of a long K would leave all cores but one idle; another kernel adds the parts up."""
    quick = {"tile.launcher.launch_ns": 1.0}
    product, adds = kernels(gpu(quick, count=32), 16, 16, 32_768)
    assert "K in 32 parts" in product.how
    assert adds.unit == "vector"
    assert sum(piece.fed for piece in adds.pieces) == 32 * 16 * 16 * 32
    without = {**BASE["sites"]["tile"]["digital"]["vector"], "operations": {}}
    chip = processor({"tile.digital": {"matrix": {**TENSOR, "count": 32}, "vector": without}, **quick})
    assert len(kernels(chip, 16, 16, 32_768)) == 1  # nothing adds


def test_a_cluster_loads_one_operand_together() -> None:
    """Two cores share one of two operands that are as large: three quarters are fed."""
    one, two = (kernels(gpu(cluster=cores, scratchpad_kib=8.0), 256, 256, 512)[0] for cores in (1, 2))
    fed = [sum(piece.times * piece.fed for piece in kernel.pieces) for kernel in (one, two)]
    assert fed[1] == 0.75 * fed[0]


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([8, 200, 4000]), st.integers(1, 6))
def test_the_twin_agrees(m: int, n: int, k: int, in_flight: int) -> None:
    changes = {"tile.in_flight": in_flight, "tile.launcher.launch_ns": 1.0}
    compare(gpu(changes, count=8), matmul(m, n, k), 2)


def test_a_network_closes_and_the_plan_says_how_it_is_cut() -> None:
    result = simulate(gpu(), small_cnn(), 2)
    closes(result)
    assert "tiles of" in next(row["how"] for row in result.plan if row["type"] == "Conv")


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(MappingError, match=r"the scratchpad of 'matrix' of 4 KiB .* smallest tile, 8 KiB"):
        simulate(gpu(scratchpad_kib=4.0), matmul(16, 16, 16))
    with pytest.raises(MappingError, match=r"elements of 32 bits, the unit 'matrix' of 'tile' has 16"):
        simulate(gpu(), matmul(16, 16, 16), input_bits=32)
