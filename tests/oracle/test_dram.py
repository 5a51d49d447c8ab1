"""The DRAM channel against a controller cycle by cycle: every command, every request; and no constraint is broken."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.dram.channel import serve
from pimsim.dram.load import load_standard, names
from pimsim.dram.policy import Policy
from pimsim.dram.requests import Requests, banks_of
from pimsim.dram.tables import bank_paths, timing
from pimsim_core.dram_queues import OUTCOMES
from pimsim_core.dram_timing import DramTiming

from .dram import Controller, Sent, broken, constraints, nest_of, places, related, violations

EXAMPLES = int(os.environ.get("PIMSIM_DRAM_EXAMPLES", "40"))
STANDARDS = names()
OFTEN = {"all_bank": 600, "per_bank": 130}  # cycles between refreshes, so that short streams meet them


def standard_of(name, **changes):
    """A standard with refreshes as often as a short stream needs them, and two ranks where there is one."""
    standard = load_standard(name)
    overrides = {f"refresh.{way}.interval": str(OFTEN[way]) for way in standard.refresh}
    if "nREFI" in standard.cycles:
        overrides["timings"] = {
            **{key: value for key, value in standard.timings.items() if key not in ("tRFC_ns", "nRFC")},
            "nRFC": 100,
        }
    if standard.levels.get("rank") == 1:
        overrides["levels.rank"] = 2
    return load_standard(name, {**overrides, **changes})


@st.composite
def streams(draw, standard):
    """Short lists of requests that meet in few banks, rows and columns, with gaps now and then."""
    banks = draw(st.lists(st.integers(0, banks_of(standard) - 1), min_size=1, max_size=6))
    one = st.tuples(
        st.booleans(),
        st.sampled_from(banks),
        st.integers(0, 2),
        st.integers(0, 3),
        st.sampled_from([0, 0, 0, 1, 2, 7, 40, 200]),
    )
    asked, time = [], 0
    for write, bank, row, column, gap in draw(st.lists(one, min_size=1, max_size=30)):
        time += gap
        asked.append((write, bank, row, column, time))
    return asked


@st.composite
def policies(draw, standard):
    writes = draw(st.integers(1, 8))
    high = draw(st.integers(1, writes))
    return Policy(
        read_queue=draw(st.integers(1, 8)),
        write_queue=writes,
        write_high=high,
        write_low=draw(st.integers(0, high - 1)),
        row_hit_cap=draw(st.integers(0, 3)),
        page=draw(st.sampled_from(["open", "closed", "timed"])),
        page_timeout=draw(st.sampled_from([1, 20, 90])),
        refresh=draw(st.sampled_from([*standard.refresh, "none"])),
        controller_cycles=draw(st.sampled_from([0, 2])),
    )


def core(standard, policy, asked, outstanding=0):
    """What the core makes of a list of (write, bank, row, column, cycle), with its commands as the checker has them."""
    columns = np.array(asked, dtype=np.int64).reshape(-1, 5).T
    requests = Requests(columns[0].astype(bool), *columns[1:])
    served = serve(standard, policy, requests, outstanding, record=True)
    commands, depth = list(standard.commands), nest_of(standard)
    where = places(standard)
    log = [
        Sent(
            int(time),
            commands[number],
            where[bank][: depth.index(standard.commands[commands[number]].level) + 1],
        )
        for time, number, bank in served.log
    ]
    return served, log


@pytest.mark.parametrize("name", STANDARDS)
def test_the_core_agrees_with_the_controller_command_by_command(name):
    standard = standard_of(name)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(streams(standard), policies(standard), st.sampled_from([0, 0, 1, 3]))
    def agree(asked, policy, outstanding):
        served, log = core(standard, policy, asked, outstanding)
        plain = Controller(standard, policy, outstanding)
        requests = plain.run(asked)
        assert log == plain.log
        assert served.accepted.tolist() == [r.accepted for r in requests]
        assert served.issued.tolist() == [r.issued for r in requests]
        assert served.done.tolist() == [r.done for r in requests]
        assert [OUTCOMES[each] for each in served.outcome] == [r.outcome for r in requests]
        assert violations(standard, log) == []

    agree()


@pytest.mark.parametrize("name", STANDARDS)
def test_a_long_random_stream_breaks_no_constraint(name):
    standard = load_standard(name)
    rng = np.random.default_rng(7)
    count = 400
    asked = list(
        zip(
            (rng.random(count) < 0.4).tolist(),
            rng.integers(0, banks_of(standard), count).tolist(),
            rng.integers(0, 4, count).tolist(),
            rng.integers(0, standard.columns, count).tolist(),
            np.zeros(count, dtype=int).tolist(),
            strict=True,
        )
    )
    for page in ("open", "closed"):
        served, log = core(standard, Policy(page=page), asked)
        assert violations(standard, log) == []
        assert (served.done >= 0).all()


@pytest.mark.parametrize("name", STANDARDS)
def test_every_constraint_holds_to_the_cycle(name):
    """Each row by itself: the next command is not legal at t - 1, legal at t, and elsewhere it is legal at once."""
    standard = load_standard(name)
    commands, nodes, nest = list(standard.commands), places(standard), nest_of(standard)
    width = [1, *standard.levels.values()]
    deep = [nest.index(command.level) for command in standard.commands.values()]
    for depth, before, after, cycles, window, others in constraints(standard):
        numbers = commands.index(before), commands.index(after)
        row = [[depth, *numbers, cycles, window, int(others)]]
        channel = DramTiming(bank_paths(standard), deep, width, row)
        for time in range(1000, 1000 + window):
            channel.issue_at(numbers[0], 0, time)
        for bank, place in enumerate(nodes):
            holds = related(depth, others, nodes[0], place)
            assert channel.earliest_at(numbers[1], bank) == (1000 + cycles if holds else 0)


@pytest.mark.parametrize("name", STANDARDS)
def test_all_constraints_together_hold_to_the_cycle(name):
    """After one command, each next one is legal exactly when the longest of the rows between them is over."""
    standard = load_standard(name)
    commands, nodes, rows = list(standard.commands), places(standard), constraints(standard)
    nest = nest_of(standard)
    for number, before in enumerate(commands):
        channel = timing(standard)
        channel.issue_at(number, 0, 1000)
        for after in commands:
            place_of = {
                bank: place[: nest.index(standard.commands[after].level) + 1]
                for bank, place in enumerate(nodes)
            }
            mine = [row for row in rows if row[1:3] == (before, after) and row[4] == 1]
            for bank, place in place_of.items():
                waits = [row[3] for row in mine if related(row[0], row[5], nodes[0], place)]
                expected = 1000 + max(waits) if waits else 0
                assert channel.earliest_at(commands.index(after), bank) == max(expected, 0)


def test_the_paths_of_banks_are_their_places():
    for name in STANDARDS:
        standard = standard_of(name)
        paths = bank_paths(standard)
        for bank, place in enumerate(places(standard)):
            for depth in range(len(place)):
                same = [b for b, p in enumerate(places(standard)) if p[: depth + 1] == place[: depth + 1]]
                assert np.flatnonzero(paths[:, depth] == paths[bank, depth]).tolist() == same


# -- the checker itself sees what is wrong ---------------------------------------------------------------------


def test_the_checker_finds_a_command_that_is_a_cycle_early():
    """Each cycle of a real list moved forward by one breaks something, for commands that waited for a constraint."""
    standard = load_standard("ddr4_2400")
    asked = [(False, bank, row, 0, 0) for row in range(3) for bank in (0, 1, 4, 5, 8, 12)]
    _, log = core(standard, Policy(refresh="none"), asked)
    assert violations(standard, log) == []
    early = 0
    for position in range(1, len(log)):
        moved = [Sent(each.time, each.name, each.place) for each in log]
        moved[position].time -= 1
        early += bool(violations(standard, sorted(moved, key=lambda each: each.time)))
    assert early >= 0.9 * (len(log) - 1)


def test_the_checker_of_long_lists_finds_what_the_plain_one_finds():
    """On lists whose commands are moved at random, most of which break something."""
    standard = standard_of("hbm3")
    commands, nodes, rng = list(standard.commands), places(standard), np.random.default_rng(2)
    asked = [
        (bool(each % 3 == 0), bank, each % 2, each, 0) for each in range(6) for bank in (0, 3, 9, 17, 40)
    ]
    served, _ = core(standard, Policy(), asked)
    for spread in (0, 1, 5, 40):
        log = served.log.copy()
        log[:, 0] += rng.integers(0, spread + 1, len(log))
        log = log[np.argsort(log[:, 0], kind="stable")]
        nest = nest_of(standard)
        deep = [nest.index(command.level) for command in standard.commands.values()]
        sent = [Sent(int(t), commands[c], nodes[b][: deep[c] + 1]) for t, c, b in log]
        plain = [each for each in violations(standard, sent) if "needed" in each]
        assert len(broken(standard, log)) == len(plain)
        assert bool(plain) == bool(spread)


def test_the_checker_finds_a_read_of_a_closed_bank():
    standard = load_standard("ddr4_2400")
    place = places(standard)[0]
    assert violations(standard, [Sent(100, "RD", place)]) == [f"RD at 100: {place} is not open"]
