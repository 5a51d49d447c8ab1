"""Energy of a run: what the visits cost, by part and op, and what static power costs over the latency.

It is counted in whole attojoules, so that sums and differences are exact whatever their order.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable
from typing import Any

import numpy as np

from pimsim.chip.base import Energy
from pimsim.chip.peak import Peak
from pimsim.machine.controllers.power import Power
from pimsim.machine.machine import Machine

AJ_PER_PJ = 1_000_000


def dynamic_energy(machine: Machine) -> tuple[dict[tuple[str, str], float], list[str]]:
    """Return the energy of a run by part and op, in pJ, and the parts that act but have no figure.

    An action is charged to the op whose actor does it; a packet to the op that sends it.
    """
    terms: dict[tuple[str, str], list[float]] = defaultdict(list)
    unknown: dict[str, None] = {}

    def count(visits: int, energy: Energy, op: str) -> None:
        for part, picojoules in energy:
            if picojoules is None:
                unknown[part] = None
            else:
                terms[part, op].append(visits * picojoules)

    net = machine.net
    growing = {row.path: row for row in net.growing}
    grown: dict[tuple[Hashable, int, str], int] = defaultdict(int)  # kind of path, selector and op -> visits

    def walk(path: int, selector: int | None, visits: int, inferences: int, op: str) -> None:
        if selector in machine.went:
            went = machine.went[selector]
            walk(path, None, visits, inferences - went, op)
            walk(path + 1, None, visits, went, op)
            return
        if selector is not None:
            grown[growing[path].key, selector, op] += visits
            return
        for step in net.paths[path]:
            count(visits * inferences, step.energy, op)

    emitted = [int(np.count_nonzero(table >= 0)) for table in net.tables]
    for actor in net.actors:
        walk(actor.path, actor.selector, actor.period, actor.firings // actor.period, actor.op)
    for out in net.outputs:
        actor = net.actors[out.actor]
        if out.path is not None:
            walk(out.path, out.selector, emitted[out.token], actor.firings // actor.period, actor.op)
    for cast in net.casts:
        actor = net.actors[cast.actor]
        numbers = np.bincount(net.tables[cast.tree] + 1, minlength=len(cast.trees) + 1)[1:]
        inferences = machine.taken(actor.selector, actor.firings // actor.period)
        for packets, tree in zip(numbers, cast.trees, strict=True):
            count(int(packets) * inferences, tree.energy, actor.op)
    for energy, host_op, visits in machine.env.job_visits():
        count(visits, energy, machine.ops[host_op])
    alike = {row.key: row for row in net.growing}
    for (key, selector, op), visits in grown.items():
        for cached, inferences in machine.caches.counts(selector).items():
            for step in machine.caches.steps(alike[key], cached):
                count(visits * inferences, step.energy, op)
    return {key: math.fsum(values) for key, values in terms.items()}, sorted(unknown)


def static_power_mw(peak: Peak, chips: int) -> dict[str, float]:
    """Return the static power of the parts that have one, in mW, of all chips."""
    return {row.part: row.static_mw * chips for row in peak.rows if row.static_mw is not None}


def static_rows(machine: Machine, static_mw: dict[str, float], latency_fs: int) -> list[dict[str, Any]]:
    """Return the static energy by part and, for parts inside sites that have power states, by state.

    1 mW for 1 fs is 1 aJ.
    """
    by_state: dict[tuple[str, str], int] = {}
    for controller in machine.controllers:
        if isinstance(controller, Power):
            by_state |= controller.static_energy_aj()
    stateful = {part for part, _ in by_state}
    rows: list[dict[str, Any]] = [
        {"part": part, "op": None, "kind": "static", "aj": round(milliwatts * latency_fs)}
        for part, milliwatts in static_mw.items()
        if part not in stateful
    ]
    rows += [
        {"part": part, "op": None, "kind": "static", "state": state, "aj": aj}
        for (part, state), aj in by_state.items()
    ]
    return rows


def energy_rows(machine: Machine, static_mw: dict[str, float], latency_fs: int) -> dict[str, Any]:
    """Return the energy of a run.

    Returns
    -------
    dict
        ``rows`` of ``part``, ``op`` (None for static energy), ``kind``, ``state`` (of static energy, where sites have
        power states) and ``aj``, the largest first; ``total_aj``, their exact sum; ``not_modelled``, parts that act but
        are not in it.
    """
    dynamic, unknown = dynamic_energy(machine)
    rows: list[dict[str, Any]] = [
        {"part": part, "op": op, "kind": "dynamic", "aj": round(pj * AJ_PER_PJ)}
        for (part, op), pj in dynamic.items()
    ]
    rows += static_rows(machine, static_mw, latency_fs)
    rows.sort(key=lambda row: (-row["aj"], row["part"], row["op"] or "", row.get("state", "")))
    known = {row["part"] for row in rows}
    return {
        "total_aj": sum(row["aj"] for row in rows),
        "rows": rows,
        "not_modelled": [part for part in unknown if part not in known],
    }


def in_picojoules(energy: dict[str, Any]) -> dict[str, Any]:
    """Return the sums of energy rows in pJ: in all, by part, dynamic and static apart, and by op."""
    by_part: dict[str, int] = defaultdict(int)
    kinds: dict[str, dict[str, int]] = {"dynamic": defaultdict(int), "static": defaultdict(int)}
    by_op: dict[str, int] = defaultdict(int)
    for row in energy["rows"]:
        by_part[row["part"]] += row["aj"]
        kinds[row["kind"]][row["part"]] += row["aj"]
        if row["op"] is not None:
            by_op[row["op"]] += row["aj"]
    return {
        "total": energy["total_aj"] / AJ_PER_PJ,
        "by_part": _picojoules(by_part),
        "dynamic": _picojoules(kinds["dynamic"]),
        "static": _picojoules(kinds["static"]),
        "dynamic_by_op": {op: aj / AJ_PER_PJ for op, aj in by_op.items()},
        "not_modelled": energy["not_modelled"],
    }


def _picojoules(sums: dict[str, int]) -> dict[str, float]:
    return {part: sums[part] / AJ_PER_PJ for part in sorted(sums)}
