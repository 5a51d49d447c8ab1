"""Command programs against a channel cycle by cycle: every command, every column; and no constraint is broken."""

from __future__ import annotations

import os

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.dram.attacc import attention
from pimsim.dram.load import load_standard
from pimsim.dram.program import Program, execute

from .dram import Sent, broken, nest_of, places, violations
from .dram_program import Channel

EXAMPLES = int(os.environ.get("PIMSIM_DRAM_EXAMPLES", "40"))
OFTEN = {"refresh.all_bank.interval": "300", "timings.tRFC_ns": 60}  # so that short programs meet refreshes


@st.composite
def programs(draw):
    """Short lists of stages, each in one mode, that meet in few banks and rows."""
    steps = []
    for _ in range(draw(st.integers(1, 5))):
        together = draw(st.booleans())
        banks = st.sampled_from([0, 1] if together else [0, 1, 4, 5, 17])
        one = st.tuples(st.integers(0, 1), st.just(together), banks, st.integers(-1, 1))
        stage = draw(st.lists(one, min_size=1, max_size=5))
        fences = [0] * (len(stage) - 1) + [draw(st.integers(0, 2))]
        steps += [(*step, fence) for step, fence in zip(stage, fences, strict=True)]
    # a fence where the mode changes
    return [
        (*step[:4], step[4] or int(n + 1 < len(steps) and steps[n + 1][1] != step[1]))
        for n, step in enumerate(steps)
    ]


def run(standard, steps, refresh):
    table = np.array(steps, dtype=np.int32).reshape(-1, 5)
    together = list(standard.pim.commands.model_dump().values())
    program = Program("any", table, np.ones(len(table), dtype=bool), 1, 1, together)
    return execute(standard, program, refresh=refresh, record=True)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=programs(), order=st.sampled_from(["standard", "samsung"]), refresh=st.booleans())
def test_every_command_is_that_of_the_plain_channel_and_breaks_no_constraint(steps, order, refresh):
    standard = load_standard("hbm2_pim", OFTEN, order)
    found = run(standard, steps, refresh)
    plain = Channel(standard, found.program.together, refresh)
    times = plain.run(steps)
    names = list(standard.commands)
    assert [(time, names[number], bank) for time, number, bank in found.log.tolist()] == plain.log
    assert found.times.tolist() == times
    assert broken(standard, found.log) == []
    of_banks = all(not step[1] and step[3] >= 0 for step in steps)
    if order == "standard" and of_banks:  # the checker knows the states of single banks
        nest, where = nest_of(standard), places(standard)
        sent = [
            Sent(time, name, where[bank][: nest.index(standard.commands[name].level) + 1])
            for time, name, bank in plain.log
        ]
        assert violations(standard, sent) == []


@settings(max_examples=EXAMPLES // 4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    heads=st.integers(1, 2),
    tokens=st.integers(1, 36),
    size=st.integers(1, 40),
    at=st.sampled_from(["bank", "bank_group", "buffer"]),
    order=st.sampled_from(["standard", "published"]),
)
def test_attention_is_sent_as_the_plain_channel_sends_it(heads, tokens, size, at, order):
    often = {"refresh.all_bank.interval": "300", "timings.tRFC_ns": 60}
    standard = load_standard("hbm3_attacc", often, order)
    program = attention(standard, heads, tokens, size, at, 1)
    found = execute(standard, program, record=True)
    plain = Channel(standard, program.together)
    steps = [(does, bool(mode), bank, row, fence) for does, mode, bank, row, fence in program.steps.tolist()]
    assert found.times.tolist() == plain.run(steps)
    names = list(standard.commands)
    assert [(time, names[number], bank) for time, number, bank in found.log.tolist()] == plain.log
    assert broken(standard, found.log) == []


def test_nothing_at_all_takes_no_time():
    standard = load_standard("hbm2_pim")
    found = run(standard, [], True)
    assert (found.cycles, found.gaps, len(found.log)) == (0, {}, 0)
