"""``pimsim memory``: what it prints, where, what it draws and writes, and how it refuses."""

from __future__ import annotations

import csv
import json

import pytest

import pimsim
from pimsim.dram.load import load_standard, names

from ..dram.checked import no_constraint_is_broken  # noqa: F401
from .runner import call, spawn

PNG = b"\x89PNG\r\n\x1a\n"
KEYS = {  # of pimsim-memory-result/1
    *("schema", "standard", "overrides", "policy", "mapping", "outstanding", "not_modelled"),
    *("pattern", "write_share", "seed", "requests", "reads", "writes", "cycles", "time_ns"),
    *("bandwidth_gb_per_s", "peak_gb_per_s", "peak_share", "row_hit_rate", "outcomes"),
    *("latency_ns", "write_latency_ns", "commands", "bus_cycles", "energy_pj"),
}


@pytest.fixture
def memory(capsys, monkeypatch):
    """Call the command in this process."""
    return lambda *arguments: call(capsys, monkeypatch, "memory", *arguments)


@pytest.fixture
def figures(memory):
    """Call the command for JSON that succeeds without a word on stderr."""

    def call_for_json(*arguments):
        done = memory(*arguments, "--json")
        assert (done.code, done.err) == (0, "")
        return json.loads(done.out)

    return call_for_json


@pytest.mark.parametrize("name", names())
def test_json_has_every_figure_and_is_what_python_returns(figures, name):
    data = figures(name, "--pattern", "random", "--requests", "300", "--writes", "0.3")
    assert set(data) == KEYS
    assert data["schema"] == "pimsim-memory-result/1"
    assert data["cycles"] * load_standard(name).period_ns == pytest.approx(data["time_ns"])
    assert list(data["latency_ns"]) == ["mean", "min", "p50", "p95", "p99", "max"]
    ranks = [data["latency_ns"][rank] for rank in ("min", "p50", "p95", "p99", "max")]
    assert ranks == sorted(ranks)
    assert data == pimsim.memory(name, pattern="random", requests=300, write_share=0.3).to_dict()


def test_the_report_fits_80_columns_and_has_the_policy_and_the_jsons_figures(memory, figures):
    arguments = (
        "ddr4_2400",
        "--pattern",
        "random",
        "--requests",
        "500",
        "--writes",
        "0.2",
        "--set",
        "timings.nRCD=18",
    )
    done = memory(*arguments)
    data = figures(*arguments)
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= 80
    words = " ".join(done.out.split())
    assert "ddr4_2400: a channel of 1 rank x 4 bankgroup x 4 bank" in words
    assert "changed: timings.nRCD=18" in words
    assert "FR-FCFS, at most 16 row hits before an older request, open page" in words
    assert "32 reads and 32 writes wait at most, writes served from 32 down to 6" in words
    assert "address: row rank bank column bankgroup" in words
    assert f"time {data['cycles']:,} cycles" in words
    assert f"ACT {data['commands']['ACT']:,}" in words
    assert f"They sum to {data['cycles']:,} cycles, exactly all." in words
    assert f"total {data['energy_pj']['total']:,.0f}" in words
    assert "not modelled: drivers and terminations of the data bus" in words


def test_loads_are_printed_and_drawn(memory, figures, tmp_path):
    pytest.importorskip("matplotlib")
    plot = tmp_path / "loaded.png"
    arguments = ("hbm2", "--pattern", "random", "--requests", "600", "--load", "0.1,1")
    done = memory(*arguments, "--plot", str(plot))
    assert (done.code, done.err) == (0, "")
    assert plot.read_bytes().startswith(PNG)
    assert max(map(len, done.out.splitlines())) <= 80
    rows = figures(*arguments)["rows"]
    assert [row["load"] for row in rows] == [0.1, 1.0]
    assert rows[0]["status"] == "stable"
    assert rows[1]["status"] == "saturated"
    shown = [line for line in done.out.splitlines() if line.endswith(("stable", "saturated"))]
    assert f"{rows[0]['latency_ns']['mean']:,.1f}" in shown[0]
    assert shown[1].split().count("-") == 4


