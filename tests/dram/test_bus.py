"""Where the data bus's time goes, on channels whose bottleneck is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pimsim.dram.bus import CAUSES, bus_cycles
from pimsim.dram.channel import serve
from pimsim.dram.figures import figures
from pimsim.dram.load import load_standard
from pimsim.dram.memory import memory
from pimsim.dram.patterns import make_requests
from pimsim.dram.policy import Policy
from pimsim.dram.requests import Requests

DDR4 = load_standard("ddr4_2400")
CYCLES = DDR4.cycles


def shares(requests, policy=None, outstanding=0, standard=DDR4):
    """The causes as shares of the time, and the run."""
    served = serve(standard, policy or Policy(refresh="none"), requests, outstanding, record=True)
    found = bus_cycles(served)
    assert list(found) == list(CAUSES)
    total = standard.buses * served.cycles
    assert sum(found.values()) == total
    return {name: value / total for name, value in found.items()}, served


def listed(places, write=False, cycle=None):
    bank, row, column = np.array(places, dtype=np.int64).T
    writes = np.broadcast_to(np.array(write), len(bank)).astype(bool)
    return Requests(writes, bank, row, column, None if cycle is None else np.array(cycle, dtype=np.int64))


def test_a_stream_without_refresh_is_all_data():
    found, _ = shares(make_requests(DDR4, "stream", 20_000))
    assert found["data"] > 0.999


def test_a_streams_refreshes_are_what_it_lacks():
    """RTP, RP, RFC, RCD less a burst in every interval."""
    found, _ = shares(make_requests(DDR4, "stream", 40_000), Policy())
    lost = CYCLES["nRTP"] + CYCLES["nRP"] + CYCLES["nRFC"] + CYCLES["nRCD"] - CYCLES["nBL"]
    assert found["refresh"] == pytest.approx(lost / CYCLES["nREFI"], rel=0.05)
    assert found["data"] + found["refresh"] > 0.999


def test_columns_of_one_bank_group_wait_for_it():
    """A burst in every tCCD_L."""
    found, _ = shares(make_requests(DDR4, "stride:4", 20_000))
    assert found["data"] == pytest.approx(CYCLES["nBL"] / CYCLES["nCCD_L"], rel=0.01)
    assert found["bank_group"] == pytest.approx(1 - CYCLES["nBL"] / CYCLES["nCCD_L"], rel=0.01)


def test_a_row_each_in_all_banks_in_turn_waits_for_activates():
    """A burst in every quarter of tFAW."""
    each = np.arange(8000)
    found, _ = shares(
        listed(np.stack([each % 16, each // 16, 0 * each], axis=1)), Policy(read_queue=64, refresh="none")
    )
    assert found["data"] == pytest.approx(CYCLES["nBL"] / (CYCLES["nFAW"] / 4), rel=0.01)
    assert found["activate_spacing"] > 0.95 * (1 - found["data"])


def test_one_request_after_another_has_nothing_to_do_while_data_comes():
    """Each takes RP, RCD, CL and a burst; while the data of one comes, nobody asks for the next."""
    each = np.arange(1, 400)
    found, served = shares(listed(np.stack([0 * each, each, 0 * each], axis=1)), outstanding=1)
    pace = served.cycles / len(each)
    assert found["no_request"] == pytest.approx(
        (CYCLES["nCL"] + CYCLES["nBL"] - CYCLES["nBL"]) / pace, rel=0.01
    )
    assert found["activate"] == pytest.approx(CYCLES["nRCD"] / pace, rel=0.01)
    assert found["precharge"] == pytest.approx(
        1 - found["no_request"] - found["activate"] - found["data"], abs=0.01
    )


def test_reads_and_writes_of_an_open_row_turn_the_bus():
    each = np.arange(4000)
    asked = listed(np.stack([0 * each, 0 * each, each % 128], axis=1), write=each % 2 == 1)
    found, _ = shares(asked, Policy(write_queue=2, write_high=2, write_low=0, refresh="none"))
    assert found["turnaround"] > 0.5
    assert found["precharge"] < 0.01


def test_an_idle_memory_waits_for_requests():
    found, _ = shares(make_requests(DDR4, "stream", 2000, load=0.01))
    assert found["no_request"] > 0.95


def test_a_bus_that_nobody_uses_has_nothing_to_do():
    standard = load_standard("hbm2")
    each = np.arange(200)
    served = serve(standard, Policy(), listed(np.stack([0 * each, 0 * each, each % 32], axis=1)), record=True)
    assert bus_cycles(served)["no_request"] >= served.cycles


def test_commands_of_many_requests_are_kept_only_if_asked_for(monkeypatch):
    kept = []

    def look(standard, policy, requests, outstanding, record, tell):
        kept.append(record)
        return serve(standard, policy, requests, outstanding, record, tell)

    monkeypatch.setattr("pimsim.dram.memory.serve", look)
    monkeypatch.setattr("pimsim.dram.memory.MOST_KEPT", 10)
    for count, record in ((10, False), (11, False), (11, True)):
        memory("ddr4_2400", requests=count, record=record)
    assert kept == [True, False, True]


def test_what_was_not_kept_is_not_known():
    served = memory("ddr4_2400", requests=10).run
    assert figures(served)["bus_cycles"] is not None
    assert figures(replace(served, log=served.log[:0]))["bus_cycles"] is None
