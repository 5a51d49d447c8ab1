"""Parts that fail in the course of a run: does the work go on elsewhere, at what cost, and what is said when it cannot?

Expected: formulas for writing a tile anew, closures, the number of inferences, and a controller in plain SimPy over the
plain SimPy twin that closes, waits and moves steps as `docs/machine-model.md` says.
"""

from __future__ import annotations

import json
import pickle
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pimsim.chip import Chip
from pimsim.errors import ConfigError, InterruptedRunError, MappingError, ResultError
from pimsim.machine.controllers.faults import LOOK_FS
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.netlist.rows import Written
from pimsim.result.result import Result
from pimsim.run.simulate import simulate
from tests.cli.runner import call, small_file
from tests.oracle.test_lowered import small_cnn
from tests.oracle.twin_processes import ServingTwin
from tests.random_models import Builder, small_chip, traces

US = 1_000_000_000  # fs
TILE = {"at_us": 3.0, "site": "tile", "number": 0}
LINK = {"at_us": 3.0, "link": ["r0", "r1"]}
MESH = {
    "tile.count": 9,
    "network.topology": {"kind": "mesh", "width": 3, "height": 3},
    "tile.spares": 2,
    "core.array.device": "sram",  # which says nothing of how long a write takes
}


def model():
    built = Builder()
    x = built.conv(built.input(1, 4, 6, 6), 8, (3, 3), pads=(1, 1, 1, 1))
    built.gemm(built.flatten(built.relu(x)), 10)
    return built.trace()


def chip(*faults, **parts):
    return small_chip({**MESH, "faults": [dict(each) for each in faults], **parts})


def faults_of(result):
    (row,) = [row for row in result["controllers"] if row["controller"] == "faults"]
    return row


def closes(result):
    """Time to the femtosecond, energy to the attojoule; all inferences came."""
    return (
        sum(row["fs"] for row in result.attribution) == result.latency_fs
        and sum(row["aj"] for row in result.energy["rows"]) == result.energy["total_aj"]
        and len(result.outputs_fs) == result.batch
    )


def test_spare_sites_are_left_free():
    plan = make_plan(small_chip(MESH), model())
    assert {tile for op in plan.ops for tile in op.tiles if tile >= 0} <= set(range(7))


def test_a_chip_of_which_a_part_is_spare_needs_more_chips_sooner():
    built = Builder()
    built.gemm(built.input(1, 1024), 40)  # more than 6 tiles of 4 arrays, less than 9
    few, all_of_it = small_chip({**MESH, "tile.spares": 6}), small_chip({**MESH, "tile.spares": None})
    assert make_plan(all_of_it, built.trace()).package.chips < make_plan(few, built.trace()).package.chips


@pytest.mark.parametrize("fault", [TILE, {"at_us": 3.0, "array": {"site": "tile", "number": 0, "core": 1}}])
def test_a_tile_that_fails_is_replaced_and_all_inferences_come(fault):
    result = simulate(chip(fault), model(), 8)
    (event,) = faults_of(result)["faults"]
    assert event["at_fs"] == 3 * US
    assert event["done"] == "replaced by tile 7"
    assert faults_of(result)["spares_left"] == 1
    assert closes(result)
    busy = {row["tile"] for row in result.tiles if row["busy"].get("core.array")}
    assert 7 in busy
    assert any(note.startswith("Faults:") for note in result.notes)


def test_an_array_that_fails_is_replaced_by_a_spare_core_while_there_is_one():
    array = {"at_us": 3.0, "array": {"site": "tile", "number": 0, "core": 0}}
    again = {"at_us": 6.0, "array": {"site": "tile", "number": 0, "core": 2}}
    third = {"at_us": 9.0, "array": {"site": "tile", "number": 0, "core": 1}}
    cores = {"tile.cores": 3, "core.spares": 1, "core.array.write_ns": 10.0}
    assert make_plan(chip(**cores), model()).package.kinds["tile"].slots == 4
    result = simulate(chip(array, again, third, **cores), model(), 8)
    assert [event["done"] for event in faults_of(result)["faults"]] == [
        "replaced by core 2",
        "replaced by tile 7",
        "had nothing to do",
    ]
    assert closes(result)


UPKEEP = {
    "core.array.write_ns": 10.0,
    "core.array.refresh": {"interval_us": 14},
    "core.adc.calibration": {"interval_us": 14, "duration_ns": 50},
}


