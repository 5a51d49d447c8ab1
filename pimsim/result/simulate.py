"""Simulate a trace on a chip and freeze what came out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim import __version__
from pimsim.chip import Chip
from pimsim.errors import ConfigError
from pimsim.machine.machine import Machine
from pimsim.mapping.plan import Plan
from pimsim.mapping.planner import make_plan
from pimsim.result.bounds import dependence_fs
from pimsim.result.result import SCHEMA, Result, digest_of
from pimsim.trace.schema import Trace
from pimsim.units import FS_PER_S
from pimsim_core.kernel import CAUSES

INTERVAL_BATCH = 3  # inferences of the extra run that measures the interval of a single one
Figures = npt.NDArray[np.int64]

NOT_MODELLED = (
    "Weights are in the arrays before time 0; writing them is not modelled.",
    "Nothing depends on values: noise, drift and sparsity are not modelled.",
)
BY_PACKET = (
    "The network is approximate (fidelity: packet): packets hold each link for their flits and wait before it without "
    "bound; flits, virtual channels and credits are not modelled."
)
MOST = {"batch": 1_000_000, "chips": 100_000, "weight_bits": 64, "input_bits": 64}


def simulate(
    chip: Chip,
    trace: Trace,
    batch: int = 1,
    *,
    chips: int | None = None,
    weight_bits: int | None = None,
    input_bits: int | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> Result:
    """Run `batch` inferences of a trace through a chip, cycle by cycle.

    Parameters
    ----------
    chip : Chip
        What to run on.
    trace : Trace
        What to run.
    batch : int
        Inferences, all requested at time 0; they follow one another through the pipeline.
    chips : int, optional
        How many chips; by default as few as hold the model.
    weight_bits, input_bits : int, optional
        Precision; by default the trace's where it states one, else the chip's.
    on_progress : callable, optional
        Called now and then with the firings done, the firings in all, and the simulated time in fs.

    Returns
    -------
    Result
        Latency, interval, energy, area, bounds and the attribution of the latency.

    Raises
    ------
    ConfigError
        If the batch is not a positive number.
    MappingError
        If the model does not fit.
    SimulationError
        If the machine cannot go on.
    """
    check_options(batch=batch, chips=chips, weight_bits=weight_bits, input_bits=input_bits)
    plan = make_plan(chip, trace, chips=chips, weight_bits=weight_bits, input_bits=input_bits)
    measuring = batch if batch > 1 else INTERVAL_BATCH
    total = 0

    def run(count: int, before: int) -> Machine:
        nonlocal total
        machine = Machine(plan, count)
        total = total or machine.firings * (1 if batch > 1 else 1 + INTERVAL_BATCH)
        if on_progress is not None:
            machine.env.on_progress = lambda done, now: on_progress(before + done, total, now)
        machine.run()
        return machine

    machine = run(batch, 0)
    outputs = machine.host.outputs if batch > 1 else run(measuring, machine.engine.firings).host.outputs
    return freeze(machine, trace, interval_fs(outputs), measuring, chips)


def check_options(**options: int | None) -> None:
    """Check the options of a run that are counts; None is not given.

    Parameters
    ----------
    **options : int, optional
        ``batch``, ``chips``, ``weight_bits``, ``input_bits``.

    Raises
    ------
    ConfigError
        If one is not a whole number in its range.
    """
    for name, value in options.items():
        if value is None and name != "batch":
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST[name]:
            raise ConfigError(
                f"found {value!r:.30}, expected a whole number from 1 to {MOST[name]}", where=name
            )


def interval_fs(outputs: list[int]) -> int:
    """Return the time between outputs in steady state: the mean over the later half of the inferences.

    Where too few came to tell (all of that half at one instant), it is the mean over the whole run.
    """
    first = (len(outputs) - 1) // 2
    later = outputs[-1] - outputs[first]
    return round(later / (len(outputs) - 1 - first)) if later else round(outputs[-1] / len(outputs))


def freeze(
    machine: Machine, trace: Trace, interval: int, interval_batch: int, chips_requested: int | None = None
) -> Result:
    """Collect the figures of a machine that has run."""
    plan, batch = machine.plan, machine.batch
    latency = machine.host.outputs[-1]
    visits, busy, waited = machine.figures
    energy = _energy(machine, latency)
    macs = trace.macs * batch
    peak = plan.chip.peak
    joules = energy["total"] * 1e-12
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "identity": _identity(plan, trace, batch),
        "model": trace.model,
        "chip": plan.chip.config.name,
        "chips": plan.package.chips,
        "chips_requested": chips_requested,
        "batch": batch,
        "weight_bits": plan.weight_bits,
        "input_bits": plan.input_bits,
        "latency_fs": latency,
        "first_output_fs": machine.host.outputs[0],
        "interval_fs": interval,
        "interval_batch": interval_batch,
        "outputs_fs": machine.host.outputs,
        "inferences_per_s": FS_PER_S / interval,
        "macs": macs,
        "energy_pj": energy,
        "area_um2": _area(plan),
        "tops": {
            "achieved": 2 * macs / latency * 1e3,
            "steady": 2 * trace.macs / interval * 1e3,
            "per_watt": 2 * macs / joules / 1e12 if joules else None,
        },
        "peak": {"tops": peak.tops * plan.package.chips, "watts": peak.watts * plan.package.chips},
        "utilisation": _utilisation(machine, latency, busy),
        "bounds": _bounds(machine, busy),
        "attribution": _attribution(machine),
        "resources": _resources(machine, visits, busy, waited),
        "network": _network(machine, latency),
        "plan": plan.rows(),
        "engine": {
            "firings": machine.engine.firings,
            "packets": machine.engine.packets,
            "events": machine.engine.events,
            "live_starts": machine.engine.live_starts,
        },
        "notes": [
            *plan.chip.config.notes,
            *NOT_MODELLED,
            *([] if machine.network is not None else [BY_PACKET]),
        ],
        "config": plan.chip.to_dict(),
        "trace": {**trace.header, "model": trace.model, "ops": len(trace.ops)},
    }
    return Result(data)


def _identity(plan: Plan, trace: Trace, batch: int) -> dict[str, Any]:
    """What affects the result, and its digest."""
    about = {
        "pimsim": __version__,
        "chip": plan.chip.digest,
        "trace": trace.digest,
        "batch": batch,
        "chips": plan.package.chips,
        "weight_bits": plan.weight_bits,
        "input_bits": plan.input_bits,
        "network": plan.chip.config.network.fidelity,
        "seed": None,  # nothing is drawn at random
    }
    return {"digest": digest_of(about), **about}


def _energy(machine: Machine, latency_fs: int) -> dict[str, Any]:
    """Dynamic energy of the firings and static energy over the run, by part, in pJ."""
    dynamic: dict[str, list[float]] = {}
    by_op: dict[str, list[float]] = {}
    for (part, op), picojoules in machine.ledger.totals().items():
        dynamic.setdefault(part, []).append(picojoules * machine.batch)
        by_op.setdefault(op, []).append(picojoules * machine.batch)
    chips = machine.plan.package.chips
    static = {  # 1 mW for 1 fs is 1e-6 pJ
        row.part: row.static_mw * chips * latency_fs * 1e-6
        for row in machine.plan.chip.peak.rows
        if row.static_mw is not None
    }
    sums = {part: math.fsum(values) for part, values in dynamic.items()}
    parts = [*sums, *(part for part in static if part not in sums)]
    by_part = {part: sums.get(part, 0.0) + static.get(part, 0.0) for part in sorted(parts)}
    return {
        "total": math.fsum(by_part.values()),
        "by_part": by_part,
        "dynamic": {part: sums[part] for part in sorted(sums)},
        "static": {part: static[part] for part in sorted(static)},
        "dynamic_by_op": {op: math.fsum(values) for op, values in by_op.items()},
        "not_modelled": sorted(set(machine.ledger.unknown) - set(by_part)),
    }


def _area(plan: Plan) -> dict[str, Any]:
    """Area of all chips by part, in square micrometres."""
    rows = plan.chip.peak.rows
    by_part = {row.part: row.area_mm2 * 1e6 * plan.package.chips for row in rows if row.area_mm2 is not None}
    return {
        "total": math.fsum(by_part.values()),
        "by_part": by_part,
        "not_modelled": [row.part for row in rows if row.area_mm2 is None],
    }


def _utilisation(machine: Machine, latency_fs: int, busy: Figures) -> dict[str, float]:
    """Shares of the arrays and converters of all chips that were in use, and busy, over the run."""
    plan = machine.plan
    core = plan.chip.config.core
    cores = plan.package.tiles * plan.chip.config.tile.cores
    totals = {"core.array": cores * core.arrays, "core.adc": cores * core.adc.banks * core.adc.adcs_per_bank}
    work = dict.fromkeys(totals, 0)
    for resource, count in machine.instances.items():
        work[machine.net.resources[resource].part] += int(busy[resource]) * count
    cells = sum(op.tiling.utilisation * op.arrays for op in plan.ops if op.tiling)
    return {
        "arrays_mapped": plan.arrays / plan.arrays_available,
        "cells_mapped": cells / plan.arrays_available,
        "arrays_busy": work["core.array"] / (totals["core.array"] * latency_fs),
        "adcs_busy": work["core.adc"] / (totals["core.adc"] * latency_fs),
    }


def _bounds(machine: Machine, busy: Figures) -> dict[str, Any]:
    """The two lower bounds of the latency, and the resource that sets the first."""
    shares = {
        row.name: -(-int(held) // row.servers)
        for held, row in zip(busy, machine.net.resources, strict=True)
        if row.link is None
    }
    for channel, held in zip(_channels(machine), _link_busy(machine), strict=True):
        shares[_name(channel)] = int(held)
    busiest = max(shares, key=lambda name: shares[name])
    dependence = dependence_fs(machine.net)
    return {
        "resource_fs": shares[busiest],
        "resource": busiest,
        "dependence_fs": dependence,
        "latency_over_bound": machine.host.outputs[-1] / max(shares[busiest], dependence),
    }


def _channels(machine: Machine) -> list[tuple[int, str, str]]:
    """The channels of the networks of all chips: chip, from node, to node."""
    rows = machine.net.network
    assert rows is not None
    return [(chip, a, b) for chip in range(rows.copies) for a, b in rows.fabric.channels]


def _name(channel: tuple[int, str, str]) -> str:
    return f"chip{channel[0]}.{channel[1]}-{channel[2]}"


def _link_busy(machine: Machine) -> Figures:
    """How long each channel carried flits, in fs."""
    assert machine.net.network is not None
    busy: Figures = machine.links[0] * machine.net.network.period_fs
    return busy


def _network(machine: Machine, latency_fs: int) -> dict[str, Any]:
    """The network's fidelity and load, and a row for every channel in use."""
    flits, waited = machine.links
    critical, busy = machine.engine.link_charges(), _link_busy(machine)
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


