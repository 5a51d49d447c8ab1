"""Freeze what came out of a machine into a result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.chip.peak import tops_at
from pimsim.machine.machine import Machine
from pimsim.mapping.planning.apart import apart_notes
from pimsim.mapping.planning.plan import Plan
from pimsim.result.attribution import interval_rows, phases_of, rows_of
from pimsim.result.bounds import busiest, chain_fs, link_busy_fs, work_fs
from pimsim.result.cold import about_weights
from pimsim.result.controllers import controller_notes, controller_rows
from pimsim.result.energy import AJ_PER_PJ, energy_rows, in_picojoules, off_chip, static_power_mw
from pimsim.result.interval import interval_of, least_interval_fs
from pimsim.result.masks import mask_notes
from pimsim.result.memories import memory_rows
from pimsim.result.ops import op_rows, work_of
from pimsim.result.over_time import OverTime, over_time_data
from pimsim.result.predicted import chip_bounds, prediction_rows
from pimsim.result.result import SCHEMA, Result
from pimsim.result.tiles import tile_rows
from pimsim.result.warnings import warnings_of
from pimsim.result.wear import wear_rows
from pimsim.result.windows import window_notes, window_rows
from pimsim.trace.schema import Trace
from pimsim.units import FS_PER_S

Figures = npt.NDArray[np.int64]

NOT_MODELLED = ("Nothing depends on values: noise, drift and sparsity are not modelled.",)
BY_PACKET = (
    "The network is approximate (fidelity: packet): packets hold each link for their flits and wait before it without "
    "bound; flits, virtual channels and credits are not modelled."
)


def freeze(
    machine: Machine,
    trace: Trace,
    several: Machine,
    identity: Mapping[str, Any],
) -> Result:
    """Collect the figures of a machine that has run.

    Parameters
    ----------
    machine : Machine
        That has run the batch.
    trace : Trace
        What it ran.
    several : Machine
        The same, or one that has run more of a larger batch, to tell the interval from.
    identity : mapping
        Of the experiment: its digest, and all that affects the result.
    """
    plan, batch = machine.plan, machine.batch
    latency, least = machine.host.outputs[-1], least_interval_fs(machine)
    steady = interval_of(several, least[0])
    interval = steady.fs
    visits, busy, waited = machine.figures
    peak, macs = plan.chip.peak, sum(work_of(machine)[0].values())
    static_mw = static_power_mw(peak, plan.package.chips)
    energy = energy_rows(machine, static_mw, latency)
    joules = energy["total_aj"] / AJ_PER_PJ * 1e-12
    over_time, most_mw = OverTime(machine), sum(static_mw.values())
    has_states = any("state" in row for row in energy["rows"])
    mean_mw = sum(row["aj"] for row in energy["rows"] if row["kind"] == "static") / latency
    windows = window_rows(machine)
    data: dict[str, Any] = {
        "schema": SCHEMA,
        **({"warnings": warnings} if (warnings := warnings_of(trace, plan.chip)) else {}),
        "identity": dict(identity),
        "model": trace.model,
        "chip": plan.chip.config.name,
        "chips": plan.package.chips,
        "chips_requested": identity["chips"],
        "batch": batch,
        "weight_bits": plan.weight_bits,
        "input_bits": plan.input_widths[-1],
        "latency_fs": latency,
        "first_output_fs": machine.host.outputs[0],
        "interval_fs": interval,
        "interval_error_fs": steady.error_fs,
        "interval_how": steady.how,
        "interval_over": steady.outputs,
        "interval_batch": steady.inferences,
        "outputs_fs": machine.host.outputs,
        "inferences_per_s": FS_PER_S / interval,
        "macs": macs,
        "energy_pj": in_picojoules(energy, off_chip(plan.chip.config)),
        "energy": {"total_aj": energy["total_aj"], "rows": energy["rows"]},
        "area_um2": _area(plan),
        "tops": {
            "achieved": 2 * macs / latency * 1e3,
            "steady": 2 * (macs / batch) / interval * 1e3,
            "per_watt": 2 * macs / joules / 1e12 if joules else None,
        },
        "peak": {
            "tops": tops_at(plan.chip.config, max(plan.weight_bits, plan.input_bits)) * plan.package.chips,
            "watts": peak.watts * plan.package.chips,
        },
        "utilisation": _utilisation(machine, latency, busy),
        "bounds": _bounds(machine, busy, least),
        "attribution": rows_of(machine.engine.charges().sum(axis=0), machine),
        "interval_attribution": interval_rows(several, steady),
        "phases": phases_of(machine, steady if several is machine else None),
        "ops": op_rows(machine, energy["rows"]),
        "tiles": tile_rows(machine, over_time),
        "over_time": over_time_data(over_time, machine, mean_mw if has_states else most_mw, most_mw),
        "windows": windows,
        "resources": _resources(machine, visits, busy, waited),
        "network": _network(machine, latency),
        "plan": plan.rows(),
        "engine": {
            "firings": machine.engine.firings,
            "packets": machine.engine.packets,
            "events": machine.engine.events,
            "simpy_events": machine.env.simpy_events,
            "live_starts": machine.engine.live_starts,
        },
        "notes": [
            *plan.chip.notes,
            *about_weights(machine),
            *NOT_MODELLED,
            *([] if machine.network is not None else [BY_PACKET]),
            *controller_notes(machine),
            *window_notes(windows, latency),
            *mask_notes(machine),
            *apart_notes(plan),
            *([plan.chosen] if plan.chosen else []),
        ],
        "config": plan.chip.to_dict(),
        "trace": {
            **trace.header,
            **({"unknown": trace.unknown} if trace.unknown else {}),
            "model": trace.model,
            "ops": len(trace.ops),
        },
    }
    if identity["prompt"] is None:  # what is generated has no steady interval
        data["prediction"] = prediction_rows(machine, steady)
        data["bounds"] |= chip_bounds(machine, steady, data["prediction"]["interval_fs"])
    if rows := controller_rows(machine):
        data["controllers"] = rows
    if memories := memory_rows(machine):
        data["memories"] = memories
    if wear := wear_rows(machine):
        data["wear"] = wear
    return Result(data)


def _area(plan: Plan) -> dict[str, Any]:
    """Area of all chips by part, in square micrometres."""
    rows = plan.chip.peak.rows
    by_part = {row.part: row.area_mm2 * 1e6 * plan.package.chips for row in rows if row.area_mm2 is not None}
    return {
        "total": math.fsum(by_part.values()),
        "by_part": by_part,
        "not_modelled": [row.part for row in rows if row.area_mm2 is None],
    }


def _utilisation(machine: Machine, latency_fs: int, busy: Figures) -> dict[str, float | None]:
    """Shares of the arrays and converters of all chips that were in use, and busy, over the run."""
    plan = machine.plan
    kinds = plan.package.kinds.values()
    slots = {kind.slot_part for kind in kinds if kind.slots}
    converters = {kind.site.label("core.adc") for kind in kinds if kind.site.part_at("core.adc") is not None}
    totals: dict[str, int] = {}
    for kind in kinds:
        for use in kind.site.uses():
            totals[use.path] = use.instances * plan.package.chips

    def share(parts: set[str]) -> float | None:
        there = sum(totals[part] for part in parts)
        work = sum(
            int(busy[resource]) * count
            for resource, count in machine.instances.items()
            if machine.net.resources[resource].part in parts
        )
        return work / (there * latency_fs) if there else None

    available = plan.arrays_available * plan.rounds  # of rounds, the mean
    cells = sum(op.tiling.utilisation * op.tiling.arrays for op, _, _ in plan.sets() if op.tiling)
    return {
        "arrays_mapped": plan.arrays / available if available else None,
        "cells_mapped": cells / available if available else None,
        "arrays_busy": share(slots),
        "adcs_busy": share(converters),
    }


def _bounds(machine: Machine, busy: Figures, least: tuple[int, str]) -> dict[str, Any]:
    """The two lower bounds of the latency and that of the interval, and the resources that set them."""
    resource_fs, resource = busiest(machine, busy, machine.links[0])
    dependence = chain_fs(machine)
    return {
        "resource_fs": resource_fs,
        "resource": resource,
        "dependence_fs": dependence,
        "latency_over_bound": machine.host.outputs[-1] / max(resource_fs, dependence),
        "interval_fs": least[0],
        "interval_resource": least[1],
    }


def _channels(machine: Machine) -> list[tuple[int, str, str]]:
    """The channels of the networks of all chips: chip, from node, to node."""
    rows = machine.net.network
    assert rows is not None
    return [(chip, a, b) for chip in range(rows.copies) for a, b in rows.fabric.channels]


def _network(machine: Machine, latency_fs: int) -> dict[str, Any]:
    """The network's fidelity and load, and a row for every channel in use."""
    flits, waited = machine.links
    critical, busy = (
        machine.engine.place_charges()[: machine.net.links],
        link_busy_fs(machine, machine.links[0]),
    )
    links = [
        {
            "chip": channel[0],
            "from": channel[1],
            "to": channel[2],
            "flits": int(flits[i]),
            "busy_fs": int(busy[i]),
            "utilisation": int(busy[i]) / latency_fs,
            "waited_fs": int(waited[i]),
            "critical_fs": int(critical[i]),
        }
        for i, channel in enumerate(_channels(machine))
        if flits[i] or critical[i]
    ]
    by_flit = machine.network is not None
    return {"fidelity": "flit" if by_flit else "packet", "approximate": not by_flit, "links": links}