@pytest.mark.parametrize("part", ["site", "array"])
def test_refresh_and_calibration_follow_to_what_took_over(part):
    """From then on they visit the spare, in the beat of before, and write all of it each time."""
    array = {"at_us": 20.0, "array": {"site": "tile", "number": 0, "core": 0}}
    fault, more = (
        (array, {"tile.cores": 3, "core.spares": 1}) if part == "array" else ({**TILE, "at_us": 20.0}, {})
    )
    machine = Machine(make_plan(chip(fault, **UPKEEP, **more), model()), 8)
    machine.run()
    refresh, calibration, faults = machine.controllers
    (event,) = faults.events
    new = 0 if part == "array" else 7
    for controller in (refresh, calibration):
        begins = {
            tile: [span.begin_fs for span in controller.deeds.spans if span.tile == tile] for tile in (0, new)
        }
        if part == "site":
            assert begins[0]
            assert max(begins[0]) < event["ready_fs"] <= min(begins[7])
        beats = sorted({*begins[0], *begins[new]})
        assert {after - before for before, after in pairwise(beats)} == {14 * US}
    rows = machine.net.resources
    taken = "tile0.core2." if part == "array" else "tile7."
    late = [span for span in refresh.deeds.spans if span.tile == new and span.begin_fs >= event["ready_fs"]]
    written = {
        tally.cells: visits
        for tally, visits in machine.tallied()
        if isinstance(tally, Written) and tally.parts == 1 and tally.cells is not None
    }
    assert {rows[each].name.startswith(taken) for each in written} == {True}
    assert set(written.values()) <= {len(late), len(late) + 1}  # the last one may be under way at the end
    assert late


@pytest.mark.parametrize("network", [{"network.fidelity": "packet"}, {"network.multicast": True}])
def test_a_spare_core_takes_over_whatever_the_network_is(network):
    """Nothing takes another way through it: packets come to the same tile."""
    array = {"at_us": 3.0, "array": {"site": "tile", "number": 0, "core": 0}}
    result = simulate(chip(array, **{"tile.cores": 3, "core.spares": 1}, **network), small_cnn(), 2)
    assert [event["done"] for event in faults_of(result)["faults"]] == ["replaced by core 2"]
    assert closes(result)


def test_spare_cores_alone_are_refused():
    with pytest.raises(ConfigError, match="fewer than the 2 cores of a tile"):
        chip(**{"core.spares": 2})


def test_writing_the_spare_takes_at_least_its_rows_one_after_another_and_costs_its_cells():
    written = {"core.array.write_ns": 200.0, "core.array.energy_per_cell_write_pj": 2.0}
    late = chip(TILE, **written)
    machine = Machine(make_plan(late, model()), 2)
    rows = max(each.share.rows for each in machine.residents if each.share.tile == 0)
    cells = sum(each.share.cells for each in machine.residents if each.share.tile == 0)
    result, before = simulate(late, model(), 2), simulate(chip(**written), model(), 2)
    (event,) = faults_of(result)["faults"]
    assert event["ready_fs"] - event["at_fs"] >= rows * 200 * US // 1000
    assert any(row["cause"] == "programming" for row in result.attribution)

    def arrays_aj(each):
        return sum(row["aj"] for row in each.energy["rows"] if row["part"] == "core.array")

    assert arrays_aj(result) - arrays_aj(before) == pytest.approx(cells * 2.0 * 1e6, abs=10)
    assert closes(result)


def test_a_spare_that_fails_is_replaced_by_the_next():
    again = {"at_us": 6.0, "site": "tile", "number": 7}
    result = simulate(chip(TILE, again), model(), 2)
    assert [event["done"] for event in faults_of(result)["faults"]] == [
        "replaced by tile 7",
        "replaced by tile 8",
    ]
    assert closes(result)


def test_a_spare_that_fails_before_it_is_needed_is_no_spare_any_more():
    result = simulate(chip({"at_us": 1.0, "site": "tile", "number": 7}, TILE), model(), 2)
    assert [event["done"] for event in faults_of(result)["faults"]] == ["was spare", "replaced by tile 8"]


def test_nothing_goes_over_a_link_that_has_failed():
    before, after = simulate(chip(), model(), 2), simulate(chip({**LINK, "at_us": 0.0}), model(), 2)

    def flits(result):
        return sum(
            row["flits"] for row in result.network["links"] if {row["from"], row["to"]} == {"r0", "r1"}
        )

    assert flits(before) > 0
    assert flits(after) == 0
    assert closes(after)


def test_faults_at_random_are_the_same_for_a_seed_and_others_for_another():
    def events(seed):
        fault = {"rate_per_s": 2e5, "of": "tile", "seed": seed}
        return faults_of(simulate(chip(fault, **{"tile.spares": 3}), model(), 2))["faults"]

    assert events(1) == events(1)
    assert events(1) != events(2)


def test_a_fault_behind_the_last_output_changes_nothing():
    plain, late = simulate(chip(), model(), 2), simulate(chip({**TILE, "at_us": 1e5}), model(), 2)
    assert late.attribution == plain.attribution
    assert late.energy == plain.energy
    assert faults_of(late)["times"] == 0


# -- when nothing can take over ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "fault", "reason"),
    [
        ({"tile.spares": None}, TILE, r"no spare site of 'tile' is left \(tile.spares: 0\)"),
        ({"network.fidelity": "packet"}, TILE, "with network.fidelity packet nothing can be moved"),
        ({"network.multicast": True}, LINK, "packets that branch"),
    ],
)
def test_the_run_ends_and_says_what_failed_what_was_done_and_how_much_is_complete(changes, fault, reason):
    with pytest.raises(InterruptedRunError, match=reason) as caught:
        simulate(chip(fault, **changes), small_cnn() if "network.multicast" in changes else model(), 2)
    text = str(caught.value)
    assert "failed at 3 us" in text
    assert "replaced before: nothing; 0 of 2 inferences are complete" in text
    assert caught.value.exit_code == 1
    assert caught.value.done["outputs_fs"] == []
    assert pickle.loads(pickle.dumps(caught.value)).done == caught.value.done