def _attribution(machine: Machine) -> list[dict[str, Any]]:
    """The latency along the critical path by cause, part and op, the longest first."""
    charges = machine.engine.charges()
    rows = [
        {"cause": CAUSES[c], "part": machine.parts[p], "op": machine.ops[o], "fs": int(charges[c, p, o])}
        for c, p, o in zip(*np.nonzero(charges), strict=True)
    ]
    return sorted(rows, key=lambda row: (-row["fs"], row["cause"], row["part"], row["op"]))


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
        share = -(-int(busy[index]) // row.servers)
        entry["instances"] += 1
        entry["visits"] += int(visits[index])
        entry["busy_fs"] += int(busy[index])
        entry["waited_fs"] += int(waited[index])
        if share > entry["busiest_fs"]:
            entry["busiest"], entry["busiest_fs"] = row.name, share
    flits, queued = machine.links
    used = [i for i in range(len(flits)) if flits[i]]
    if used:
        held, channels = _link_busy(machine), _channels(machine)
        busiest = max(used, key=lambda i: (int(held[i]), -i))
        found["network"] = {
            "instances": len(used),
            "visits": int(flits.sum()),
            "busy_fs": int(held.sum()),
            "waited_fs": int(queued.sum()),
            "busiest": _name(channels[busiest]),
            "busiest_fs": int(held[busiest]),
        }
    return found
