"""Windows that bind: where less may be under way than rate times latency, and somebody waited for it."""

from __future__ import annotations

from typing import Any

from pimsim.machine.machine import Machine
from pimsim.netlist.rows import Output

SAID = 0.05
"""Share of the latency from which on a window is named beside the figures."""


def window_rows(machine: Machine) -> list[dict[str, Any]]:
    """Return a row for each window that has held up something, the longest wait first.

    ``places`` of a stream and ``firings`` of an actor are what there is, beside what their way needs at the pace of
    the busiest part; ``credits`` are the flits that a link's buffers hold.
    """
    net, rows = machine.net, []
    working, _, _, blocked = machine.states
    waits = [0] * len(net.streams)
    for out, fs in zip(sorted(net.outputs, key=_actor), blocked.tolist(), strict=True):
        waits[out.stream] = max(waits[out.stream], fs)
    for window in net.windows:
        if window.what == "places":
            stream = net.streams[window.number]
            name, size, waited = stream.name, stream.capacity, waits[window.number]
        else:
            actor = net.actors[window.number]
            name, size, waited = actor.name, actor.depth, int(working[window.number])
        rows.append(_row(window.what, name, size, window.needs, window.set_by, waited))
    rows += _credits(machine)
    return sorted(
        (row for row in rows if row["waited_fs"]), key=lambda row: (-row["waited_fs"], row["window"])
    )


def window_notes(rows: list[dict[str, Any]], latency_fs: int) -> list[str]:
    """Name the window that was waited for longest, if that was long."""
    if not rows or rows[0]["waited_fs"] < SAID * latency_fs:
        return []
    row = rows[0]
    more = f" ({len(rows) - 1} more windows are too small)" if len(rows) > 1 else ""
    return [
        f"{row['window']}: {row['size']} {row['what']} may be under way, its latency needs {row['needs']}; "
        f"{row['set_by']} sets it{more}."
    ]


def _row(what: str, name: str, size: int, needs: int, set_by: str, waited: int) -> dict[str, Any]:
    return {"window": name, "what": what, "size": size, "needs": needs, "set_by": set_by, "waited_fs": waited}


def _actor(row: Output) -> int:
    return row.actor


def _credits(machine: Machine) -> list[dict[str, Any]]:
    """The links whose buffers hold fewer flits than go over them until a credit is back."""
    rows = machine.net.network
    if rows is None or machine.network is None:
        return []
    router, (_, waited), found = rows.fabric.router, machine.links, []
    for channel, name in enumerate(machine.net.link_names):
        source, target, delay, *_ = rows.fabric.ports[channel % len(rows.fabric.channels)]
        loop = router.credit_loop(delay)
        if min(source, target) >= 0 and router.vcs * router.buffer < loop:
            size = router.vcs * router.buffer
            found.append(_row("credits", name, size, loop, "network.buffer_flits", int(waited[channel])))
    return found
