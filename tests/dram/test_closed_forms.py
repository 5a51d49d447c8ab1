"""Bandwidth and latency of a channel against formulas of its timings, for every standard."""

from __future__ import annotations

import numpy as np
import pytest

from pimsim.dram.channel import refresh_level, serve
from pimsim.dram.load import load_standard, names
from pimsim.dram.patterns import make_requests
from pimsim.dram.policy import Policy
from pimsim.dram.requests import Requests, banks_of

STANDARDS = names()
FROM_FIRST = {
    "lpddr5_6400"
}  # whose table counts from the first cycle of an activate, the others' from the last


def one_unit(name):
    """A standard with one of what is refreshed together, so that formulas hold for one."""
    standard = load_standard(name)
    level = refresh_level(standard)
    level = level if level in standard.levels else "rank"  # a channel that is refreshed as a whole
    outer = (
        list(standard.levels)[: list(standard.levels).index(level) + 1] if level in standard.levels else []
    )
    return load_standard(name, {f"levels.{each}": 1 for each in outer})


def requests(places, cycle=None):
    bank, row, column = np.array(places, dtype=np.int64).T
    times = None if cycle is None else np.array(cycle, dtype=np.int64)
    return Requests(np.zeros(len(bank), dtype=bool), bank, row, column, times)


def refresh_cost(standard, tail):
    """From the last command of a kind before a refresh to the next: it waits, all banks close, it refreshes."""
    cycles = standard.cycles
    return tail + cycles.get("nRPAB", cycles["nRP"]) + cycles["nRFC"]


@pytest.mark.parametrize("name", STANDARDS)
def test_a_stream_takes_its_bursts_and_the_refreshes(name):
    """N bursts, and in every interval what a refresh takes: RTP, RP, RFC, RCD, less the burst that would have come."""
    standard, count = one_unit(name), 30_000
    cycles = standard.cycles
    served = serve(standard, Policy(), make_requests(standard, "stream", count))
    rcd = cycles.get("nRCD", cycles.get("nRCDRD"))
    lost = refresh_cost(standard, cycles["nRTP"]) + rcd - cycles["nBL"]
    interval = standard.of(standard.refresh["all_bank"].interval)
    expected = count * cycles["nBL"] / (1 - lost / interval)
    assert served.cycles == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("name", STANDARDS)
def test_random_reads_of_one_column_each_take_a_quarter_of_the_window(name):
    """One activate each, four in tFAW, or one in tRRD where that is longer; banks enough never to wait for one."""
    standard, count = one_unit(name), 6_000
    cycles = standard.cycles
    rng = np.random.default_rng(3)
    banks = banks_of(standard)
    order = np.concatenate([rng.permutation(banks) for _ in range(-(-count // banks))])[:count]
    rows = rng.integers(0, standard.rows, count)
    asked = requests(np.stack([order, rows, 0 * rows], axis=1))
    served = serve(standard, Policy(read_queue=4 * banks, refresh="none", row_hit_cap=0), asked)
    activate, precharge = standard.find("activate", "open"), standard.find("precharge", "closed")
    bus = standard.commands[activate].cycles + standard.commands[precharge].cycles
    if standard.commands[activate].bus == standard.commands[standard.find("read", "open")].bus:
        bus += standard.commands[standard.find("read", "open")].cycles
    rrd = cycles.get("nRRD", cycles.get("nRRD_S"))
    pace = max(cycles["nFAW"] / 4, rrd, bus, cycles["nBL"])
    assert served.cycles == pytest.approx(count * pace, rel=0.01)


@pytest.mark.parametrize("name", STANDARDS)
def test_lone_reads_take_the_latency_of_a_hit_a_closed_bank_and_a_conflict(name):
    standard = load_standard(name)
    cycles = standard.cycles
    rcd = cycles.get("nRCD", cycles.get("nRCDRD"))
    hit = standard.of(standard.read_latency)
    # timings count from last cycle to last cycle: between a read and an activate that are sent for longer than one
    sent = {does: standard.commands[standard.find(does, state)].cycles for does, state in
            (("activate", "open"), ("read", "open"), ("precharge", "closed"))}  # fmt: skip
    if name in FROM_FIRST:
        sent = dict.fromkeys(sent, 1)
    closed = rcd + sent["activate"] - sent["read"] + hit
    conflict = cycles["nRP"] + sent["precharge"] - sent["activate"] + closed
    served = serve(
        standard, Policy(refresh="none"), requests([(0, 5, 1), (0, 5, 2), (0, 6, 1)], [0, 2000, 4000])
    )
    assert served.latency.tolist() == [closed, hit, conflict]
    assert served.outcomes() == {"hit": 1, "miss": 1, "conflict": 1, "forwarded": 0, "merged": 0}
    slow = serve(
        standard, Policy(refresh="none", controller_cycles=7), requests([(0, 5, 1), (0, 5, 2)], [0, 2000])
    )
    assert slow.latency.tolist() == [closed + 7, hit + 7]


@pytest.mark.parametrize("name", STANDARDS)
def test_hits_one_after_another_take_their_latency_each(name):
    standard, count = load_standard(name), 200
    places = [(0, 1, column % standard.columns) for column in range(count)]
    served = serve(standard, Policy(refresh="none"), requests(places), outstanding=1)
    hit = standard.of(standard.read_latency)
    assert served.latency[1:].tolist() == [hit] * (count - 1)


def test_two_rows_of_a_bank_in_turn_take_a_row_cycle_each():
    """One request after another: tRC from activate to activate where it is longer than precharge, activate and read."""
    standard, count = load_standard("ddr4_2400"), 500
    places = [(0, each % 2, 0) for each in range(count)]
    served = serve(standard, Policy(refresh="none"), requests(places), outstanding=1)
    cycles = standard.cycles
    lone = cycles["nRP"] + cycles["nRCD"] + standard.of(standard.read_latency)
    assert served.cycles == pytest.approx(count * max(cycles["nRC"], lone), rel=0.01)
