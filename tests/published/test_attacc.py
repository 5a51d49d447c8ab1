"""Does attention beside the cache take as long as AttAcc's authors publish? See ``memory/README.md``.

The timings are theirs; nothing else is. In the order ``published`` a last head alone repeats softmax and its moves, as
the commands in the table show that it did. Constraints are checked in ``tests/dram`` and ``tests/oracle``, on less.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pimsim.dram.compute import memory_program

ROWS = list(
    csv.DictReader((Path(__file__).parent / "memory" / "attacc_attention.csv").open(encoding="utf-8"))
)
AT = {"BA": "bank", "BG": "bank_group", "BUFFER": "buffer"}
# All at the bank, some at the bank group, and one at the buffer die, which has thirty times the commands.
CHOSEN = [
    row
    for row in ROWS
    if row["pim_level"] == "BA"
    or row["kv_tokens"] == "2048"
    or (row["pim_level"] == "BG" and row["kv_tokens"] in ("3072", "4096"))
]


def run(row, order):
    sizes = {
        "heads": int(row["heads_per_stack"]),
        "tokens": int(row["kv_tokens"]),
        "head_size": int(row["dhead"]),
    }
    return memory_program("hbm3_attacc", "attention", **sizes, at=AT[row["pim_level"]], order=order).run


@pytest.mark.parametrize("row", CHOSEN, ids=lambda row: f"{row['pim_level']} {row['kv_tokens']}")
def test_the_published_table_within_three_percent(row):
    found = run(row, "published")
    assert found.cycles == pytest.approx(int(row["cycles"]), rel=0.03)


@pytest.mark.parametrize("row", CHOSEN[:3], ids=lambda row: row["kv_tokens"])
def test_the_busiest_channel_multiplies_nine_of_130_heads(row):
    """The table counts all 16 channels, and a dummy each."""
    found = run(row, "published")
    multiplied = int(row["mac"]) - 16
    assert found.counts["MACAB"] == pytest.approx(multiplied * 9 / 130)
    assert found.counts["SFM"] == 9 + (int(row["softmax"]) - 130) / 2  # two channels have a last head alone


def test_without_the_repetition_it_takes_less():
    assert run(CHOSEN[0], "standard").cycles < run(CHOSEN[0], "published").cycles
