"""No run brings an inference through sooner than any plan could; and the bound is the formula's where one is known."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pimsim import Chip, MappingError, Trace, presets, simulate
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.latency import latency_bound
from pimsim.mapping.planning.optimum import chip_bound
from pimsim.mapping.planning.replication import Weight, optimum_fs
from tests.oracle.test_lowered import small_cnn
from tests.random_models import Builder, chips, small_chip, traces


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces())
def test_no_random_run_is_sooner(chip: Chip, trace: Trace) -> None:
    try:
        plan = make_plan(chip, trace)
    except MappingError:
        assume(False)
    bound = latency_bound(plan)
    assert chip_bound(plan).fs <= bound.fs <= simulate(chip, trace).latency_fs


@pytest.mark.parametrize("chip", presets.names("configs", ".yaml"))
def test_no_shipped_chip_is_sooner(chip: str) -> None:
    result = simulate(Chip.load(chip), small_cnn())
    assert 0 < result.bounds["chip_latency_fs"] <= result.latency_fs
    assert result.bounds["chip_latency_by"]


def test_two_layers_in_a_row_wait_for_a_firing_of_each_other() -> None:
    """64 positions, a chip of 2 + 2 arrays: 32 periods each, and one of the other layer before or after."""
    model = Builder()
    model.conv(model.conv(model.input(1, 4, 8, 8), 4, (1, 1)), 4, (1, 1))
    sizes = {"tile.count": 1, "tile.cores": 1, "core.arrays": 4, "core.adc.banks": 4}
    chip = small_chip({**sizes, "network.topology": {"kind": "mesh", "width": 1, "height": 1}})
    plan = make_plan(chip, model.trace())
    assert plan.arrays_available == 4
    period = plan.package.kinds["tile"].alone_fs(plan.ops[1].tiling, plan.input_bits)
    assert chip_bound(plan).fs == 32 * period
    assert latency_bound(plan).fs == 33 * period


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4), st.integers(0, 9)),
        min_size=1,
        max_size=3,
    ),
    st.integers(0, 6),
)
def test_the_least_time_is_that_of_all_ways_to_make_copies(
    weights: list[tuple[int, int, int, int]], spare: int
) -> None:
    """Against every number of copies of each, tried one by one."""
    slots = sum(each[0] for each in weights) + spare
    best = min(
        max(rest - (-p // copies) * step for (_, p, step, rest), copies in zip(weights, choice, strict=True))
        for choice in product(*(range(1, p + 1) for _, p, _, _ in weights))
        if sum(size * copies for (size, _, _, _), copies in zip(weights, choice, strict=True)) <= slots
    )
    assert optimum_fs([Weight(*each) for each in weights], slots) == best


@pytest.mark.parametrize(("model", "bound_us"), [("resnet50", 508), ("resnet18", 135), ("squeezenet", 58)])
def test_bounds_of_shipped_nets(model: str, bound_us: int) -> None:
    """They hold what `docs/mapping.md` says, and are more than the interval's."""
    plan = make_plan(Chip.load("isaac"), Trace.load(model))
    assert round(latency_bound(plan).fs / 1e9) == bound_us
    assert latency_bound(plan).fs > chip_bound(plan).fs
