"""What the channels of memories did that ran command by command: what they moved, of what peak, and why not more."""

from __future__ import annotations

from typing import Any

from pimsim.dram.figures import command_energy
from pimsim.machine.machine import Machine
from pimsim_core.dram_queues import OUTCOMES
from pimsim_core.dram_time import USE_NAMES


def memory_rows(machine: Machine) -> list[dict[str, Any]]:
    """Return a row for each channel, up to the end of the run and of what no output waited for.

    Returns
    -------
    list of dict
        ``port``, ``standard``; ``bursts`` that columns moved, ``gb_per_s`` of them over the run and ``peak_gb_per_s``;
        requests by what they came to (``hit``, …); commands, and what they cost without standby, None where that is not
        modelled; and fs that were lost before bursts, by cause.
    """
    engine = machine.engine
    engine.memory.settle(engine.now)
    found = []
    for resource, came, spent, counts in engine.memory.figures:
        row = machine.net.resources[resource]
        assert row.channel is not None
        standard, period = row.channel.standard, row.period_fs
        outcomes = dict(zip(OUTCOMES, came, strict=True))
        bursts = outcomes["hit"] + outcomes["miss"] + outcomes["conflict"]
        commands = dict(zip(standard.commands, counts, strict=True))
        cost = command_energy(standard, commands)
        lost = dict(zip(USE_NAMES, spent, strict=True))
        found.append(
            {
                "port": row.name,
                "standard": standard.name,
                "bursts": bursts,
                "gb_per_s": bursts * standard.data.burst_bytes * 1e6 / max(engine.now, 1),
                "peak_gb_per_s": standard.peak_gb_per_s,
                **outcomes,
                **{f"{name}_fs": lost[name] * period for name in USE_NAMES[1:]},
                "commands": commands,
                "commands_aj": None if cost is None else sum(cost[1].values()),
            }
        )
    return found
