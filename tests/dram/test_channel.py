"""What holds of a channel whatever it is asked: conservation, bounds, and that every knob does something."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pimsim
from pimsim.dram.channel import serve
from pimsim.dram.figures import NOT_MODELLED, energy, figures
from pimsim.dram.load import load_standard, names
from pimsim.dram.memory import memory
from pimsim.dram.patterns import PATTERNS, make_requests
from pimsim.dram.policy import Policy
from pimsim.dram.requests import Requests
from pimsim.errors import ConfigError, SimulationError

STANDARDS = names()


@given(
    name=st.sampled_from(STANDARDS),
    pattern=st.sampled_from(["stream", "random", "stride:7", "pingpong", "copy"]),
    count=st.integers(0, 300),
    writes=st.sampled_from([0.0, 0.3, 1.0]),
    page=st.sampled_from(["open", "closed", "timed"]),
    outstanding=st.sampled_from([0, 1, 5]),
    load=st.sampled_from([None, 0.2, 0.8]),
)
@settings(max_examples=60, deadline=None)
def test_everything_is_served_once_and_the_figures_close(
    name, pattern, count, writes, page, outstanding, load
):
    standard = load_standard(name)
    asked = make_requests(standard, pattern, count, writes, load)
    served = serve(standard, Policy(page=page), asked, outstanding, record=True)
    found = figures(served)
    assert sum(found["bus_cycles"].values()) == standard.buses * served.cycles
    assert min(found["bus_cycles"].values()) >= 0
    data = sum(
        served.counts[each] for each in standard.commands if standard.commands[each].does in ("read", "write")
    )
    assert found["bus_cycles"]["data"] == data * standard.cycles["nBL"]
    commands, outcomes = found["commands"], found["outcomes"]
    columns = sum(
        commands[name] for name in standard.commands if standard.commands[name].does in ("read", "write")
    )
    assert sum(outcomes.values()) == count
    assert columns == count - outcomes["forwarded"] - outcomes["merged"]
    activates, precharges = (
        commands[standard.find(*each)] for each in (("activate", "open"), ("precharge", "closed"))
    )
    by_themselves = sum(commands[standard.find(each, "closed")] for each in ("read", "write"))
    assert outcomes["miss"] + outcomes["conflict"] <= activates + precharges  # one of them was sent for each
    assert precharges + by_themselves <= activates  # what closes had been opened
    assert (served.latency >= 1).all()
    assert found["cycles"] == served.done.max(initial=0)
    assert 0 <= served.active_cycles <= served.units * served.cycles
    if count:
        assert found["bandwidth_gb_per_s"] <= found["peak_gb_per_s"]
        assert (np.sort(served.accepted) == served.accepted).all()
        assert len(set(served.accepted.tolist())) == count  # one a cycle
    if isinstance(found["energy_pj"], dict):
        parts, by_command = found["energy_pj"]["by_part"], found["energy_pj"]["by_command"]
        standby = parts.get("standby_active", 0) + parts.get("standby_precharged", 0)
        assert sum(parts.values()) == pytest.approx(found["energy_pj"]["total"], rel=1e-12)
        assert sum(by_command.values()) + standby == pytest.approx(found["energy_pj"]["total"], rel=1e-12)


@pytest.mark.parametrize("outstanding", [1, 3])
def test_no_more_are_under_way_than_may_be(outstanding):
    standard = load_standard("ddr4_2400")
    served = serve(standard, Policy(), make_requests(standard, "random", 300, 0.4), outstanding)
    for time in served.accepted:
        assert ((served.accepted <= time) & (served.done > time)).sum() <= outstanding


def test_the_longest_queue_is_full_and_never_longer():
    standard = load_standard("ddr4_2400")
    policy = Policy(read_queue=5)
    served = serve(standard, policy, make_requests(standard, "random", 300))
    waits = [((served.accepted <= time) & (served.issued > time)).sum() for time in served.accepted]
    assert max(waits) == 5


@pytest.mark.parametrize(
    "change",
    [
        {"read_queue": 4},
        {"write_queue": 8, "write_high": 8, "write_low": 2},
        {"write_high": 10},
        {"write_low": 20},
        {"row_hit_cap": 1},
        {"page": "closed"},
        {"page": "timed"},
        {"refresh": "none"},
        {"refresh": "per_bank"},
        {"controller_cycles": 3},
    ],
    ids=str,
)
def test_every_key_of_the_policy_changes_something(change):
    def run(policy):
        runs = [
            serve(standard, policy, make_requests(standard, each, 3000, load=0.5))
            for each in ("copy", "pingpong")
        ]
        return [(served.cycles, served.counts, served.latency.sum()) for served in runs]

    standard = load_standard("hbm2")
    assert run(Policy()) != run(Policy(**change))


def test_the_time_of_timed_pages_counts():
    standard = load_standard("ddr4_2400")
    asked = make_requests(standard, "random", 2000, load=0.1)
    short, long = (serve(standard, Policy(page="timed", page_timeout=t), asked) for t in (1, 5000))
    assert short.outcomes()["conflict"] < long.outcomes()["conflict"]
    assert short.active_cycles < long.active_cycles


def test_a_closed_page_never_conflicts_where_each_request_has_a_row():
    standard = load_standard("ddr4_2400")
    served = serve(standard, Policy(page="closed"), make_requests(standard, "random", 2000))
    assert served.outcomes()["conflict"] <= 2  # of 2000 that may name a row twice
    assert served.counts["RDA"] >= 1990


def test_a_read_of_a_waiting_write_is_forwarded_and_a_second_write_merged():
    standard = load_standard("ddr4_2400")
    write = np.array([False, True, True, False, False])
    places = np.array([[0, 0, 0], [3, 1, 1], [3, 1, 1], [3, 1, 1], [3, 1, 2]]).T
    served = serve(standard, Policy(), Requests(write, *places))
    assert served.outcomes() == {"hit": 1, "miss": 2, "conflict": 0, "forwarded": 1, "merged": 1}
    assert served.latency[[2, 3]].tolist() == [1, 1]


def test_a_write_waits_for_the_read_of_what_it_replaces():
    standard = load_standard("ddr4_2400")
    write = np.array([False, True])
    places = np.array([[0, 0, 0], [0, 0, 0]]).T
    served = serve(standard, Policy(write_queue=1, write_high=1, write_low=0), Requests(write, *places))
    assert served.accepted[1] == served.issued[0] + 1


def test_a_refresh_in_every_interval():
    """A long run of few requests: as many refreshes of each unit as intervals have passed."""
    for name in STANDARDS:
        standard = load_standard(name)
        for way in standard.refresh:
            interval = standard.of(standard.refresh[way].interval)
            cycle = np.array([0, 50 * interval], dtype=np.int64)
            zero = np.zeros(2, dtype=np.int64)
            asked = Requests(np.zeros(2, dtype=bool), zero, zero, zero, cycle)
            served = serve(standard, Policy(refresh=way), asked)
            assert served.counts[standard.refresh[way].command] == pytest.approx(
                50 * served.units, abs=served.units
            )


@pytest.mark.parametrize("name", STANDARDS)
def test_refresh_that_leaves_no_time_for_a_row_ends_the_run_with_a_message(name):
    """A refresh a few cycles after the last one: banks are closed again before a column can be sent."""
    standard = load_standard(name)
    interval = {"refresh.all_bank.interval": "nRFC + 3"}
    with pytest.raises(SimulationError, match="no request is served any more"):
        serve(load_standard(name, interval), Policy(), make_requests(standard, "random", 1000))


def test_energy_goes_with_the_clock_where_it_must():
    """A slower clock with the same cycles: all of it is current times time, so each action costs as much more."""
    asked = {"pattern": "stream", "requests": 500}
    fast = pimsim.memory("ddr4_2400", **asked).figures
    slow = pimsim.memory("ddr4_2400", overrides={"clock_mhz": 600.0, "timings.tRFC_ns": 700}, **asked).figures
    assert fast["commands"] == slow["commands"]
    for part in ("activate", "read", "standby_active"):
        assert slow["energy_pj"]["by_part"][part] == pytest.approx(2 * fast["energy_pj"]["by_part"][part])


def test_what_is_not_modelled_is_said():
    assert energy(memory("ddr4_2400", requests=10, overrides={"energy": None}).run) == NOT_MODELLED
    found = energy(memory("hbm2", requests=9000).run)
    assert {"refresh", "standby", "REF: no figure"} <= set(found["not_modelled"])
    assert "REF" not in found["by_command"]


def test_energies_by_part_count_activates_and_bits():
    """0.11 pJ a bit of the row for each activate, and 3.48 pJ for each bit that is moved: the file's own sums."""
    data = memory("hbm2", pattern="random", requests=500, write_share=0.4).figures
    parts, bits = data["energy_pj"]["by_part"], 500 * 256
    assert parts["activate"] == pytest.approx(data["commands"]["ACT"] * 0.11 * 8192)
    assert parts["cell"] + parts["column"] + parts["bank_group"] == pytest.approx(bits * (0.44 + 1.01 + 1.23))
    assert parts["tsv"] + parts["io"] == pytest.approx(bits * 0.8)


