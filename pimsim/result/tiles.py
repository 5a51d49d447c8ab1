"""What each tile did: how busy its parts were, its share of the critical path, its power and its buffer."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from pimsim.machine.machine import Machine
from pimsim.result.over_time import OverTime


def tile_rows(machine: Machine, over_time: OverTime) -> list[dict[str, Any]]:
    """Return a row for every tile that something runs on.

    Parameters
    ----------
    machine : Machine
        That has run.
    over_time : OverTime
        Its energy over time.
    """
    net, latency = machine.net, machine.host.outputs[-1]
    config = machine.plan.chip.config
    _, busy, waited = machine.figures
    places = machine.engine.place_charges()[net.links :]
    held: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    servers: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    critical: dict[int, int] = defaultdict(int)
    queued: dict[int, int] = defaultdict(int)
    for stream, fs in zip(net.streams, places[: len(net.streams)].tolist(), strict=True):
        if stream.tile is not None:
            critical[stream.tile] += fs
    charged = places[len(net.streams) :].tolist()
    for index, (row, fs) in enumerate(zip(net.resources[: len(busy)], charged, strict=False)):
        if row.tile is None:
            continue
        count = machine.instances.get(index, 1)
        held[row.tile][row.part] += int(busy[index]) * count
        servers[row.tile][row.part] += row.servers * count
        critical[row.tile] += fs
        queued[row.tile] += int(waited[index])
    ops: dict[int, list[str]] = defaultdict(list)
    for op in machine.plan.ops:
        for tile in op.tiles:
            ops[tile].append(op.node.name)
    grouped = {net.resources[index].part for index in machine.instances}
    everything = {  # arrays, converters and the like count whether they hold weights or not
        use.path: use.instances // site.count
        for site in config.working.values()
        for use in site.uses()
        if use.path in grouped
    }
    return [
        {
            "tile": tile,
            "chip": tile // config.tiles,
            "ops": ops[tile],
            "busy": {
                part: held[tile][part] / (everything.get(part, servers[tile][part]) * latency)
                for part in sorted(held[tile])
            },
            "critical_fs": critical[tile],
            "waited_fs": queued[tile],
            "energy_pj": float(over_time.tile_pj[tile].sum()),
            "average_mw": over_time.mean_mw(over_time.tile_pj[tile]),
            "peak_mw": over_time.peak_mw(over_time.tile_pj[tile]),
            "buffer_peak_bytes": int(over_time.most_bits[tile]) / 8,
            "buffer_bytes": machine.plan.package.site(tile).store.capacity_kib * 1024,
        }
        for tile in sorted(held)
    ]
