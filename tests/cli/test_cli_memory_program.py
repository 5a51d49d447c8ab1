"""``pimsim memory … --program``: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import json

import pytest

import pimsim

from ..dram.checked import no_constraint_is_broken  # noqa: F401
from .runner import call

GEMV = ("hbm2-pim", "--program", "gemv", "--rows", "4096", "--columns", "4096")
KEYS = {  # of pimsim-memory-program/1
    *(
        "schema",
        "standard",
        "order",
        "overrides",
        "program",
        "rows",
        "columns",
        "batch",
        "channels",
        "read_back",
    ),
    *("not_modelled", "cycles", "time_ns", "operations", "gops", "peak_gops", "peak_share", "first_compute"),
    *("last_compute", "gaps", "commands", "plain_cycles", "speedup", "energy_pj"),
}


@pytest.fixture
def memory(capsys, monkeypatch):
    """Call the command in this process."""
    return lambda *arguments: call(capsys, monkeypatch, "memory", *arguments)


def test_json_has_every_figure_and_is_what_python_returns(memory):
    done = memory(*GEMV, "--order", "samsung", "--json")
    assert (done.code, done.err) == (0, "")
    data = json.loads(done.out)
    assert set(data) == KEYS
    assert data["cycles"] == 13_166  # Samsung's simulator
    assert (
        data == pimsim.memory_program("hbm2_pim", "gemv", rows=4096, columns=4096, order="samsung").to_dict()
    )


def test_the_report_fits_80_columns_and_says_what_is_left_out(memory):
    done = memory(*GEMV, "--set", "timings.nRTP=6", "--read-back")
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= 80
    words = " ".join(done.out.split())
    assert "hbm2_pim: gemv, rows 4,096, columns 4,096, batch 1" in words
    assert "order of commands: standard; results are read in the end" in words
    assert "changed: timings.nRTP=6" in words
    assert "RDAB 2,048" in words
    assert "not modelled: energy of what units compute with" in words


def test_attention_says_where_its_units_are(memory):
    arguments = (
        "hbm3-attacc",
        "--program",
        "attention",
        "--heads",
        "16",
        "--tokens",
        "256",
        "--at",
        "bank_group",
    )
    done = memory(*arguments)
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= 80
    words = " ".join(done.out.split())
    assert "attention, heads 16, tokens 256, head size 128, units at the bank group" in words
    assert "16 channels in lock step" in words
    data = json.loads(memory(*arguments, "--json").out)
    assert (data["at"], data["channels"], data["head_size"]) == ("bank_group", 16, 128)


def test_every_command_is_written(memory, tmp_path):
    path = tmp_path / "commands.csv"
    assert memory(*GEMV, "--commands", str(path)).code == 0
    rows = list(csv.DictReader(path.open()))
    assert sum(row["command"] == "RDAB" for row in rows) == 2048
    assert set(rows[0]) == {"cycle", "command", "rank", "bankgroup", "bank"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hbm2", "--rows", "3"), "--rows: found no program; give --program"),
        ((*GEMV, "--trace", "x.csv"), "--trace: found a program, which makes its own requests; leave it out"),
        ((*GEMV, "--load", "0.5"), "--load: found a program"),
        (("hbm2", "--program", "add", "--elements", "9"), "hbm2 has no units that compute so; hbm2_pim has"),
        (("hbm2-pim", "--program", "gem", "--rows", "9"), "did you mean 'gemv'?"),
        ((*GEMV, "--order", "x"), "found the order 'x', expected one of: standard, samsung"),
        (("ddr4_2400", "--order", "samsung"), "found the order 'samsung', expected one of: standard"),
        ((*GEMV, "--commands", "/nowhere/at/all.csv"), "/nowhere/at"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(memory, arguments, message):
    done = memory(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert message in done.err
    assert len(done.err.splitlines()) == 1
