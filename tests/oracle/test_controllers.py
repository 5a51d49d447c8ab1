"""Do controllers do what they do in plain SimPy, visit by visit? And is every promise kept while they live?

Oracle: the twin with controllers of its own, on small machines of each preset's shape and on random ones.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.machine.machine import Machine
from pimsim.mapping.lowering.lowering import lower
from pimsim.mapping.mapper import make_plan
from pimsim.result.freeze import freeze
from pimsim.run.experiment import Experiment
from pimsim.run.options import Options
from tests.oracle.test_reload import MEMORY
from tests.oracle.twin_controllers import ControlledTwin, by_tile, held_weights, write
from tests.random_models import Builder, chips, small_chip, traces
from tests.result.test_promises import PROMISES, Run

PRESETS = ["isaac", "puma", "hermes64", "hermes64_4phase"]
WRITES = {"core.array.write_ns": 10.0, "core.array.energy_per_cell_write_pj": 2.0}
CALIBRATION = {"core.adc.calibration": {"interval_us": 3.137, "duration_ns": 400.0, "energy_pj": 5.0}}
# Intervals that never end at one instant: there the order in which two jobs are sent hangs on who hears first.
REFRESH = {"core.array.refresh": {"interval_us": 7.0}, "core.array.rows": 16}
WIDE = {"network.link_width_bits": 1024}  # few flits: the routers of the twin are slow


def small_chip_of(preset, changes):
    return small_chip({**WIDE, **changes}, preset)


def two_layers():
    """Two convolutions and a classifier on 4x4 pixels."""
    model = Builder()
    x = model.relu(model.conv(model.input(1, 3, 4, 4), 8, (3, 3), pads=(1, 1, 1, 1)))
    x = model.conv(x, 8, (3, 3))
    model.gemm(model.flatten(x), 10)
    return model.trace("small")


def recorded(plan, batch, cold=False):
    """Run a machine; return it, and its log with steps of jobs counted from the first."""
    machine = Machine(plan, batch, record=True, cold=cold)
    first, send = {}, machine.env.send

    def noted(path, op, **more):
        job = send(path, op, **more)
        first[job.number] = machine.engine.first_step(path)
        return job

    machine.env.send = noted
    machine.run()
    log = []
    for actor, firing, output, step, grant, leave in machine.engine.visit_log:
        shift = first[firing] if actor == len(machine.net.actors) else 0
        log.append((actor, firing, output, step - shift, grant, leave))
    assert machine.engine.charges().sum() == machine.host.outputs[-1]
    return machine, sorted(log)


def twin_of(plan, batch, cold=False):
    """The same in plain SimPy: what the chip file asks for, said again."""
    lowered = lower(plan, batch)
    net, transport = lowered.net, lowered.transport
    site = plan.chip.config.sites["tile"]
    clock = plan.chip.config.clocks[site.core.array.clock].period_fs
    held, tasks = held_weights(plan, net), []

    def whole(nanoseconds, period):
        return -(-round(nanoseconds * 1_000_000) // period) * period

    if cold:
        ranks = {tile: rank for rank, tile in enumerate(dict.fromkeys(tile for tile, *_ in held))}
        rows = []
        for tile, bits, rows_here, _, resource, actors in held:
            way = transport.weights(tile, bits, ranks[tile])
            rows.append(
                (tile, [*way, write(resource, rows_here, whole(site.core.array.write_ns, clock))], actors)
            )
        memory = plan.chip.config.memory
        sources = memory.count if memory is not None else max(1, plan.chip.config.external.count // 2)
        tasks.append(lambda twin: twin.program(by_tile(rows), sources))
    if site.core.array.refresh is not None:
        row_fs = whole(site.core.array.write_ns, clock)
        visits = [(tile, write(resource, rows_here, row_fs)) for tile, _, rows_here, _, resource, _ in held]
        every = round(site.core.array.refresh.interval_us * 1e9)
        tiles = [[visit for (visit,) in tile] for tile in by_tile(visits)]
        tasks.append(lambda twin: twin.repeat(tiles, every))
    if site.core.adc.calibration is not None:
        banks = {}
        for step in (step for path in net.paths for step in path):
            if step.mvm is not None:
                part = step.mvm.bank if step.mvm.shared else step.resource
                banks[part] = whole(site.core.adc.calibration.duration_ns, net.resources[part].period_fs)
        rows_of = sorted((net.resources[part].tile, part, time) for part, time in banks.items())
        every_bank = round(site.core.adc.calibration.interval_us * 1e9)
        adcs = [[write(part, 1, time) for part, time in tile] for tile in by_tile(rows_of)]
        tasks.append(lambda twin: twin.repeat(adcs, every_bank))
    twin = ControlledTwin(net)
    for task in tasks:
        task(twin)
    return twin


def agree(plan, batch, cold=False):
    machine, log = recorded(plan, batch, cold)
    twin = twin_of(plan, batch, cold)
    assert sorted(twin.run()) == log
    assert twin.finished
    return machine


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("memory", [None, MEMORY], ids=["host", "memory"])
def test_a_cold_start_visit_by_visit(preset, memory):
    changes = {**WRITES, **({"sites.memory": memory} if memory else {})}
    machine = agree(make_plan(small_chip_of(preset, changes), two_layers()), 2, cold=True)
    assert machine.controllers[0].deeds.times > 1


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("changes", [CALIBRATION, WRITES | REFRESH, WRITES | REFRESH | CALIBRATION], ids=str)
def test_upkeep_visit_by_visit(preset, changes):
    if "core.array.refresh" in changes and preset.startswith("hermes"):  # a run is shorter, and so is writing
        changes = {**changes, "core.array.refresh": {"interval_us": 1.0}}
    machine = agree(make_plan(small_chip_of(preset, changes), two_layers()), 3)
    assert all(controller.deeds.times for controller in machine.controllers)


def test_all_of_them_together_on_shared_banks_visit_by_visit():
    shared = {"core.arrays": 4, "core.adc.banks": 1}
    agree(
        make_plan(small_chip_of("isaac", WRITES | REFRESH | CALIBRATION | shared), two_layers()), 2, cold=True
    )


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces(), st.booleans(), st.booleans(), st.booleans())
def test_random_machines_keep_every_promise(chip, trace, cold, calibrated, refreshed):
    """Random models; controllers agree with the twin, closures are exact, nothing is over 100 % busy."""
    changes = WRITES | WIDE | (CALIBRATION if calibrated else {}) | (REFRESH if refreshed else {})
    try:
        chip = Chip.from_dict(chip.to_dict(), changes)
        plan = make_plan(chip, trace)
    except MappingError:
        assume(False)
    two = agree(plan, 2, cold)
    one = Machine(plan, 1, cold=cold)
    one.run()
    asked = Experiment(chip, trace, Options(batch=2, cold=cold))
    result = freeze(two, trace, two, asked.identity)
    run = Run(two, trace, result, one.host.outputs[-1])
    for promise in PROMISES:
        promise(run)
