"""A machine that cannot go on says so, though controllers do again and again what changes nothing."""

from __future__ import annotations

import pytest

from pimsim.errors import SimulationError
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from tests.random_models import Builder, small_chip

UPKEEP = {"core.adc.calibration": {"interval_us": 2, "duration_ns": 50}}
FAULTS = {
    "tile.count": 9,
    "network.topology": {"kind": "mesh", "width": 3, "height": 3},
    "tile.spares": 2,
    "faults": [{"rate_per_s": 1e-9, "of": "tile"}],
}
POWER = {"tile.power": {"gate_after_ns": 1000.0, "wake_ns": 200.0}}


@pytest.mark.parametrize("changes", [UPKEEP, FAULTS, POWER, {**UPKEEP, **POWER}])
def test_a_host_that_waits_for_what_nobody_sends_is_told_at_once(changes):
    built = Builder()
    built.gemm(built.input(1, 16), 10)
    machine = Machine(make_plan(small_chip(changes), built.trace()), batch=2)
    done = machine.host.request(1)
    for source in machine.ends[0].sources:
        assert machine.net.actors[source].firings == 2 * machine.net.actors[source].period
    with pytest.raises(SimulationError, match=r"cannot go on at .*, after 1 of 2 inferences") as caught:
        machine.run(done & machine.env.event())
    assert "waits for its path" in str(caught.value)
    assert machine.env.now < 10**12  # a millisecond, not hours