def test_a_line_has_no_way_around():
    line = {"tile.count": 4, "network.topology": {"kind": "mesh", "width": 4, "height": 1}, "tile.spares": 1}
    with pytest.raises(InterruptedRunError, match="there is no way around"):
        simulate(chip(LINK, **line), model(), 2)


def test_the_command_line_leaves_exit_code_1_and_what_was_done(tmp_path, capsys, monkeypatch):
    out, faults = tmp_path / "out.json", 'faults=[{"at_us": 0.5, "site": "tile", "number": 0}]'
    done = call(
        capsys,
        monkeypatch,
        "run",
        "isaac",
        small_file(tmp_path),
        "--batch",
        "3",
        "--set",
        faults,
        "-o",
        str(out),
    )
    assert done.code == 1
    assert "no spare site of 'tile' is left" in done.err
    data = json.loads(out.read_text())
    assert data["interrupted"]["batch"] == 3
    with pytest.raises(ResultError, match="is of a run that was interrupted"):
        Result.load(out)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ('{"at_us": 1, "site": "tile", "number": 168}', "one of the 168 sites"),
        ('{"at_us": 1, "site": "tail", "number": 0}', "a site that does ops: tile"),
        ('{"at_us": -1, "site": "tile", "number": 0}', "at_us: found -1, expected at least 0"),
        ('{"at_us": 1, "link": ["r0", "r99"]}', "two routers that a link joins"),
        ('{"at_us": 1, "array": {"site": "tile", "number": 0, "core": 12}}', "one of the 12 cores"),
        ('{"at_us": 1}', "one of site, link and array"),
        ('{"rate_per_s": 5}', "tile, link or array"),
        ('{"rate_per_s": 0, "of": "tile"}', "more than 0"),
    ],
)
def test_a_fault_of_what_is_not_there_is_refused(fault, words, tmp_path, capsys, monkeypatch):
    done = call(capsys, monkeypatch, "run", "isaac", small_file(tmp_path), "--set", f"faults=[{fault}]")
    assert done.code == 2
    assert "faults.0" in done.err
    assert words in done.err


def test_a_chip_of_spares_alone_is_refused():
    with pytest.raises(ConfigError, match="nothing is left to compute"):
        chip(**{"tile.spares": 9})


# -- the twin ------------------------------------------------------------------------------------------------------


def replayed(machine, fault):
    """The same fault in plain SimPy over the twin; the steps afterwards are the machine's."""
    net = machine.net
    twin, (controller,) = ServingTwin(net), machine.controllers
    whole = "link" in fault
    actors = [a for a, row in enumerate(net.actors) if whole or row.site == fault["number"]]

    def process():
        yield twin.sleep(round(fault["at_us"] * US))
        if not actors or all(twin.ended[a] == net.actors[a].firings for a in sinks):
            return
        twin.close(actors)
        while any(twin.started[a] > twin.ended[a] for a in actors) or (whole and not still(twin)):
            yield twin.sleep(LOOK_FS)
        for path, steps in enumerate(net.paths):
            for index in range(len(steps)):
                number = machine.engine.first_step(path) + index
                twin.redirect(path, index, controller.steps.now[number])
        twin.open(actors)

    sinks = machine.ends[0].sinks
    twin.env.process(process())
    return twin


def still(twin):
    """Whether nothing at all is going on: all that SimPy has left are this process and the clock of who looks."""
    return not twin.env._queue


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(traces(), st.integers(0, 400), st.integers(0, 6))
def test_random_models_that_lose_a_tile_agree_with_the_twin(trace, tenths, number):
    fault = {"at_us": tenths / 10, "site": "tile", "number": number}
    lossy = chip(fault)
    try:
        plan = make_plan(lossy, trace)
    except MappingError:
        assume(False)
    assume(plan.package.chips == 1)
    machine = Machine(plan, 2, record=True)
    machine.run()
    assert sorted(replayed(machine, fault).run()) == sorted(machine.engine.visit_log)
    assert machine.engine.charges().sum() == machine.host.outputs[-1]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(traces(), st.integers(0, 400), st.sampled_from([["r0", "r1"], ["r4", "r1"], ["r5", "r8"]]))
def test_random_models_that_lose_a_link_agree_with_the_twin(trace, tenths, link):
    fault = {"at_us": tenths / 10, "link": link}
    lossy = chip(fault)
    try:
        plan = make_plan(lossy, trace)
    except MappingError:
        assume(False)
    machine = Machine(plan, 2, record=True)
    machine.run()
    assert sorted(replayed(machine, fault).run()) == sorted(machine.engine.visit_log)
    assert machine.engine.charges().sum() == machine.host.outputs[-1]


def test_the_digest_of_a_chip_without_faults_does_not_know_of_them():
    data = Chip.load("isaac").to_dict()
    assert "faults" not in data
    assert "spares" not in data["sites"]["tile"]