@pytest.mark.parametrize("name", STANDARDS)
@pytest.mark.parametrize("pattern", [name if name != "stride" else "stride:5" for name in PATTERNS])
def test_the_same_seed_gives_the_same_bytes(name, pattern):
    one, two = (memory(name, pattern=pattern, requests=300, write_share=0.2).to_json() for _ in range(2))
    assert one == two


def test_latency_grows_with_load_until_it_is_saturated():
    rows = memory("ddr4_2400", pattern="random", loads=[0.05, 0.3, 0.5, 1.0], requests=4000).rows
    assert [row["status"] for row in rows] == ["stable", "stable", "stable", "saturated"]
    means = [row["latency_ns"]["mean"] for row in rows[:3]]
    assert means == sorted(means)
    assert rows[0]["bandwidth_gb_per_s"] == pytest.approx(0.05 * 19.2, rel=0.05)
    assert rows[-1]["latency_ns"] is None


def test_a_frame_has_a_row_for_each_load():
    frame = memory("hbm2", loads=[0.1, 0.2], requests=200).to_pandas()
    assert frame["load"].tolist() == [0.1, 0.2]
    assert len(memory("hbm2", requests=20).to_pandas()) == 1


def test_loads_have_no_figures_of_their_own():
    with pytest.raises(ValueError, match="rows"):
        _ = memory("hbm2", loads=[0.1], requests=20).figures


def test_a_standard_that_was_loaded_takes_no_overrides():
    with pytest.raises(ConfigError, match="overrides"):
        memory(load_standard("hbm2"), overrides=["timings.nRP=15"])
