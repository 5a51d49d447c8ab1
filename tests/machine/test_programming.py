"""A cold start: how long does it take, what does it cost, and do early layers compute while later ones are written?

Expected values are arithmetic on what the chip file says of links, network, bus and arrays.
"""

from __future__ import annotations

import pytest

from pimsim.chip import Chip
from pimsim.errors import ConfigError
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.result.cold import cold_start
from pimsim.run.simulate import simulate
from pimsim.trace import Trace
from tests.oracle.test_reload import MEMORY
from tests.random_models import Builder, small_chip

WRITES = {"core.array.write_ns": 1000.0, "core.array.energy_per_cell_write_pj": 2.0}
US = 1_000_000_000


def one_layer(features=16):
    model = Builder()
    model.gemm(model.input(1, features), 8)
    return model.trace("one")


def layers(count):
    model = Builder()
    x = model.input(1, 8, 4, 4)
    for _ in range(count):
        x = model.conv(x, 8, (3, 3), pads=(1, 1, 1, 1))
    return model.trace("several")


def ran(chip, trace, **options):
    machine = Machine(make_plan(chip, trace), 1, **options)
    machine.run()
    return machine


def test_one_layer_takes_its_way_its_rows_and_then_as_long_as_a_warm_one():
    """A layer of 16 rows on isaac: bytes over the external link, flits, bus cycles, 16 writes; edges of 100 ns."""
    chip, trace = small_chip(WRITES), one_layer()
    warm, cold = ran(chip, trace), ran(chip, trace, cold=True)
    config, plan = chip.config, cold.plan
    tile = config.sites["tile"]
    bits = 16 * 8 * plan.weight_bits
    (home,) = {chunk.tile for op in plan.ops for replica in op.replicas for chunk in replica.chunks}
    link = -(-bits // 8) * config.external.byte_fs
    fabric = cold.transport.fabric
    cycles = fabric.zero_load(fabric.hops("g0", f"t{home}"), config.network.flits(bits))
    network = cycles * config.clocks[config.network.clock].period_fs
    bus = tile.bus.transfer(bits, config.clocks).after
    written = 16 * 1000 * 1_000_000
    way = link + network + bus
    least = way + written
    until = cold.controllers[0].deeds.figures["until_fs"]
    assert least <= until <= least + 110_000_000  # edges: one of the array's clock, few of the faster ones
    # The row of the input has come long before; the layer begins at the edge after the arrays are written.
    alone = cold.host.outputs[0] - until
    assert alone <= warm.host.outputs[0] + 100_000_000
    assert cold.host.outputs[0] > until


def test_early_layers_compute_while_later_ones_are_written():
    """By far less than one after the other: each of the layers is on a tile of its own."""
    chip = small_chip({**WRITES, "tile.cores": 1, "core.arrays": 2, "core.array.columns": 32})
    trace = layers(4)
    warm, cold = ran(chip, trace), ran(chip, trace, cold=True)
    until = cold.controllers[0].deeds.figures["until_fs"]
    first = min(span.end_fs for span in cold.controllers[0].deeds.spans)
    begins = cold.op_figures[0]
    assert first < until
    assert until < cold.host.outputs[0] < until + warm.host.outputs[0]
    assert min(begins[cold.ops.index("conv1")], until) < until


@pytest.mark.parametrize("memory", [None, MEMORY], ids=["host", "memory"])
def test_the_attribution_has_what_a_cold_start_adds_and_energy_closes(memory):
    changes = {**WRITES, **({"sites.memory": memory} if memory else {})}
    chip, trace = small_chip(changes), layers(2)
    result = simulate(chip, trace, cold=True)
    causes = {row["cause"] for row in result.attribution}
    assert "programming" in causes
    assert ("memory" if memory else "transport") in causes
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs
    assert sum(row["aj"] for row in result.energy["rows"]) == result.energy["total_aj"]
    warm = simulate(chip, trace)
    (row,) = result.data["controllers"]
    dynamic = [sum(each.energy_pj["dynamic"].values()) for each in (result, warm)]
    assert row["energy_aj"] == pytest.approx((dynamic[0] - dynamic[1]) * 1e6, rel=1e-9)
    plan = make_plan(chip, trace)
    cells = sum(share.cells for op in plan.ops if op.operand for share in op.operand.shares)
    grown = result.energy_pj["dynamic"]["core.array"] - warm.energy_pj["dynamic"]["core.array"]
    assert grown == pytest.approx(2.0 * cells)
    assert {row["writes"] for row in result.wear} == {1}
    assert "wear" not in warm.data


@pytest.mark.parametrize("write_ns", [10.0, 20_000.0], ids=["by links", "by writing"])
@pytest.mark.parametrize("model", ["digits_cnn"])
def test_the_formula_without_a_cold_start_is_a_bound_and_near(model, write_ns):
    """Never less than the formula; and no more than both its terms and half of what links take."""
    chip = Chip.load("isaac", {"core.array.write_ns": write_ns, "core.array.energy_per_cell_write_pj": 1.0})
    cold = ran(chip, Trace.load(model), cold=True)
    said = cold_start(cold)
    until = cold.controllers[0].deeds.figures["until_fs"]
    assert said.least_fs <= until <= 1.5 * said.link_fs + said.write_fs
    assert said.energy_pj == pytest.approx(cold.controllers[0].deeds.energy_pj, rel=0.02)


SILENT = {"core.array.device": "sram"}  # which says nothing of how long a write takes


def test_what_was_left_out_is_said_in_words():
    trace = layers(1)
    notes = "\n".join(simulate(small_chip(WRITES), trace).data["notes"])
    assert "to bring them from the host" in notes
    assert "--cold simulates it" in notes
    notes = "\n".join(simulate(small_chip(SILENT), trace).data["notes"])
    assert "what writing them takes is not modelled: no core.array.write_ns is given" in notes


def test_a_chip_without_a_write_time_says_what_to_set():
    with pytest.raises(ConfigError) as caught:
        simulate(small_chip(SILENT), layers(1), cold=True)
    assert caught.value.where == "core.array.write_ns"
    assert "--set core.array.write_ns=" in caught.value.mend


def test_banks_of_digital_sites_are_loaded_too():
    """By the formula: the weights of an op in a site over the link, and into banks, a word a cycle."""
    chip, trace = Chip.load("dadiannao"), Trace.load("digits_cnn")
    warm, cold = ran(chip, trace), ran(chip, trace, cold=True)
    deeds = cold.controllers[0].deeds
    weights = sum(share.elements for op in cold.plan.ops if op.operand for share in op.operand.shares)
    assert deeds.figures["bytes"] == pytest.approx(weights * cold.plan.weight_bits / 8, abs=deeds.times)
    link = weights * cold.plan.weight_bits // 8 * chip.config.external.byte_fs
    assert deeds.figures["until_fs"] >= link / cold.plan.package.bundle
    assert cold.host.outputs[0] > warm.host.outputs[0]


def test_without_controllers_no_event_and_no_key_is_added():
    result = simulate(small_chip(WRITES), layers(1))
    assert "controllers" not in result.data
    assert "cold" not in result.identity
    assert result.data["engine"]["simpy_events"] <= 3


def test_the_pace_of_many_inferences_is_that_of_a_warm_machine():
    """Weights are written once, so that what the interval says is the same."""
    chip, trace = small_chip(WRITES), layers(3)
    cold, warm = simulate(chip, trace, cold=True), simulate(chip, trace)
    assert cold.interval_fs == warm.interval_fs
    assert cold.latency_fs > warm.latency_fs
