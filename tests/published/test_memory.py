"""Does a DRAM channel agree with DRAMsim3 and Ramulator 2.1, with the timings of each? See ``memory/README.md``.

``docs/memory.md`` compares every row, and says why policy-bound ones differ.
"""

from __future__ import annotations

from functools import cache

import pytest

from pimsim.dram.channel import serve
from pimsim.dram.energy import AJ_PER_PJ
from pimsim.dram.figures import figures
from pimsim.dram.load import load_standard
from pimsim.dram.policy import Policy

from ..dram.checked import no_constraint_is_broken  # noqa: F401
from .memory.traces import requests, rows, standard

THROUGH = {"DRAMsim3": 2, "Ramulator 2.1": 1}  # least latency of a hit, less CL and the burst
BANDWIDTH_BOUND = ("seq", "rand")
ROWS = {(row["standard"], row["trace"], row["loop"]): row for row in rows()}


@cache
def run(name, trace, serial, **policy):
    memory = standard(name)
    return serve(memory, Policy(**policy), requests(trace, memory), int(serial))


def names(loop, traces):
    return [key for key in ROWS if key[2] == loop and key[1] in traces]


@pytest.mark.parametrize("key", names("open", BANDWIDTH_BOUND), ids="-".join)
def test_bandwidth_bound_traces_take_as_long_within_two_percent(key):
    name, trace, _ = key
    served = run(name, trace, False)
    assert served.cycles == pytest.approx(int(ROWS[key]["cycles"]), rel=0.02)
    if ROWS[key]["row_hit_rate"]:
        rate = figures(served)["row_hit_rate"]
        assert rate == pytest.approx(float(ROWS[key]["row_hit_rate"]), abs=0.002)


def test_both_simulators_agree_on_bandwidth_bound_traces_with_the_same_timings():
    """So one run is within two percent of both."""
    for trace in BANDWIDTH_BOUND:
        served = run("hbm2_dramsim3", trace, False)
        for name in ("hbm2_dramsim3", "hbm2_ramulator_match"):
            assert served.cycles == pytest.approx(int(ROWS[name, trace, "open"]["cycles"]), rel=0.02)


@pytest.mark.parametrize("key", names("serial", ("seq", "rand", "pingpong")), ids="-".join)
def test_one_request_after_another_takes_as_long_with_the_same_way_through_the_controller(key):
    name, trace, _ = key
    served = run(name, trace, True, controller_cycles=THROUGH[ROWS[key]["simulator"]])
    assert served.cycles == pytest.approx(int(ROWS[key]["cycles"]), rel=0.005)
    if ROWS[key]["read_latency_cycles"]:
        latency = served.latency[~served.requests.write]
        assert latency.mean() == pytest.approx(float(ROWS[key]["read_latency_cycles"]), rel=0.005)


@pytest.mark.parametrize("trace", ["pingpong", "mixed"])
def test_policy_bound_traces_are_within_the_spread_of_both(trace):
    spread = [int(ROWS[name, trace, "open"]["cycles"]) for name in ("hbm2_dramsim3", "hbm2_ramulator_match")]
    for name in ("hbm2_dramsim3", "hbm2_ramulator_match"):
        assert min(spread) <= run(name, trace, False).cycles <= max(spread)


@pytest.mark.parametrize("name", ["hbm2_ramulator", "hbm2_ramulator_match"])
def test_without_a_cap_two_rows_in_turn_take_as_long_as_ramulators_scheduler_without_one(name):
    served = run(name, "pingpong", False, row_hit_cap=0)
    row = ROWS[name, "pingpong", "open"]
    assert served.cycles == pytest.approx(int(row["cycles"]), rel=0.01)


@pytest.mark.parametrize("name", ["hbm2_dramsim3", "ddr4_dramsim3"])
def test_random_reads_and_writes_take_as_long_within_five_percent(name):
    """DRAMsim3 sees four times as many requests, and mixes reads with writes."""
    served = run(name, "rand_writes", False)
    assert served.cycles == pytest.approx(int(ROWS[name, "rand_writes", "open"]["cycles"]), rel=0.05)


@pytest.mark.parametrize("name", ["hbm2_ramulator", "hbm2_ramulator_match"])
def test_with_ramulators_marks_reads_and_writes_in_turn_take_as_long_within_three_percent(name):
    """Ramulator takes a request out of its queue with its activate, which leaves room for one more in each bank."""
    served = run(name, "mixed", False, write_high=26, write_low=6)
    assert served.cycles == pytest.approx(int(ROWS[name, "mixed", "open"]["cycles"]), rel=0.03)


@pytest.mark.parametrize("name", ["hbm2_dramsim3", "ddr4_dramsim3"])
def test_with_places_and_drains_like_dramsim3s_reads_and_writes_in_turn_take_as_long_within_five_percent(
    name,
):
    """It has 32 places and eight in front of each bank, and drains all of its writes; the last need not be done."""
    served = run(name, "mixed", False, read_queue=40, write_queue=40, write_high=40, write_low=0)
    assert served.cycles == pytest.approx(int(ROWS[name, "mixed", "open"]["cycles"]), rel=0.05)


@pytest.mark.parametrize(
    ("name", "expected", "period"),
    [
        (
            "hbm2_dramsim3",
            {"activate": 828, "read": 804, "write": 1068, "refresh": 60840, "active": 66, "precharged": 48},
            1.0,
        ),
        (
            "ddr4_2400",
            {
                **{"activate": 4156.8, "read": 3532.8, "write": 3072, "refresh": 834_624},
                **{"active": 412.8, "precharged": 326.4},
            },
            1 / 1.2,
        ),
    ],
)
def test_energies_of_an_event_are_those_of_dramsim3_times_a_cycle(name, expected, period):
    """DRAMsim3 prints V * mA * cycles; a picojoule is V * mA * ns."""
    memory = load_standard(name) if name == "ddr4_2400" else standard(name)
    of_memory = memory.energy.costs(memory.cycles, memory.period_ns, 8 * memory.data.burst_bytes)
    found = {
        **{part: costs[part] for part, costs in of_memory.items()},
        **{key.removeprefix("standby_"): value for key, value in memory.energy.standby(period).items()},
    }
    for key, value in expected.items():
        assert found[key] / AJ_PER_PJ == pytest.approx(value * period, rel=1e-6), key


def test_a_streams_energy_is_dramsim3s():
    """8.04 uJ of reads, 0.304 of refresh, 1.332 + 0.066 of standby in `dramsim3.csv`, at 1 ns a cycle."""
    found = figures(run("hbm2_dramsim3", "seq", False))["energy_pj"]["by_part"]
    assert found["read"] == pytest.approx(8.04e6)
    assert found["refresh"] == pytest.approx(0.304e6, rel=0.002)
    assert found["standby_active"] + found["standby_precharged"] == pytest.approx(1.398e6, rel=0.02)