def _resources(
    machine: Machine,
    visits: Figures,
    busy: Figures,
    waited: Figures,
) -> dict[str, dict[str, Any]]:
    """Visits, busy and waiting time by kind of part, and its busiest instance."""
    found: dict[str, dict[str, Any]] = {}
    for index, row in enumerate(machine.net.resources):
        if row.link is not None:
            continue
        entry = found.setdefault(
            row.part,
            {"instances": 0, "visits": 0, "busy_fs": 0, "waited_fs": 0, "busiest": "", "busiest_fs": -1},
        )
        share, name = work_fs(row, busy[index])
        entry["instances"] += 1
        entry["visits"] += int(visits[index])
        entry["busy_fs"] += int(busy[index])
        entry["waited_fs"] += int(waited[index])
        if share > entry["busiest_fs"]:
            entry["busiest"], entry["busiest_fs"] = name, share
    flits, queued = machine.links
    used = [i for i in range(len(flits)) if flits[i]]
    if used:
        held = link_busy_fs(machine, machine.links[0])
        busiest = max(used, key=lambda i: (int(held[i]), -i))
        found["network"] = {
            "instances": len(used),
            "visits": int(flits.sum()),
            "busy_fs": int(held.sum()),
            "waited_fs": int(queued.sum()),
            "busiest": machine.net.link_names[busiest],
            "busiest_fs": int(held[busiest]),
        }
    return found
