"""Every command of every channel that a test runs is checked against its standard's constraints, and nothing else."""

from __future__ import annotations

import pytest

from pimsim.dram import channel, program

from ..oracle.dram import broken


@pytest.fixture(autouse=True)
def no_constraint_is_broken(monkeypatch):
    """Keep the commands of all channels of a test, and look at them when it is over."""
    served, executed, kept = channel.built, program._built, []

    def keep(standard, policy, requests, outstanding, record):
        made = served(standard, policy, requests, outstanding, True)
        kept.append((standard, made[1]))
        return made

    def keep_program(standard, asked, refresh, record):
        made = executed(standard, asked, refresh, True)
        kept.append((standard, made[0]))
        return made

    monkeypatch.setattr(channel, "built", keep)
    monkeypatch.setattr(program, "_built", keep_program)
    yield
    for standard, made in kept:
        assert broken(standard, made.commands) == []
