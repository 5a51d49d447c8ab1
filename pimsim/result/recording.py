"""What a run has recorded to be drawn: what held what and when, the critical path, and counters over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pimsim.machine.controllers.base import Span
from pimsim.machine.machine import Machine
from pimsim_core.kernel import CAUSES

MOST_RECORDS = 400_000  # about 40 MB of JSON
HELD, CONVERTED, CROSSED = 2, 3, 4  # kinds of records, as in pimsim_core/kernel.pxd


class Place(NamedTuple):
    """Where something is held: a resource, or a channel of a chip's network."""

    name: str
    part: str
    tile: int | None
    chip: int | None  # of a channel, or of a resource that stands for one


@dataclass(frozen=True)
class Recording:
    """Records of a run.

    Parameters
    ----------
    held : numpy.ndarray of records
        ``place``, ``op`` (numbers), ``firing``, ``output`` (-1 for the firing itself), ``begin``, ``end`` and
        ``amount`` (fs in use; flits on a channel), ``kind``, ``step`` (the virtual channel, on a channel); sorted by
        place and begin.
    places : list of Place or None
        By number; None where nothing is held (a stream).
    ops : list of str
        By number.
    path : list of (int, int, str, str, str, int)
        The critical path: begin and end in fs, cause, part, op, and place or -1.
    every : int
        Every so many firings of an actor are in it.
    window_fs : (int, int)
        What lies between is in it, and what reaches into it.
    latency_fs, network_period_fs : int
        Of the run, and of a flit.
    bin_fs : int
        Of the series.
    power_mw, fill_bytes : dict of int to numpy.ndarray
        Dynamic power and mean fill of the buffer, by tile.
    spans : dict of str to list of Span
        What controllers did or let be, by the controller's name and where it is.
    """

    held: npt.NDArray[Any]
    places: list[Place | None]
    ops: list[str]
    path: list[tuple[int, int, str, str, str, int]]
    every: int
    window_fs: tuple[int, int]
    latency_fs: int
    network_period_fs: int
    bin_fs: int
    power_mw: dict[int, npt.NDArray[np.float64]]
    fill_bytes: dict[int, npt.NDArray[np.float64]]
    spans: dict[str, list[Span]]


def recording_of(machine: Machine, window_fs: tuple[int, int]) -> Recording:
    """Collect what a machine that was built with a timeline has recorded."""
    engine, net = machine.engine, machine.net
    records = engine.records()
    held = records[np.isin(records["kind"], (HELD, CONVERTED, CROSSED))]
    held = held[np.lexsort((held["end"], held["begin"], held["place"]))]
    width, _, tile_pj, _, fill, _ = engine.time_figures()
    bins = -(-machine.host.outputs[-1] // width)
    return Recording(
        held=held,
        places=_places(machine),
        ops=machine.ops,
        path=_path(machine),
        every=machine.record_every,
        window_fs=window_fs,
        latency_fs=machine.host.outputs[-1],
        network_period_fs=net.network.period_fs if net.network is not None else 1,
        bin_fs=width,
        power_mw={t: tile_pj[t, :bins] / width * 1e6 for t in range(net.tiles) if tile_pj[t].any()},
        fill_bytes={t: fill[t, :bins] / width / 8 for t in range(net.tiles) if fill[t].any()},
        spans={
            f"{deeds.controller} of {deeds.where}": deeds.spans
            for deeds in (controller.deeds for controller in machine.controllers)
            if deeds.spans
        },
    )


def _places(machine: Machine) -> list[Place | None]:
    net = machine.net
    found: list[Place | None] = []
    if net.network is not None:
        for chip in range(net.network.copies):
            found += [Place(f"{a} to {b}", "network", None, chip) for a, b in net.network.fabric.channels]
    found += [None] * len(net.streams)
    # By flit, a resource with a link is the port in front of it; by packet, it is the link.
    by_packet = net.network is not None and not net.network.by_flit
    per_chip = net.links // net.network.copies if net.network is not None else 1
    for row in net.resources:
        owner = row.link // per_chip if by_packet and row.link is not None else None
        found.append(Place(row.name, row.part, row.tile, owner))
    return found


def _path(machine: Machine) -> list[tuple[int, int, str, str, str, int]]:
    parts, ops = len(machine.parts), len(machine.ops)
    return [
        (
            begin,
            end,
            CAUSES[label // ops // parts],
            machine.parts[label // ops % parts],
            machine.ops[label % ops],
            place,
        )
        for begin, end, label, place in machine.engine.critical_path().tolist()
    ]
