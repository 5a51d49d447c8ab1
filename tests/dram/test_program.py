"""Command programs of HBM-PIM: columns and gaps against formulas of sizes and timings, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pimsim
from pimsim.dram.compute import PROGRAMS, memory_program
from pimsim.dram.hbm_pim import OPERANDS, elementwise, gemv
from pimsim.dram.load import load_standard
from pimsim.dram.program import Program, execute, stage
from pimsim.errors import ConfigError, SimulationError

ORDERS = ["standard", "samsung"]


def refusal(*arguments, **keywords):
    with pytest.raises(ConfigError) as caught:
        memory_program(*arguments, **keywords)
    return str(caught.value)


@pytest.mark.parametrize("order", ORDERS)
def test_gaps_between_macs_are_sums_of_timings(order):
    """A column; another row; inputs by the other bank's registers, or by the own bank's; a refresh."""
    standard = load_standard("hbm2_pim", order=order)
    n = standard.cycles
    close = n["nRTP"]
    to_write = n["nCL"] + n["nBL"] + n["nRTRS"] - n["nCWL"]
    to_read = n["nCWL"] + n["nBL"] + n["nWTR_L"]
    inputs = (standard.pim.registers - 1) * n["nCCD_L"]
    recovery = n["nCWL"] + n["nBL"] + n["nWR"]
    expected = {
        n["nCCD_L"]: 1980,
        close + n["nRP"] + n["nRCDRD"]: 32,
        to_write + inputs + to_read: 15,
        close + n["nRP"] + n["nRCDWR"] + inputs + recovery + n["nRP"] + n["nRCDRD"]: 15,
        close + n["nRPREF"] + n["nRFC"] + n["nRCDRD"]: 3,
    }
    gaps = execute(standard, gemv(standard, 4096, 4096)).gaps
    assert {gap: gaps.get(gap) for gap in list(expected)[1:]} == dict(list(expected.items())[1:])
    assert gaps[n["nCCD_L"]] == pytest.approx(
        1980, abs=2
    )  # a refresh falls between two, or beside another gap
    assert sum(gaps.values()) == 2 * 32 * 32 - 1


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 9000),
    columns=st.integers(1, 1500),
    channels=st.sampled_from([1, 16, 64]),
    batch=st.integers(1, 3),
    order=st.sampled_from(ORDERS),
    back=st.booleans(),
)
def test_a_gemv_has_a_mac_for_each_input_and_output_register_of_each_piece(
    rows, columns, channels, batch, order, back
):
    """Padded to whole tiles of outputs and pieces of inputs; each column once, later than those behind a fence."""
    standard = load_standard("hbm2_pim", order=order)
    pim = standard.pim
    program = gemv(standard, rows, columns, channels, batch, read_back=back)
    found = execute(standard, program)
    tiles, pieces = -(-rows // (channels * pim.units * 8)), -(-columns // (8 * pim.lanes))
    assert program.operations == 2 * rows * columns * batch
    assert found.counts["RDAB"] == int(program.computes.sum()) == 64 * tiles * pieces * batch
    assert found.counts["RD"] == 2 * 16 + (pim.units * 8 * tiles * batch if back else 0)
    assert found.counts["WRAB"] == 1 + 2 + batch * tiles * (2 + 8 + 8 * pieces)
    assert found.counts["ACTAB"] - found.counts["PREAB"] == 0
    assert (found.times >= 0).all()
    fences = np.cumsum(program.steps[:, 4]) - program.steps[:, 4]
    first = np.flatnonzero(np.diff(fences, prepend=-1))
    ends = np.maximum.reduceat(found.times, first)
    assert (np.minimum.reduceat(found.times, first)[1:] > ends[:-1]).all()
    assert found.cycles >= int(program.computes.sum()) * standard.cycles["nCCD_L"]


@pytest.mark.parametrize("name", OPERANDS)
@pytest.mark.parametrize("elements", [1, 131_072, 131_073, 1_000_000])
def test_an_elementwise_program_reads_each_operand_once_and_writes_the_result(name, elements):
    standard = load_standard("hbm2_pim")
    program = elementwise(standard, name, elements, 64)
    found = execute(standard, program)
    tiles = -(-elements // (64 * 16 * 8 * 16))
    assert int(program.computes.sum()) == 2 * 8 * tiles
    assert found.counts["RDAB"] == OPERANDS[name] * 2 * 8 * tiles
    results = 2 * 8 * (1 if name == "sum" else tiles)
    assert found.counts["WRAB"] == results + 1 + 2 + 2 + (name == "mad")


def test_a_batch_of_four_loses_to_the_data_bus_and_one_wins():
    one = memory_program("hbm2_pim", "gemv", rows=4096, columns=4096).to_dict()
    four = memory_program("hbm2_pim", "gemv", rows=4096, columns=4096, batch=4).to_dict()
    assert one["speedup"] > 2.5
    assert four["speedup"] < 1
    assert one["peak_gops"] == 2 * 8 * 16 * 64 / 4  # a MAC a lane every tCCD_L = 4 ns


def test_the_other_rank_is_refreshed_too_and_nothing_is_without_refresh():
    standard = load_standard("hbm2_pim")
    program = gemv(standard, 4096, 4096)
    assert execute(standard, program).counts["REF"] == 2 * 3
    without = execute(standard, program, refresh=False)
    assert without.counts["REF"] == 0
    assert without.cycles < execute(standard, program).cycles - 3 * standard.cycles["nRFC"]


def test_keys_of_the_units_change_the_time():
    cycles = memory_program("hbm2_pim", "gemv", rows=4096, columns=4096).run.cycles
    for override in ("pim.postponed=8", "pim.to_queue=7", "pim.from_bus=5", "pim.leave_row=16383"):
        changed = memory_program("hbm2_pim", "gemv", rows=4096, columns=4096, overrides=[override])
        assert changed.run.cycles != cycles, override


def test_with_twice_the_registers_inputs_are_written_half_as_often():
    """As many products; every input register then meets twice the outputs."""
    one = memory_program("hbm2_pim", "gemv", rows=8192, columns=4096).run.counts
    two = memory_program(
        "hbm2_pim", "gemv", rows=8192, columns=4096, overrides=["pim.registers=16"]
    ).run.counts
    assert one["RDAB"] == two["RDAB"] == 2 * 2048
    inputs = 4096 // 16
    assert one["WRAB"] - two["WRAB"] == inputs + 2  # and a tile's switches


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"rows": 0, "columns": 3}, "--rows: found 0, expected a whole number from 1"),
        ({"rows": 3}, "--columns: found none, expected a whole number for gemv"),
        ({"rows": 3, "columns": 3, "elements": 3}, "--elements: found 3, expected none for gemv"),
        ({"rows": 3, "columns": 3, "channels": 0}, "--channels: found 0"),
        (
            {"rows": 2**20, "columns": 2**20, "channels": 1},
            "rows, and has 6,143 for data; give more --channels",
        ),
        (
            {"rows": 3, "columns": 99_999, "channels": 1, "overrides": ["pim.enter_row=10"]},
            "and has 10 for data",
        ),
        (
            {"rows": 3, "columns": 3, "overrides": ["pim.instructions=5"]},
            "hold 5 instructions, and the program has 6",
        ),
        (
            {"rows": 3, "columns": 3, "order": "samson"},
            "found the order 'samson', expected one of: standard, samsung",
        ),
        ({"rows": 3, "columns": 3, "overrides": ["pim.lanes=8"]}, "pim.lanes: found '8 of 16 bits'"),
        (
            {"rows": 3, "columns": 3, "overrides": ["pim.units=4"]},
            "expected one for every two banks of a rank",
        ),
        ({"rows": 3, "columns": 3, "overrides": ["pim.park_row=20000"]}, "expected a row below 16384"),
        (
            {"rows": 3, "columns": 3, "overrides": ["pim.commands.read=WRAB"]},
            "expected a command to a bank that does",
        ),
        (
            {"rows": 3, "columns": 3, "overrides": ["pim.lane=8"]},
            "no key 'lane' in pim; did you mean 'lanes'?",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(keywords, message):
    assert message in refusal("hbm2_pim", "gemv", **keywords)


def test_other_programs_and_memories_are_refused():
    assert "found 'gemm', expected one of: gemv, add" in refusal("hbm2_pim", "gemm", rows=1, columns=1)
    assert "hbm2 has no units that compute so; hbm2_pim has" in refusal("hbm2", "gemv", rows=1, columns=1)
    assert "--batch: found 2, expected none for add" in refusal("hbm2_pim", "add", elements=4, batch=2)
    loaded = load_standard("hbm2_pim")
    assert "of a standard that is loaded here" in refusal(loaded, "add", elements=4, order="samsung")


def test_refresh_that_leaves_no_time_ends_with_a_message():
    standard = load_standard("hbm2_pim", {"refresh.all_bank.interval": "351"})
    with pytest.raises(SimulationError, match="does refresh leave time for a row to be opened"):
        execute(standard, gemv(standard, 1, 1))


def test_a_program_of_ones_own_is_run():
    """A row is opened, read and closed: RCD and one more, as an activate takes two cycles, CL and a burst."""
    standard = load_standard("hbm2_pim")
    steps = stage(False, 0, [3], 7, 1)
    found = execute(standard, Program("read", steps, np.zeros(1, dtype=bool), 1, 0, [None] * 4))
    n = standard.cycles
    assert found.cycles == n["nRCDRD"] + 1 + n["nCL"] + n["nBL"]
    assert found.gaps == {}


def test_every_program_has_a_result_that_python_and_the_public_name_give():
    assert ("gemv", *OPERANDS, "attention", "activation") == PROGRAMS
    found = pimsim.memory_program("hbm2_pim", "mad", elements=100).to_dict()
    assert found["operations"] == 200


def test_energy_is_that_of_the_commands_by_part():
    """O'Connor's energies by part: 0.11 pJ a bit of each row that is opened; of a burst 0.44 in the cells, 1.01 to the
    bank group, 1.23, 0.5 and 0.3 on its way out. In all-bank mode eight banks do so, up to their units.
    """
    found = memory_program("hbm2_pim", "gemv", rows=4096, columns=4096).to_dict()
    energy, commands = found["energy_pj"], found["commands"]
    opened = commands["ACT"] + 8 * commands["ACTAB"]
    kept = 8  # columns of sums into the banks
    loads, singles = commands["WRAB"] - kept, commands["RD"] + commands["WR"]
    inside = 8 * (commands["RDAB"] + kept)
    expected = {
        "activate": opened * 0.11 * 8192,
        "cell": 256 * 0.44 * (singles + inside),
        "column": 256 * 1.01 * (singles + inside + loads),
        "bank_group": 256 * 1.23 * (singles + loads),
        "tsv": 256 * 0.5 * (singles + loads),
        "io": 256 * 0.3 * (singles + loads),
    }
    assert energy["by_part"] == pytest.approx(expected)
    assert energy["total"] == pytest.approx(sum(expected.values()))
    assert "what units compute with" in energy["not_modelled"]


def test_without_energies_by_part_there_is_no_energy():
    bare = ["energy=null", "pim.bank_parts=[]"]
    found = memory_program("hbm2_pim", "gemv", rows=64, columns=64, overrides=bare)
    assert found.to_dict()["energy_pj"] == "not modelled"
    message = refusal("hbm2_pim", "gemv", rows=1, columns=1, overrides=["pim.bank_parts=[wire]"])
    assert "pim.bank_parts: found 'wire', expected parts of the energy: cell, column" in message
