"""From the rows of a machine to the service that runs the channels of its memories."""

from __future__ import annotations

from pimsim.dram.behind_port import digits, idle
from pimsim.netlist.addresses import regions, turns
from pimsim.netlist.netlist import Netlist
from pimsim_core.dram_ports import DramPorts


def memory_ports(net: Netlist) -> DramPorts | None:
    """Return the channels that the steps of a netlist go to; None if there are none."""
    numbers = [number for number, row in enumerate(net.resources) if row.channel is not None]
    channels = [row.channel for row in net.resources if row.channel is not None]
    if not channels:
        return None
    found = regions(net)
    used = {number: 0 for number in numbers}
    for row in found:
        used[row.resource] = max(used[row.resource], row.first + row.span)
    return DramPorts(
        [idle(channel) for channel in channels],
        numbers,
        [channel.period_fs for channel in channels],
        [digits(channel.standard) for channel in channels],
        [(row.first, row.span, row.write, row.sharers) for row in found],
        turns(net),
        list(used.values()),
    )
