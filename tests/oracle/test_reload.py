"""Oracle: rounds of weights that are written in turn agree with the twin, visit by visit, and keep every promise."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.result.freeze import freeze
from pimsim.run.experiment import Experiment
from pimsim.run.options import Options
from tests.oracle.test_lowered import agree, small_cnn
from tests.random_models import chips, traces
from tests.result.test_promises import PROMISES, Run
from tests.transformers import decoder

MEMORY = {
    "kind": "memory",
    "bandwidth_gb_per_s": 50,
    "latency_ns": 40,
    "capacity_gib": 1,
    "energy_per_bit_pj": 3,
}
WRITES = {"core.array.write_ns": 50, "core.array.energy_per_cell_write_pj": 2, "sites.memory": MEMORY}
TINY = {
    "tile.count": 2,
    "network.topology": {"kind": "mesh", "width": 2, "height": 1},
    "core.arrays": 4,
    "core.adc.banks": 4,
}


def with_writes(chip: Chip, **changes: object) -> Chip:
    """A chip with a memory and a write time, and other changes."""
    return Chip.from_dict(chip.to_dict(), {**WRITES, **changes})


@pytest.mark.parametrize("preset", ["isaac", "puma", "hermes64"])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_small_network_in_rounds(preset, batch):
    """A window's line buffer is filled from the memory where the layer before belongs to an earlier round."""
    one = {"core.arrays": 1, "core.adc.banks": 1, "tile.cores": 1}
    model = small_cnn()
    ops = make_plan(with_writes(Chip.load(preset), **one), model, chips=1).ops
    needed = sum(op.tiling.arrays for op in ops if op.tiling)
    mesh = {"tile.count": -(-needed // 2), "network.topology": {"kind": "ring", "nodes": needed}}
    chip = with_writes(Chip.load(preset), **one, **mesh)
    plan = make_plan(chip, model, chips=1, reload=True)
    assert plan.rounds >= 2
    agree(plan, batch)


@pytest.mark.parametrize(
    "binding", [{"batch": 1, "seq": 6, "kv": 0}, {"batch": 2, "seq": 1, "kv": 9}], ids=str
)
def test_a_decoder_in_rounds(binding):
    chip = with_writes(Chip.load("hermes_llm"), **TINY)
    plan = make_plan(chip, decoder(2, heads=4, width=64, vocabulary=20).bind(**binding), chips=1, reload=True)
    assert plan.rounds == 2
    agree(plan, 2)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces(), st.integers(1, 4))
def test_every_promise_is_kept_in_rounds_too(chip, trace, tiles):
    """Random models on chips of very few tiles."""
    try:
        chip = with_writes(
            chip, **{"tile.count": tiles, "network.topology": {"kind": "crossbar", "nodes": tiles}}
        )
        plan = make_plan(chip, trace, chips=1, reload=True)
    except MappingError:
        assume(False)
    assume(plan.rounds > 1)
    one, two = Machine(plan, 1), Machine(plan, 2)
    one.run()
    two.run()
    asked = Experiment(chip, trace, Options(batch=2, chips=1, reload=True))
    run = Run(two, trace, freeze(two, trace, two, asked.identity), one.host.outputs[-1])
    for promise in PROMISES:
        promise(run)