def test_a_trace_is_served_and_its_commands_written(figures, tmp_path):
    trace, log = tmp_path / "list.csv", tmp_path / "commands.csv"
    trace.write_text("op,bank,row,col\nR,0,1,0\nR,0,1,1\nW,0,2,0\n")
    data = figures("ddr4_2400", "--trace", str(trace), "--outstanding", "1", "--commands", str(log))
    assert data["trace"] == str(trace)
    assert (data["reads"], data["writes"], data["outstanding"]) == (2, 1, 1)
    assert data["outcomes"] == {"hit": 1, "miss": 1, "conflict": 1, "forwarded": 0, "merged": 0}
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["command"] for row in rows] == ["ACT", "RD", "RD", "PRE", "ACT", "WR"]
    assert rows[0] == {"cycle": "0", "command": "ACT", "rank": "0", "bankgroup": "0", "bank": "0"}
    assert int(rows[1]["cycle"]) == 17  # tRCD


def test_an_empty_trace_takes_no_time(memory, figures, tmp_path):
    trace = tmp_path / "list.csv"
    trace.write_text("op,address\n")
    data = figures("hbm2", "--trace", str(trace))
    assert (data["requests"], data["cycles"], data["bandwidth_gb_per_s"], data["latency_ns"]) == (
        0,
        0,
        None,
        None,
    )
    assert memory("hbm2", "--trace", str(trace)).code == 0


def test_every_policy_is_printed(memory):
    done = memory(
        "hbm2", "--requests", "5", "--policy", "page=timed,page_timeout=9,row_hit_cap=0,refresh=per_bank"
    )
    words = " ".join(done.out.split())
    assert "no cap, timed page after 9 cycles" in words
    assert "refresh: per_bank" in words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hbm3x"], "error: no preset and no file is called 'hbm3x'"),
        (["hbm2", "--policy", "read_queue=0"], "error: policy: read_queue: found 0"),
        (
            ["ddr4_2400", "--policy", "refresh=per_bank"],
            "ddr4_2400 has no refresh 'per_bank'; it has all_bank, none",
        ),
        (["hbm2", "--set", "timings.nRC=40"], "expected at least nRAS + nRP = 48 cycles"),
        (["hbm2", "--pattern", "zigzag"], "error: --pattern: found 'zigzag'"),
        (["hbm2", "--requests", "-1"], "error: --requests: found -1, expected a whole number from 0"),
        (["hbm2", "--outstanding", "-1"], "error: --outstanding: found -1"),
        (["hbm2", "--seed", "-1"], "error: --seed: found -1"),
        (["hbm2", "--writes", "1.5"], "error: --writes: found 1.5, expected a share from 0 to 1"),
        (["hbm2", "--load", "0.1,x"], "error: --load: found 'x'"),
        (["hbm2", "--load", "3"], "error: --load: found 3, expected 0.0001 to 2 of the peak bandwidth"),
        (["hbm2", "--load", "0.1", "--requests", "0"], "error: --requests: found 0 requests"),
        (["hbm2", "--trace", "none.csv"], "error: none.csv: cannot be read"),
        (["hbm2", "--trace", "none.csv", "--load", "0.1"], "error: --trace: found a trace and loads"),
        (["hbm2", "--plot", "a.png"], "error: --plot: found no load"),
        (["hbm2", "--plot", "a.xyz", "--load", "0.1"], "error: a.xyz: found '.xyz', expected one of"),
        (
            ["hbm2", "--commands", "a.csv", "--load", "0.1"],
            "error: --commands: found loads, expected one run",
        ),
        (["hbm2", "--commands", "no/such/a.csv"], "error: no/such/a.csv"),
        (["hbm2", "--pattern", "stride:0"], "error: --pattern: found '0', expected stride:N"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_gets_one_message_and_code_2(memory, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = memory(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_help_names_every_standard(memory):
    words = memory("--help").out.replace(",", " ").split()
    assert set(names()) <= set(words)


def test_it_works_in_a_process_of_its_own():
    done = spawn("memory", "hbm2", "--requests", "10", "--json")
    assert done.code == 0
    assert json.loads(done.out)["requests"] == 10
