"""Power states of sites: does a site sleep when the rule says, wake when it should, and cost what the formulas say?

Expected: formulas, closures to the femtosecond and the attojoule, and a controller of its own in plain SimPy over the
plain SimPy twin.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pimsim.chip import Chip
from pimsim.errors import ConfigError, MappingError
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.run.simulate import simulate
from tests.oracle.twin_processes import ServingTwin
from tests.random_models import Builder, chips, small_chip, traces

NS = 1_000_000  # fs
SHARES = {"active": 1.0, "waking": 1.0, "idle": 0.5, "gated": 0.125}


def power(**changes):
    given = {
        "idle_after_ns": 300.0,
        "gate_after_ns": 1000.0,
        "wake_ns": 200.0,
        "wake_energy_pj": 3.0,
        "idle_share": SHARES["idle"],
        "gated_share": SHARES["gated"],
    }
    given |= changes
    return {"sites.tile.power": {key: value for key, value in given.items() if value is not None}}


def model():
    """Two convolutions, the second of which waits for all that the first makes, behind a global pooling."""
    built = Builder()
    x = built.conv(built.input(1, 4, 6, 6), 8, (3, 3), pads=(1, 1, 1, 1))
    built.gemm(built.flatten(built.global_pool(x)), 10)
    return built.trace()


def chip(*layers, **parts):
    """Four tiles of one core and one array, so that layers stand in tiles of their own."""
    changes = {"tile.cores": 1, "core.arrays": 1, "core.adc.banks": 1, "tile.static_power_mw": 2.0, **parts}
    for layer in layers:
        changes |= layer
    return small_chip(changes)


def sites_of(result):
    (row,) = result["controllers"]
    return {site["site"]: {key: fs for key, fs in site.items() if key != "site"} for site in row["sites"]}


def test_without_the_key_nothing_sleeps_and_the_result_has_no_controllers():
    result = simulate(chip(), model())
    assert "controllers" not in result.data
    assert not any("state" in row for row in result.energy["rows"])


def test_the_time_in_states_of_every_site_is_the_latency():
    result = simulate(chip(power()), model())
    sites = sites_of(result)
    assert sorted(sites) == [0, 1, 2, 3]
    assert {sum(times.values()) for times in sites.values()} == {result.latency_fs}


def test_a_site_that_has_nothing_to_do_is_idle_and_gated_when_the_formula_says():
    built = Builder()
    built.gemm(built.flatten(built.input(1, 4, 5, 5)), 4)  # in one tile: one firing needs no copies
    result = simulate(chip(power()), built.trace())
    assert len(result.tiles) < 4
    (unused, *_) = sorted({0, 1, 2, 3} - {row["tile"] for row in result.tiles})
    assert sites_of(result)[unused] == {
        "active_fs": 300 * NS,
        "idle_fs": 700 * NS,
        "gated_fs": result.latency_fs - 1000 * NS,
        "waking_fs": 0,
    }


def test_static_energy_by_state_is_power_times_share_times_time():
    result = simulate(chip(power()), model())
    sites = sites_of(result)
    rows = {row["state"]: row["aj"] for row in result.energy["rows"] if row["part"] == "tile"}
    for state, aj in rows.items():
        time = sum(times[f"{state}_fs"] for times in sites.values())
        assert aj == round(2.0 * SHARES[state] * time)  # 1 mW for 1 fs is 1 aJ
    assert rows.keys() >= {"active", "idle", "gated"}


def test_energy_closes_and_waking_costs_so_much_each_time():
    result = simulate(chip(power()), model())
    (row,) = result["controllers"]
    assert row["times"] > 0
    assert row["energy_aj"] == row["times"] * 3_000_000
    spent = [each["aj"] for each in result.energy["rows"] if each["part"] == "tile.power"]
    assert sum(spent) == row["energy_aj"]
    assert sum(each["aj"] for each in result.energy["rows"]) == result.energy["total_aj"]
    assert row["held_fs"] == row["waking_fs"] <= row["times"] * 200 * NS


def test_the_parts_of_sites_alone_have_states():
    """A part of the chip outside its sites draws the same all the time."""
    result = simulate(
        chip(power(), {"external.static_power_mw": 5.0, "tile.bus.static_power_mw": 3.0}), model()
    )
    static = [row for row in result.energy["rows"] if row["kind"] == "static"]
    assert {row["part"] for row in static if "state" in row} == {"tile", "tile.bus"}
    (external,) = [row for row in static if row["part"] == "external"]
    links = result.config["external"]["count"]
    assert external["aj"] == round(5.0 * links * result.latency_fs)


def test_waking_is_charged_and_costs_what_it_takes():
    """The classifier's tile is gated when the pooling is done; all that it loses is the time to wake."""
    awake = simulate(chip(), model())
    asleep = simulate(chip(power(idle_after_ns=None)), model())
    waking = sum(row["fs"] for row in asleep.attribution if row["cause"] == "waking")
    assert waking > 0
    assert waking % (200 * NS) == 0
    assert sum(row["fs"] for row in asleep.attribution) == asleep.latency_fs
    # The clocks stand otherwise after a wait: less than a cycle of the slowest part a wake-up.
    assert asleep.latency_fs - awake.latency_fs == pytest.approx(waking, abs=200 * NS)


