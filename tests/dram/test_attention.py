"""Attention beside a cache: commands and time against formulas of sizes and timings, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.dram.attacc import PLACES, attention, units_and_pace
from pimsim.dram.compute import memory_program
from pimsim.dram.load import load_standard
from pimsim.dram.program import execute
from pimsim.errors import ConfigError

MAC = {"bank": "MACAB", "bank_group": "MACSB", "buffer": "MACPB"}
UNITS = {
    "bank": 64,
    "bank_group": 16,
    "buffer": 2,
}  # of a channel: 2 pseudo-channels, 2 ranks, 4 groups of 4 banks


@settings(max_examples=25, deadline=None)
@given(
    heads=st.integers(1, 5),
    tokens=st.integers(1, 300),
    size=st.integers(1, 200),
    at=st.sampled_from(PLACES),
    channels=st.sampled_from([1, 2]),
)
def test_each_head_is_multiplied_by_its_keys_and_values(heads, tokens, size, at, channels):
    """Padded to whole columns and units; sums, shares and inputs move as often as units have them."""
    standard = load_standard("hbm3_attacc")
    program = attention(standard, heads, tokens, size, at, channels)
    found = execute(standard, program)
    across = 4 if at == "bank" else 1
    down = UNITS[at] // across
    each = -(-tokens // down) * -(-size // (16 * across))
    mine = -(-heads // channels)
    assert found.counts[MAC[at]] == 2 * each * mine
    assert found.counts["SFM"] == mine
    assert found.counts["WRGB"] == mine * across * -(-size // (16 * across))
    assert found.counts["MVGB"] == mine * (1 if at == "buffer" else 8) * -(-tokens // (16 * down))
    assert program.operations == 2 * 2 * heads * tokens * size
    assert found.cycles >= found.counts[MAC[at]] * units_and_pace(standard, at)[1]


@pytest.mark.parametrize("order", ["standard", "unlimited"])
def test_at_the_bank_multiplications_rows_and_refreshes_are_all(order):
    """Of 8 heads, two at a time: a column each tCCDAB, a row of 32 columns after another, and refreshes."""
    standard = load_standard("hbm3_attacc", order=order)
    n = standard.cycles
    found = execute(standard, attention(standard, 8, 2048, 128, "bank", 1))
    macs, rows = 8 * 512, 8 * 16
    busy = macs * n["nCCDAB"] + rows * (n["nRTP"] + n["nRP"] + n["nRCDRD"] - n["nCCDAB"])
    refresh = n["nRTP"] + n["nRP"] + n["nRFC"] + n["nRCDRD"]
    expected = busy / (1 - refresh / n["nREFI"])
    assert found.cycles == pytest.approx(expected, rel=0.03)
    assert (n["nCCDAB"], n["nCCD_L"]) == ((6, 4) if order == "standard" else (4, 4))


@pytest.mark.parametrize("at", PLACES)
def test_the_nearer_to_the_cells_the_faster_and_the_peak_is_the_units(at):
    found = memory_program("hbm3_attacc", "attention", heads=16, tokens=512, at=at).to_dict()
    pace = {"bank": 6, "bank_group": 6, "buffer": 2}[at]
    assert found["peak_gops"] == pytest.approx(2 * UNITS[at] * 16 * 16 * 1.3 / pace)
    assert found["channels"] == 16
    assert found["speedup"] > 1 or at == "buffer"
    assert found["energy_pj"]["by_part"]["arithmetic"] == pytest.approx(
        0.32 * 16 * UNITS[at] * found["commands"][MAC[at]]
    )


@pytest.mark.parametrize(("at", "between"), [("bank", 0.44), ("bank_group", 1.45), ("buffer", 3.18)])
def test_energy_is_that_of_the_commands_on_their_way(at, between):
    """AttAcc's table: 0.11 pJ a bit of a row; 0.44 in cells, 1.01 to the bank group, 1.23, 0.5 of vias, 0.3 outside.

    What the units read passes the parts up to them, moves those from there to the buffer die; inputs come from outside.
    """
    found = memory_program("hbm3_attacc", "attention", heads=3, tokens=300, at=at, channels=1).to_dict()
    commands, energy = found["commands"], found["energy_pj"]
    opens = {"bank": "ACTAB", "bank_group": "ACTSB", "buffer": "ACTPB"}[at]
    moves = commands["WRGB"] + commands["MVSB"] + commands["MVGB"]
    expected = 0.11 * 8192 * UNITS[at] * commands[opens]
    expected += 256 * between * UNITS[at] * commands[MAC[at]]
    expected += 256 * ((3.18 - between) * moves + 0.3 * commands["WRGB"])
    expected += 0.32 * 16 * UNITS[at] * commands[MAC[at]]
    assert energy["total"] == pytest.approx(expected)
    assert energy["total"] == pytest.approx(sum(energy["by_part"].values()))
    assert "refresh" in energy["not_modelled"]


def test_energy_of_arithmetic_is_left_out_where_no_source_gives_it():
    found = memory_program(
        "hbm3_attacc", "attention", heads=1, tokens=9, overrides=["pim.mac_pj=null"]
    ).to_dict()
    assert "arithmetic" not in found["energy_pj"]["by_part"]
    given = memory_program("hbm2_pim", "add", elements=9, overrides=["pim.mac_pj=1"]).to_dict()["energy_pj"]
    assert given["by_part"]["arithmetic"] == 16 * 8 * 16  # 16 columns of 8 units with 16 lanes
    assert "what units compute with" not in given["not_modelled"]


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        ("hbm2_pim", {"heads": 1, "tokens": 1}, "hbm2_pim has no attention units; hbm3_attacc has"),
        ("hbm3_attacc", {"heads": 1}, "--tokens: found none, expected a whole number for attention"),
        ("hbm3_attacc", {"heads": 0, "tokens": 1}, "--heads: found 0, expected a whole number from 1"),
        ("hbm3_attacc", {"heads": 1, "tokens": 1, "head_size": 0}, "--head-size: found 0"),
        ("hbm3_attacc", {"heads": 1, "tokens": 1, "at": "bnk"}, "--at: found 'bnk'; did you mean 'bank'?"),
        (
            "hbm3_attacc",
            {"heads": 1, "tokens": 1, "batch": 2},
            "--batch: found 2, expected none for attention",
        ),
        ("hbm3_attacc", {"heads": 1, "tokens": 1, "read_back": True}, "--read-back: found it"),
        ("hbm3_attacc", {"heads": 10**6, "tokens": 10**4}, "rows for keys and values, and has 16,384"),
        (
            "hbm3_attacc",
            {"heads": 1, "tokens": 1, "overrides": ["pim.moves.sums=RD"]},
            "pim.moves.sums: found 'RD', expected a command to a bank that does 'move'",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(name, sizes, message):
    with pytest.raises(ConfigError) as caught:
        memory_program(name, "attention", **sizes)
    assert message in str(caught.value)


def test_a_matrix_is_not_multiplied_by_attention_units():
    with pytest.raises(ConfigError, match="hbm3_attacc has no units that compute so"):
        memory_program("hbm3_attacc", "gemv", rows=1, columns=1)
