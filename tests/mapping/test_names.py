"""Can what a machine is made of be told apart by name? Names of resources, streams and actors repeat on no plan."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.mapping.lowering.lowering import lower_programs
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.generation import plan_generation
from pimsim.mapping.planning.options import PlanOptions
from pimsim.mapping.planning.program import Program
from pimsim.netlist.netlist import Netlist
from pimsim.trace import Trace
from tests.mapping.test_rounds import CHIP as RELOADING
from tests.mapping.test_rounds import SMALL
from tests.oracle.test_experts import mixture
from tests.random_models import Builder, chips, small_chip, traces
from tests.transformers import decoder

WRITING = {"sites.tile.products": "write", "core.array.write_ns": 100.0}
SIX = {"batch": 1, "seq": 6, "kv": 0}


def assert_unique(net: Netlist) -> None:
    for kind in ("resources", "streams", "actors"):
        names = Counter(row.name for row in getattr(net, kind))
        assert names, kind
        assert not {name: times for name, times in names.items() if times > 1}, kind


def lowered(chip: Chip, trace: Trace, chips: int | None = None, reload: bool = False) -> Netlist:
    return lower_programs([Program(make_plan(chip, trace, chips=chips, reload=reload), 2)]).net


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces())
def test_names_are_unique_on_random_plans(chip: Chip, trace: Trace) -> None:
    try:
        assert_unique(lowered(chip, trace))
    except MappingError:
        return


@pytest.mark.parametrize("changes", [{}, WRITING], ids=["digital products", "written products"])
def test_names_are_unique_where_heads_are_cut_and_a_prompt_and_a_step_share_the_machine(changes) -> None:
    chip = small_chip(changes)
    assert_unique(lowered(chip, decoder().bind(**SIX)))
    assert_unique(lower_programs(plan_generation(chip, decoder(), 6, 4, requests=3, places=2)).net)
    assert_unique(lower_programs(plan_generation(chip, mixture(2), 6, 4, requests=3, places=2)).net)


def test_names_are_unique_where_weights_take_turns() -> None:
    net = lowered(RELOADING, SMALL.bind(**SIX), chips=1, reload=True)
    assert any(step.cause == "programming" for path in net.paths for step in path)
    assert_unique(net)
    programs = plan_generation(RELOADING, SMALL, 6, 4, options=PlanOptions(chips=1, reload=True))
    assert programs[0].plan.rounds > 1
    assert_unique(lower_programs(programs).net)


def test_an_op_that_reads_a_tensor_twice_has_two_streams() -> None:
    model = Builder()
    x = model.relu(model.input(1, 4, 4, 4))
    model.sum(x, x)
    assert_unique(lowered(small_chip(), model.trace()))


def test_a_digital_unit_may_be_called_as_another_part_is() -> None:
    digital = small_chip().to_dict()["sites"]["tile"]["digital"]
    chip = small_chip({"tile.digital": {"bus": digital["sigmoid"], "buffer": digital["vector"]}})
    model = Builder()
    model.softmax(model.relu(model.input(1, 4, 4, 4)), 1)
    assert_unique(lowered(chip, model.trace()))
