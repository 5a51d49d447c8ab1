"""From a trace and a chip to a plan: tile, replicate, size the buffers, place; more chips if one is too small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import numpy as np

from pimsim.chip import Chip
from pimsim.collection import uncollected
from pimsim.errors import MappingError
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.fused import fused
from pimsim.mapping.flow.heads import groups_of
from pimsim.mapping.flow.stores import with_stores
from pimsim.mapping.flow.whole import wholly
from pimsim.mapping.planning.assign import assign
from pimsim.mapping.planning.bands import banded
from pimsim.mapping.planning.copies import Style
from pimsim.mapping.planning.job import Flows, Job
from pimsim.mapping.planning.kind import kinds_of
from pimsim.mapping.planning.limits import Limits
from pimsim.mapping.planning.options import PlanOptions, weight_bits_of, widths_of
from pimsim.mapping.planning.package import Package
from pimsim.mapping.planning.parallel import shared
from pimsim.mapping.planning.placement import NoRoom
from pimsim.mapping.planning.places import places_of
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.room import check_buffers, crowded
from pimsim.mapping.planning.rounds import counted, rounds_of
from pimsim.mapping.planning.shared import only_taken, owners_of, users_of
from pimsim.mapping.planning.whole import in_one_kernel
from pimsim.trace.bind import bind_batch
from pimsim.trace.schema import Trace

BUDGETS = [1.0, 0.97, 0.94, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2, 0.0]
"""Shares of the spare arrays that replication may use; less where buffers force arrays to stay idle."""

PARTS = (1, 4, 16)
"""Inputs that need more than such a part of a buffer lie in several, the smaller the parts, the better they fit in."""


def plan_trace(chip: Chip, trace: Trace, options: PlanOptions) -> Plan:
    """Map a trace on a chip, each tile where it comes; `pimsim.make_plan` goes on from there."""
    trace = bind_batch(trace)
    trace.require_bound()
    trace = shared(chip, trace)
    return plan_flows(chip, trace, flows_of(chip, trace, options), options)[0]


def flows_of(chip: Chip, trace: Trace, options: PlanOptions) -> Flows:
    """Return the data flow of a trace on a chip, with the widths that are asked for."""
    return Flows(trace.model, [build(trace, widths_of(options, chip.config.precision.input_bits))])


@uncollected()
def plan_flows(
    chip: Chip,
    trace: Trace,
    flows: Flows,
    options: PlanOptions | None = None,
    most: float = 1.0,
    style: Style | None = None,
) -> list[Plan]:
    """Map data flows of a trace on a chip together; return a plan for each. See `plan_trace`.

    `most` is the share of the spare arrays that copies may take, `style` where ops on digital units stand.
    """
    options = options or PlanOptions()
    jobs = {1: job_of(chip, trace, flows, options, 1)}
    limits = Limits.of(jobs[1], options)
    reason, parts = "", PARTS if len(flows.programs) == 1 else PARTS[:1]

    def tried(*, modest: bool) -> list[Plan] | None:
        nonlocal reason
        for count, part in product(limits.chips, parts):
            if part not in jobs:
                jobs[part] = job_of(chip, trace, flows, options, part)
            try:
                return _on(
                    Package(chip.config, count), jobs[part], limits.needed, most, style or Style(), modest
                )
            except NoRoom as failure:
                reason = str(failure)
        return None

    # Where there is no room for what keeps all going, there may be for what they cannot do without.
    found = tried(modest=False) or tried(modest=True)
    if found is not None:
        return found
    count = limits.chips[-1]
    if reason == "buffer":
        job_of(chip, trace, flows, options, 1, alone=False)  # says it if a buffer cannot hold an op's inputs
    names = chip.config.working
    raise MappingError(
        f"'{flows.model}' needs {counted(limits.needed)}, {count} x {chip.config.name} has "
        f"{counted(limits.per_chip, count)}, but no room in reach: not enough {reason}",
        mend="give more --chips or a larger "
        + (
            f"{chip.config.memory.name}.capacity_gib"
            if reason == "memory" and chip.config.memory
            else " or ".join(f"{name}.{site.store_at}.capacity_kib" for name, site in names.items())
        ),
    )


def job_of(
    chip: Chip, trace: Trace, flows: Flows, options: PlanOptions, part: int, *, alone: bool = True
) -> Job:
    """Say what is to be planned, with stores before layers whose inputs need more than a part of the buffer there.

    Not `alone`, or with several programs, nothing is dealt out and no store is there.
    """
    alone = alone and len(flows.programs) == 1
    config = chip.config
    native = config.precision
    input_bits = widths_of(options, native.input_bits).default
    kinds, given = kinds_of(config), flows
    while True:
        nodes = flows.programs[0]
        groups = groups_of(nodes)
        weight_bits = [weight_bits_of(node.op, options, native.weight_bits) for node in nodes]
        choices = assign(nodes, groups, kinds, config, weight_bits, input_bits)
        sites = [choice.site for choice in choices]
        kernels = [site is not None and kinds[site].whole for site in sites]
        if any(kernels):
            whole = wholly(flows.programs, kernels)
            programs = [
                fused(each, apart, in_one_kernel(apart, sites, kinds, input_bits))
                for each, apart in zip(whole, flows.programs, strict=True)
            ]
            flows = replace(flows, programs=programs)
            nodes = flows.programs[0]
            groups = groups_of(nodes)
        tilings = [
            kinds[site].tiling(node.op, bits)
            if site and node.on_arrays and node.op and not kinds[site].whole
            else None
            for node, site, bits in zip(nodes, sites, weight_bits, strict=True)
        ]
        tilings = banded(nodes, tilings, sites, kinds, config)
        owners = owners_of(nodes, tilings, sites)
        users = users_of(owners, tilings)
        least = [places_of(each, np.zeros(len(each), dtype=np.int64), kinds) for each in flows.programs]
        least = [only_taken(*each, users) for each in zip(flows.programs, least, strict=True)]
        apart = crowded(nodes, tilings, sites, least[0], kinds, part) if alone else set()
        if not apart:
            break
        flows = replace(flows, programs=[with_stores(nodes, apart)])
    try:
        for each, places in zip(flows.programs, least, strict=True):
            check_buffers(kinds, each, choices, tilings, places, groups, config, alone)
    except MappingError:
        if alone:
            job_of(chip, trace, given, options, part, alone=False)  # says what would do without a store
        raise
    return Job(chip, flows, tilings, choices, groups, owners, least, weight_bits, input_bits, part)


def _on(
    package: Package, job: Job, needed: Mapping[str, int], most: float, style: Style, modest: bool
) -> list[Plan]:
    """Return the plans on so many chips, with as many copies as there is room for; raise `NoRoom` if there is none."""
    nodes, sites, kinds = job.flows.programs[0], job.sites, package.kinds
    products = job.products(package)
    set_aside: Counter[str] = Counter()
    for n, arrays in job.written(products, kinds).items():
        set_aside[str(sites[n])] += arrays * products[n].slices
    there = {name: package.chips * kind.slots * kind.site.seats for name, kind in kinds.items()}
    if any(
        kinds[name].product_policy == "write" and needed[name] + aside > there[name]
        for name, aside in set_aside.items()
    ):
        raise NoRoom("arrays")
    failure = NoRoom("arrays")
    shares = BUDGETS[-1:] if modest else BUDGETS if job.part == 1 else BUDGETS[::4]
    for share in (each for each in shares if each <= most):
        rounds: list[int] | None = [0] * len(nodes)
        budget = {
            name: needed[name] + int(max(0, slots - needed[name] - set_aside[name]) * share)
            for name, slots in there.items()
        }
        if any(needed[name] > there[name] for name in needed):
            # Nothing is spare: rounds of fewer slots leave room where buffers are full.
            budget = {name: needed[name] for name in there}
            part = {name: int(slots * share) for name, slots in there.items()}
            rounds = rounds_of(nodes, job.tilings, sites, job.groups, part, job.owners)
        if rounds is None:
            continue
        try:
            return job.fill(package, budget, rounds, products, style, modest)
        except NoRoom as no_room:
            failure = no_room
    raise failure
