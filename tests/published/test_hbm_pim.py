"""Do HBM-PIM's programs take as long as in Samsung's simulator, command by command? See ``memory/README.md``."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from pimsim.dram.compute import memory_program

from ..dram.checked import no_constraint_is_broken  # noqa: F401

TRACE = Path(__file__).parent / "memory" / "hbm_pim_gemv.txt.gz"
# Samsung's PIMSimulator, commit b464dde, system_hbm_64ch.ini: cycles with and without PIM
PUBLISHED = {
    "gemv": ({"rows": 4096, "columns": 4096}, 13_166, 36_082),
    "add": ({"elements": 2**20}, 3_349, 6_651),
    "relu": ({"elements": 2**22}, 7_665, 17_504),
}
GAPS = {4: 1980, 31: 32, 62: 15, 109: 15, 368: 3, 97: 1, 5: 1}  # cycles between MACs of the same run
NAMES = {"ACTIVATE": "ACT", "PRECHARGE": "PRE", "READ": "RD", "WRITE": "WR", "REF": "REF"}


def commands():
    """What the file says was sent: (command, rank, bank, cycle); of one in all-bank mode, its set's first bank.

    It notes a command one cycle after it is sent, and a column in all-bank mode two.
    """
    found, together = [], False
    for line in gzip.decompress(TRACE.read_bytes()).decode().splitlines():
        place = re.search(r" ra(\d) (?:bg\d b(\d+) )?.*@ ?(\d+)", line)
        if (
            place is None or "JUMP" in line or "ZEROIZE" in line
        ):  # the units' own; their column has another line
            continue
        rank, bank, cycle, word = int(place[1]), int(place[2] or 0), int(place[3]), line.split()[0]
        if word == "SB" or (word == "HAB" and "mode" not in line):  # a note: the mode changes
            together = word == "HAB"
        elif word in ("BWRITE_CRF", "BWRITE_GRF_A"):
            found.append(("WR", rank, 1, cycle - 2))
        elif word in ("HAB", "HAB_PIM"):  # a write to bank 0 that lets units compute, or no longer
            found.append(("WR", rank, 0, cycle - 2))
        else:
            found.append(
                (NAMES[word], rank, bank, cycle - (2 if together and word in ("READ", "WRITE") else 1))
            )
    return found


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_program_takes_as_many_cycles_as_in_samsungs_order(name):
    sizes, cycles, _ = PUBLISHED[name]
    assert memory_program("hbm2_pim", name, order="samsung", **sizes).run.cycles == cycles


def test_gaps_between_macs_are_those_of_samsungs_run():
    run = memory_program("hbm2_pim", "gemv", rows=4096, columns=4096, order="samsung").run
    assert run.gaps == GAPS


def test_every_command_is_that_of_samsungs_run():
    """Up to the last column; then rows are closed that nobody waits for."""
    run = memory_program("hbm2_pim", "gemv", rows=4096, columns=4096, order="samsung", record=True).run
    names, last = list(run.standard.commands), int(run.times.max())
    mine = [
        (names[number].removesuffix("AB"), bank // 16, bank % 16, cycle)
        for cycle, number, bank in run.log.tolist()
    ]
    assert len(mine) > 2500
    assert sorted(mine) == sorted(each for each in commands() if each[3] <= last)


def test_without_pim_the_matrix_takes_as_long_within_a_percent():
    found = memory_program("hbm2_pim", "gemv", order="samsung", rows=4096, columns=4096)
    assert found.plain_cycles == pytest.approx(PUBLISHED["gemv"][2], rel=0.01)


@pytest.mark.parametrize("name", ["add", "relu"])
def test_without_pim_reads_and_writes_take_as_long_within_six_percent(name):
    """There, columns go on until a refresh may close their row; here none is sent from when it is due."""
    sizes, _, plain = PUBLISHED[name]
    assert memory_program("hbm2_pim", name, order="samsung", **sizes).plain_cycles == pytest.approx(
        plain, rel=0.06
    )
