"""Programs of GDDR6-AiM: commands and gaps against formulas of sizes and timings, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.dram.aim import activation, gemv
from pimsim.dram.compute import memory_program
from pimsim.dram.load import load_standard
from pimsim.dram.program import execute
from pimsim.errors import ConfigError

from ..oracle.dram import broken
from ..oracle.dram_program import Channel

BANKS, LANES = 16, 16


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 200),
    columns=st.integers(1, 3000),
    channels=st.sampled_from([1, 2, 32]),
    batch=st.integers(1, 3),
    apply=st.booleans(),
)
def test_each_output_meets_each_input_once(rows, columns, channels, batch, apply):
    """Of a tile of 16 outputs a column of 16 inputs after another; a buffer of inputs is written once a vector."""
    standard = load_standard("gddr6_aim")
    program = gemv(standard, rows, columns, channels, batch, apply=apply)
    found = execute(standard, program)
    tiles, each = -(-rows // (BANKS * channels)), -(-columns // LANES)
    pieces = -(-each // 64)
    assert found.counts["MAC16"] == tiles * each * batch
    assert found.counts["WRGB"] == each * batch
    assert found.counts["WRMAC16"] == tiles * pieces * batch
    assert found.counts["RDAF16"] == found.counts["AF16"] == (tiles * batch if apply else 0)
    assert found.counts["RDMAC16"] == tiles * pieces * batch - found.counts["RDAF16"]
    assert program.operations == 2 * rows * columns * batch
    assert found.cycles >= found.counts["MAC16"] * standard.cycles["nCCD_L"]


def test_gaps_between_multiplications_are_sums_of_timings():
    """The next column; the next row of all banks; in between, inputs into the buffer, with the row open meanwhile."""
    standard = load_standard("gddr6_aim", {"refresh.all_bank.interval": "nREFI + 1000000"})
    n = standard.cycles
    found = execute(standard, gemv(standard, 4096, 4096, 32))
    row = n["nRTP"] + n["nRP"] + n["nRCDMAC"]
    assert {gap: count for gap, count in found.gaps.items() if gap <= row} == {n["nCCD_L"]: 2016, row: 28}
    assert sum(found.gaps.values()) == 2047
    alone = execute(standard, gemv(standard, 16, 16, 1))
    start = n["nRCDMAC"] + n["nCCD_L"]  # a row is opened for a lone multiplication, and its sums are read
    assert alone.cycles >= start + n["nCLREG"] + n["nBL"]


def test_a_lone_activation_opens_its_table():
    """The start of the sums has the command bus first, then the table's row is opened; AF16, and its results."""
    standard = load_standard("gddr6_aim")
    n = standard.cycles
    found = execute(standard, activation(standard, 16, 1))
    assert found.counts["AF16"] == found.counts["ACT16"] == 1
    table = found.times[1]
    assert table == 1 + n["nRCDAF"]
    assert found.cycles == table + n["nCCD_L"] + n["nCLREG"] + n["nBL"]


def test_a_die_of_two_channels_multiplies_at_one_tflops():
    """Published: 1 TFLOPS a die, 16 units of 16 multiplications each nanosecond (Lee et al., ISSCC 2022)."""
    found = memory_program("gddr6_aim", "gemv", rows=64, columns=64, channels=2).to_dict()
    assert found["peak_gops"] == pytest.approx(1024)
    assert found["energy_pj"] == "not modelled"


def test_by_default_a_matrix_is_multiplied_faster_than_it_is_read():
    found = memory_program("gddr6_aim", "gemv", rows=4096, columns=4096).to_dict()
    assert found["channels"] == 32
    assert 1 < found["speedup"] < 16  # 16 banks at once, a column each 2 cycles, as the data bus has one


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.integers(1, 40), columns=st.integers(1, 400), apply=st.booleans())
def test_it_is_sent_as_the_plain_channel_sends_it(rows, columns, apply):
    standard = load_standard("gddr6_aim", {"refresh.all_bank.interval": "300", "timings.nRFC": 60})
    program = gemv(standard, rows, columns, 1, apply=apply)
    found = execute(standard, program, record=True)
    plain = Channel(standard, program.together)
    steps = [(does, bool(mode), bank, row, fence) for does, mode, bank, row, fence in program.steps.tolist()]
    assert found.times.tolist() == plain.run(steps)
    names = list(standard.commands)
    assert [(time, names[number], bank) for time, number, bank in found.log.tolist()] == plain.log
    assert broken(standard, found.log) == []


@pytest.mark.parametrize(
    "override",
    [
        "pim.buffer_columns=32",
        "timings.nRCDMAC=60",
        "timings.nCLREG=9",
        "timings.nCWLREG=9",
        "timings.nWTR_L=200",
    ],
)
def test_keys_of_the_units_change_the_time(override):
    usual = memory_program("gddr6_aim", "gemv", rows=600, columns=2000).run.cycles
    changed = memory_program("gddr6_aim", "gemv", rows=600, columns=2000, overrides=[override])
    assert changed.run.cycles != usual


@pytest.mark.parametrize(
    ("program", "keywords", "message"),
    [
        ("add", {"elements": 4}, "gddr6_aim has no units that compute so; hbm2_pim has"),
        ("gemv", {"rows": 0, "columns": 1}, "--rows: found 0, expected a whole number from 1"),
        ("gemv", {"rows": 2**20, "columns": 2**20, "channels": 1}, "rows, and has 16,383 for data"),
        (
            "gemv",
            {"rows": 1, "columns": 1, "read_back": True},
            "--read-back: found it, expected none for gemv",
        ),
        ("activation", {"elements": 1, "apply": True}, "--apply: found it, expected none for activation"),
        ("activation", {}, "--elements: found none, expected a whole number"),
        (
            "gemv",
            {"rows": 1, "columns": 1, "overrides": ["pim.table_row=20000"]},
            "pim.table_row: found 20000, expected a row below 16384",
        ),
        (
            "gemv",
            {"rows": 1, "columns": 1, "overrides": ["pim.moves.inputs=RD"]},
            "pim.moves.inputs: found 'RD', expected a command to a bank that does 'move'",
        ),
        (
            "gemv",
            {"rows": 1, "columns": 1, "overrides": ["pim.commands.multiply=ACT16"]},
            "expected a command to a bank that does 'read'",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(program, keywords, message):
    with pytest.raises(ConfigError) as caught:
        memory_program("gddr6_aim", program, **keywords)
    assert message in str(caught.value)


def test_other_memories_have_no_adder_trees():
    with pytest.raises(ConfigError, match="hbm2_pim has no adder trees at its banks; gddr6_aim has"):
        memory_program("hbm2_pim", "activation", elements=1)
    with pytest.raises(ConfigError, match="--apply: found it, expected none for gemv of hbm2_pim"):
        memory_program("hbm2_pim", "gemv", rows=1, columns=1, apply=True)
