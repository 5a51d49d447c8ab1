"""Oracle: machines that real plans become, not only random ones, agree with the twin visit by visit."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings

from pimsim.errors import MappingError
from pimsim.mapping.lowering.lowering import lower
from pimsim.mapping.mapper import make_plan
from tests.oracle.machines import engine_of
from tests.oracle.test_twin import check_closure
from tests.oracle.twin import run_twin
from tests.random_models import Builder, changed, chips, small_chip, traces


def compare(chip, trace, batch):
    """Plan a trace and run it on both."""
    return agree(make_plan(chip, trace), batch)


def agree(plan, batch):
    """Run the netlist of a plan on both; the host allows everything at time 0."""
    net = lower(plan, batch).net
    engine = engine_of(net)
    while engine.next_time is not None:
        engine.run(deaf=True)
    log, finished = run_twin(net)
    assert finished
    assert engine.finished
    assert sorted(engine.visit_log) == sorted(log)
    check_closure(engine, net)
    return engine


def small_cnn():
    """Three convolutions with a skip, a pool and a classifier on 8x8 pixels."""
    model = Builder()
    x = model.conv(model.input(1, 3, 8, 8), 16, (3, 3), pads=(1, 1, 1, 1))
    skip = model.relu(x)
    x = model.relu(model.conv(skip, 16, (3, 3), pads=(1, 1, 1, 1)))
    x = model.conv(x, 16, (3, 3), pads=(1, 1, 1, 1))
    x = model.pool(model.relu(model.sum(x, skip)), (2, 2), (2, 2))
    model.softmax(model.gemm(model.flatten(model.global_pool(x)), 10), 1)
    return model.trace("small")


SHARED = {
    "tile.count": 2,
    "network.topology": {"kind": "mesh", "width": 2, "height": 1},
    "core.arrays": 4,
    "core.adc.banks": 2,
}


@pytest.mark.parametrize("preset", ["isaac", "puma", "hermes64", "hermes64_4phase"])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_small_network_on_each_preset(preset, batch):
    compare(changed(preset, {}), small_cnn(), batch)


@pytest.mark.parametrize(
    "changes",
    [
        SHARED,
        {**SHARED, "core.adc.banks": 1, "core.adc.adcs_per_bank": 3},
        {"network.buffer_flits": 1, "network.link_width_bits": 4},
        {"tile.count": 3, "network.topology": {"kind": "ring", "nodes": 3}},
        {"tile.buffer.capacity_kib": 1.5, "tile.in_flight": 1},
        {"network.fidelity": "packet", "network.link_width_bits": 4},
        {"network.multicast": True},
        {"network.reduction": {"lanes": 4, "latency_cycles": 1}, "tile.cores": 1},
        {"network.multicast": True, "network.buffer_flits": 2, "network.link_width_bits": 4},
    ],
    ids=[
        "two banks",
        "one bank",
        "narrow links",
        "ring",
        "small buffers",
        "by packet",
        "multicast",
        "reduction",
        "in pieces",
    ],
)
def test_a_small_network_on_several_small_chips(changes):
    cells = {
        "core.array.rows": 32,
        "core.array.columns": 32,
        "precision.weight_bits": 8,
        "precision.input_bits": 8,
    }
    chip = small_chip({**cells, **changes})
    assert make_plan(chip, small_cnn()).package.chips > 1
    compare(chip, small_cnn(), 2)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces())
def test_random_models_on_random_chips(chip, trace):
    try:
        make_plan(chip, trace)
    except MappingError:
        assume(False)
    compare(chip, trace, 2)
