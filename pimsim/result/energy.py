"""Energy of a run: what the visits cost, by part and op, and what static power costs over the latency.

It is counted in whole attojoules, so that sums and differences are exact whatever their order.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from pimsim.chip import ChipConfig
from pimsim.chip.peak import Peak
from pimsim.machine.controllers.power import Power
from pimsim.machine.machine import Machine

AJ_PER_PJ = 1_000_000


Where = tuple[str, str, int]
"""A part, an op and a program; the program is `JOBS` where it is none's."""

JOBS = -1


def dynamic_energy(machine: Machine) -> tuple[dict[Where, float], list[str]]:
    """Return the energy of a run by part, op and program, in pJ, and the parts that act but have no figure.

    It is the engine's count of visits by step times what each costs. A visit is charged to the op whose actor or packet
    it is, or that a process submitted it for.
    """
    engine, net = machine.engine, machine.net
    terms: dict[Where, list[float]] = defaultdict(list)
    first, parts, picojoules = (figures.tolist() for figures in engine.charge_figures())
    for charge, op, program, visits in engine.visits_by_charge().tolist():
        for each in range(first[charge], first[charge + 1]):
            key = machine.energy_parts[parts[each]], machine.ops[op], program
            terms[key].append(visits * picojoules[each])
    costs = [step.energy for path in net.paths for step in path] + [tree.energy for tree in net.trees]
    unknown = {part for energy in costs for part, pj in energy if pj is None} | machine.env.unknown_parts
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
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for (part, op, _), pj in dynamic.items():
        sums[part, op] += round(pj * AJ_PER_PJ)
    rows: list[dict[str, Any]] = [
        {"part": part, "op": op, "kind": "dynamic", "aj": aj} for (part, op), aj in sums.items()
    ]
    rows += static_rows(machine, static_mw, latency_fs)
    rows.sort(key=lambda row: (-row["aj"], row["part"], row["op"] or "", row.get("state", "")))
    known = {row["part"] for row in rows}
    return {
        "total_aj": sum(row["aj"] for row in rows),
        "rows": rows,
        "not_modelled": [part for part in unknown if part not in known],
    }


def off_chip(config: ChipConfig) -> list[str]:
    """Return the parts that stand beside the chip of the arrays: links to other chips and the host, and memories."""
    return ["external", *(name for name, site in config.sites.items() if not site.takes_ops)]


def in_picojoules(energy: dict[str, Any], off_chip: Collection[str]) -> dict[str, Any]:
    """Return the sums of energy rows in pJ: in all, without parts off the chip, by part, by kind, and by op."""
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
        "on_chip": sum(aj for part, aj in by_part.items() if part not in off_chip) / AJ_PER_PJ,
        "off_chip": [part for part in off_chip if part in by_part],
        "by_part": _picojoules(by_part),
        "dynamic": _picojoules(kinds["dynamic"]),
        "static": _picojoules(kinds["static"]),
        "dynamic_by_op": {op: aj / AJ_PER_PJ for op, aj in by_op.items()},
        "not_modelled": energy["not_modelled"],
    }


def _picojoules(sums: dict[str, int]) -> dict[str, float]:
    return {part: sums[part] / AJ_PER_PJ for part in sorted(sums)}