def test_a_site_that_never_rests_for_long_enough_does_not_change_the_run():
    awake, lazy = (
        simulate(chip(), model()),
        simulate(chip(power(idle_after_ns=None, gate_after_ns=1e6)), model()),
    )
    assert lazy.attribution == awake.attribution
    assert lazy.energy["total_aj"] == awake.energy["total_aj"]


class SleepyTwin(ServingTwin):
    """The same controller in plain SimPy, over the twin: a process a site that looks when it may have rested enough."""

    def __init__(self, net, tiles, states):
        super().__init__(net)
        self.states, self.ended_at, self.history = states, dict.fromkeys(range(tiles), 0), {}
        for tile in range(tiles):
            self.history[tile] = [(0, "active")]
            self.env.process(self.site(tile, [a for a, row in enumerate(net.actors) if row.site == tile]))

    def tell(self, a, actor):
        super().tell(a, actor)
        self.ended_at[actor.site] = self.env.now

    def site(self, tile, actors):
        idle, gate, wake = self.states
        rest = gate if idle is None else idle
        awake = 0
        while True:
            while True:
                if any(self.started[a] > self.ended[a] for a in actors):
                    wait = rest
                else:
                    wait = max(awake, self.ended_at[tile]) + rest - self.env.now
                if wait <= 0:
                    break
                yield self.sleep(wait)
            self.close(actors)
            wanted = self.wanted(tile)
            gated = idle is None
            if not gated:
                self.history[tile].append((self.env.now, "idle"))
                if gate is not None:
                    yield self.env.any_of([wanted, self.sleep(gate - idle)])
                    gated = not wanted.triggered
            if gated:
                self.history[tile].append((self.env.now, "gated"))
            yield wanted
            if gated:
                self.history[tile].append((self.env.now, "waking"))
                yield self.sleep(wake)
            self.history[tile].append((self.env.now, "active"))
            awake = self.env.now
            self.open(actors)


TIMES = st.integers(1, 4000).map(lambda tens: 10.0 * tens)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces(), st.none() | TIMES, TIMES, TIMES)
def test_random_models_with_power_states_agree_with_the_twin(small, trace, idle, gate, wake):
    """Every start and end, and every change of state."""
    assume(idle is None or idle < gate)
    asked = {"gate_after_ns": gate, "wake_ns": wake} | ({} if idle is None else {"idle_after_ns": idle})
    small = Chip.from_dict(small.to_dict(), {f"sites.{name}.power": asked for name in small.config.working})
    try:
        plan = make_plan(small, trace)
    except MappingError:
        assume(False)
    machine = Machine(plan, 2, record=True)
    machine.run()
    net = machine.net
    states = (None if idle is None else round(idle * NS), round(gate * NS), round(wake * NS))
    twin = SleepyTwin(net, plan.package.tiles, states)
    while not twin.finished:
        twin.env.step()
    last = machine.engine.last_end
    ours = sorted(row for row in machine.engine.visit_log if row[0] < len(net.actors) and row[5] <= last)
    assert ours == sorted(row for row in twin.log if row[5] <= last)
    end = machine.host.outputs[-1]
    for controller in machine.controllers:
        for tile, changes in controller.changes.items():
            assert [c for c in changes if c[0] < end] == [c for c in twin.history[tile] if c[0] < end]
    charges = machine.engine.charges().sum()
    assert charges == end


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"idle_after_ns": None, "gate_after_ns": None}, "idle_after_ns"),
        ({"gate_after_ns": 0.0}, "gate_after_ns"),
        ({"idle_after_ns": 2000.0}, "expected more than idle_after_ns"),
        ({"wake_ns": None}, "wake_ns"),
        ({"gated_share": 1.5}, "gated_share"),
    ],
)
def test_states_that_make_no_sense_are_refused(given, words):
    with pytest.raises(ConfigError, match=words):
        chip(power(**given))


def test_the_energy_of_waking_is_not_modelled_where_the_chip_file_does_not_give_it():
    result = simulate(chip(power(wake_energy_pj=None)), model())
    (row,) = result["controllers"]
    assert row["times"] > 0
    assert row["energy_aj"] is None
    assert "tile.power" in result.energy_pj["not_modelled"]


def test_states_without_static_power_say_that_they_change_the_time_alone():
    result = simulate(small_chip(power()), model())
    assert "No part of tile has static power: its power states change the time alone." in result.notes


def test_a_site_that_is_being_written_is_active():
    """Weights come and are written before anything runs, which takes longer than a site may rest."""
    cold = chip(power(idle_after_ns=None), {"core.array.write_ns": 500.0})
    result = simulate(cold, model(), cold=True)
    rows = {row["controller"]: row for row in result["controllers"]}
    writing = rows["programming"]["held_fs"]
    assert writing > 1000 * NS
    rows_at: dict[int, int] = {}
    for each in Machine(make_plan(cold, model())).residents:
        rows_at[each.share.tile] = max(rows_at.get(each.share.tile, 0), each.share.rows)
    assert rows_at
    for site in rows["power"]["sites"]:
        assert site["active_fs"] >= rows_at.get(site["site"], 0) * 500 * NS  # one row after another
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs
