"""From a trace and a chip to a plan: tile, replicate, size the buffers, place; more chips if one is too small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np

from pimsim.chip import Chip, ChipConfig
from pimsim.collection import uncollected
from pimsim.errors import MappingError
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import Group, groups_of, slices_of
from pimsim.mapping.planning.assign import Choice, assign
from pimsim.mapping.planning.copies import Copies, choose_copies, own_token
from pimsim.mapping.planning.kind import Kind, kinds_of
from pimsim.mapping.planning.memory import bytes_in_memory
from pimsim.mapping.planning.operands import give_operands
from pimsim.mapping.planning.options import PlanKeywords, PlanOptions, stated_bits
from pimsim.mapping.planning.package import HOST_TILE, Package
from pimsim.mapping.planning.placement import Floor, NoRoom
from pimsim.mapping.planning.places import places_of
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planned import PlannedOp, Replica
from pimsim.mapping.planning.product import Product
from pimsim.mapping.planning.rounds import check_reload, chips_for, counted, largest, rounds_of, slots_of
from pimsim.mapping.planning.shared import only_taken, owners_by_round, owners_of, users_of
from pimsim.mapping.planning.stationary import BUFFER, MEMORY
from pimsim.mapping.planning.tiling import Tiling
from pimsim.trace.bind import bind_batch
from pimsim.trace.schema import Trace

BUDGETS = [1.0, 0.97, 0.94, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2, 0.0]
"""Shares of the spare arrays that replication may use; less where buffers force arrays to stay idle."""


def make_plan(
    chip: Chip, trace: Trace, options: PlanOptions | None = None, **changes: Unpack[PlanKeywords]
) -> Plan:
    """Map a trace on a chip.

    Parameters
    ----------
    chip : Chip
        What to map on.
    trace : Trace
        What to map.
    options : PlanOptions, optional
        What is asked.
    **changes
        Options by name: ``chips``, ``weight_bits``, ``input_bits``, ``reload``.

    Raises
    ------
    ConfigError
        If an option is wrong.
    MappingError
        If the model does not fit; says what is needed and what there is.
    TraceError
        If a symbol of the trace has no value.
    """
    trace = bind_batch(trace)
    trace.require_bound()
    flows = Flows(trace.model, [build(trace)])
    return plan_flows(chip, trace, flows, replace(options or PlanOptions(), **changes))[0]


@dataclass(frozen=True)
class Flows:
    """Data flows of one model that share its weights' arrays and its ops' places: the same ops in the same order.

    Parameters
    ----------
    model : str
        Its name.
    programs : list of list of Node
        The data flows; the first says how the chip is shared out.
    caches : int
        How many sequences have a cache at once.
    runs : tuple of int
        How often each runs.
    """

    model: str
    programs: list[list[Node]]
    caches: int = 1
    runs: tuple[int, ...] = (1,)


@uncollected()
def plan_flows(chip: Chip, trace: Trace, flows: Flows, options: PlanOptions | None = None) -> list[Plan]:
    """Map data flows of a trace on a chip together; return a plan for each. See `make_plan`."""
    config, options = chip.config, options or PlanOptions()
    chips, reload = options.chips, options.reload
    weight_bits = options.weight_bits or stated_bits(trace, "weight") or config.precision.weight_bits
    input_bits = options.input_bits or stated_bits(trace, "activation") or config.precision.input_bits
    nodes = flows.programs[0]
    groups, kinds = groups_of(nodes), kinds_of(config)
    choices = assign(nodes, groups, kinds, config, weight_bits, input_bits)
    sites = [choice.site for choice in choices]
    tilings = [
        kinds[site].tiling(node.op, weight_bits) if site and node.on_arrays and node.op else None
        for node, site in zip(nodes, sites, strict=True)
    ]
    owners = owners_of(nodes, tilings, sites)
    needed = slots_of(range(len(nodes)), tilings, sites, owners)
    per_chip = {name: kind.slots * kind.site.seats for name, kind in kinds.items()}
    able = not reload and config.memory is not None and all(kinds[name].writable for name in needed)
    fewest = chips_for(needed, per_chip)
    need, most = f"the weights of '{flows.model}' need", needed
    if reload and any(needed[name] > per_chip[name] * (chips or 1) for name in needed):
        check_reload(config, [kinds[name] for name in needed])
        if any(kinds[name].product_policy == "write" for name in needed):
            raise MappingError(
                "products of two activations are not written into arrays whose weights take turns",
                where=f"{config.name}: products",
                mend="set it to digital or auto, or leave --reload out",
            )
        most = largest(nodes, tilings, sites, groups, owners)
        fewest, need = chips_for(most, per_chip), f"a part of '{flows.model}' that cannot be cut needs"
    if chips is not None and chips < fewest:
        other = ", leave it out, or add --reload" if able else ", or leave it out"
        raise MappingError(
            f"{need} {counted(most)}, {chips} x {config.name} has {counted(per_chip, chips)}",
            mend=f"give --chips {fewest} or more{other}",
        )
    users = users_of(owners, tilings)
    least = [places_of(each, np.zeros(len(each), dtype=np.int64), kinds) for each in flows.programs]
    least = [only_taken(*each, users) for each in zip(flows.programs, least, strict=True)]
    for each, places in zip(flows.programs, least, strict=True):
        _check_buffers(kinds, each, choices, tilings, places, input_bits, groups, config)
    job = _Job(chip, flows, tilings, choices, groups, owners, least, weight_bits, input_bits)
    reason = ""
    for count in [chips] if chips is not None else range(fewest, 2 * fewest + 3):
        package = Package(config, count)
        products = job.products(package)
        set_aside: Counter[str] = Counter()
        for n, arrays in job.written(products, kinds).items():
            set_aside[str(sites[n])] += arrays * products[n].slices
        there = {name: count * slots for name, slots in per_chip.items()}
        if any(
            kinds[name].product_policy == "write" and needed[name] + aside > there[name]
            for name, aside in set_aside.items()
        ):
            reason = "arrays"
            continue
        for share in BUDGETS:
            rounds: list[int] | None = [0] * len(nodes)
            budget = {
                name: needed[name] + int(max(0, slots - needed[name] - set_aside[name]) * share)
                for name, slots in there.items()
            }
            if any(needed[name] > there[name] for name in needed):
                # Nothing is spare: rounds of fewer slots leave room where buffers are full.
                budget = {name: needed[name] for name in there}
                part = {name: int(slots * share) for name, slots in there.items()}
                rounds = rounds_of(nodes, tilings, sites, groups, part, owners)
            if rounds is None:
                continue
            try:
                return job.fill(package, budget, rounds, products)
            except NoRoom as failure:
                reason = str(failure)
    raise MappingError(
        f"'{flows.model}' needs {counted(needed)}, {count} x {config.name} has {counted(per_chip, count)}, but no "
        f"room in reach: not enough {reason}",
        mend="give more --chips or a larger "
        + (
            f"{config.memory.name}.capacity_gib"
            if reason == "memory"
            else " or ".join(f"{name}.buffer.capacity_kib" for name in kinds)
        ),
    )


@dataclass(frozen=True)
class _Job:
    """What is to be planned, whatever the chips."""

    chip: Chip
    flows: Flows
    tilings: Sequence[Tiling | None]
    choices: Sequence[Choice]
    groups: Sequence[Group]
    owners: Sequence[int]
    least: list[list[list[int]]]
    weight_bits: int
    input_bits: int

    def products(self, package: Package) -> dict[int, Product]:
        """Return the products of two activations that arrays could do, where the chip's policy is not to do none."""
        programs = self.flows.programs
        found: dict[int, Product] = {}
        for group in self.groups:
            kind = package.kinds[str(self.choices[group.members[0]].site)]
            if kind.product_policy == "digital":
                continue
            slices = slices_of(group, len(package.seats_of(kind.site.name)))
            for n in group.members if slices > 1 else ():
                product = kind.product([nodes[n] for nodes in programs], slices, self.input_bits)
                if product is not None:
                    found[n] = product
        return found

    def written(self, products: Mapping[int, Product], kinds: Mapping[str, Kind]) -> dict[int, int]:
        """Return those that are to be written into arrays, and the arrays that each slice needs for it."""
        return {
            n: product.arrays(self.flows.caches)
            for n, product in products.items()
            if kinds[str(self.choices[n].site)].product_policy == "write" or product.faster(self.flows.runs)
        }

    def fill(
        self,
        package: Package,
        budget: Mapping[str, int],
        rounds: Sequence[int],
        products: Mapping[int, Product],
    ) -> list[Plan]:
        """Choose copies within a budget of arrays and place everything, or raise `NoRoom`."""
        nodes = self.flows.programs[0]
        sites = [choice.site for choice in self.choices]
        owners = owners_by_round(self.owners, rounds)
        users = users_of(owners, self.tilings)
        copies = choose_copies(
            nodes,
            self.tilings,
            sites,
            package,
            self.input_bits,
            budget,
            self.groups,
            self.least[0],
            rounds,
            owners,
        )
        ahead = np.array([2 * copies.of[n] for n in range(len(nodes))], dtype=np.int64)
        # What keeps the pipeline going: inputs for every copy's next firing, and a place for every result under way.
        wanted = [
            [
                [places + 2 * copies.of[edge.source] for places, edge in zip(row, node.edges, strict=True)]
                for row, node in zip(places_of(each, ahead, package.kinds), each, strict=True)
            ]
            for each in self.flows.programs
        ]
        wanted = [only_taken(*each, users, 1) for each in zip(self.flows.programs, wanted, strict=True)]
        floor = Floor(package, self.input_bits, self.flows.programs, self.least, wanted)
        ops: list[PlannedOp] = []
        right_in: dict[int, str] = {}
        written = self.written(products, package.kinds)
        if rounds[-1] > 0:
            written = {}
        group_of = {n: g for g in self.groups if copies.slices.get(g.members[0], 1) > 1 for n in g.members}
        for n, node in enumerate(nodes):
            site, tiling = sites[n], self.tilings[n]
            unit = None if site is None or tiling else package.kinds[site].site.unit_of(node.type)
            op = PlannedOp(node, tiling=tiling, unit=unit, attached=n in copies.attached, site=site)
            op.why = self.choices[n].why
            if n and rounds[n] > rounds[n - 1]:
                floor.open_round()
            op.round = rounds[n]
            ops.append(op)
            if n in group_of:
                if n not in floor.grouped:
                    self._place_group(floor, group_of[n], ops, copies, written, rounds[-1] > 0)
                op.slices = copies.slices[n]
                op.replicas, right_in[n] = floor.grouped[n]
            elif op.tiling is not None:
                if n not in floor.placed:
                    floor.place_weight(op, users[n], copies)
                op.replicas, op.shares = floor.placed[n]
            elif op.attached:
                op.replicas = [Replica(r.home) for r in ops[node.edges[0].source].replicas]
            elif op.unit is None:
                op.replicas = [Replica(HOST_TILE)]
            else:
                floor.place_on_units(n, op, ops, copies.of[n], copies.demand[n])
                right_in[n] = BUFFER
        plans = []
        for program, each in enumerate(self.flows.programs):
            own = [
                replace(op, node=node, product_fs=products[n].fs[program] if n in products else None)
                for n, (op, node) in enumerate(zip(ops, each, strict=True))
            ]
            give_operands(own, package.kinds, right_in, written, self.weight_bits, self.input_bits)
            places = dict(floor.granted[program])
            for n in copies.attached:
                dealt, more = (1, 0) if n in group_of else (copies.of[n], 1)
                for tile in own[n].buffer_tiles:
                    few = -(-self.least[program][n][0] // dealt) + more
                    places[n, 0, tile] = max(package.site(tile).in_flight, few)
            bits, slack = (self.weight_bits, self.input_bits), floor.slack(program)
            plans.append(Plan(self.chip, package, own, places, *bits, copies.pace_fs, slack))
        if plans[0].rounds > 1:
            for chip, size in enumerate(floor.off_chip):
                if max(bytes_in_memory(plan).get(chip, 0) for plan in plans) > size:
                    raise NoRoom("memory")
        return plans

    def _place_group(
        self,
        floor: Floor,
        group: Group,
        ops: list[PlannedOp],
        copies: Copies,
        written: Mapping[int, int],
        in_turns: bool,
    ) -> None:
        """Place the slices of a group, its right matrices and caches on chip while they fit, else off the chip.

        Where arrays to write them into would be faster but there are none left, they go where they would go otherwise.
        """
        nodes = self.flows.programs[0]
        outside = [e.source for n in group.members for e in nodes[n].edges if e.source < len(ops)]
        homes = [r.home for n in outside for r in ops[n].replicas if r.home != HOST_TILE]
        site = str(self.choices[group.members[0]].site)
        anchors = homes or [floor.orders[site][0]]
        cached = any(
            edge.cached for each in self.flows.programs for n in group.members for edge in each[n].edges
        )
        own = {n: arrays for n, arrays in written.items() if n in group.members}
        ways = [(BUFFER, own)] if own else []
        if not own or floor.kinds[site].product_policy == "auto":
            # Between rounds others use a buffer.
            ways += [(BUFFER, {})] if not (in_turns and cached) else []
            ways += [(MEMORY, {})] if self.chip.config.memory is not None else []
        for number, (right_in, arrays) in enumerate(ways):
            try:
                floor.place_group(group, site, anchors, copies, right_in, self.flows.caches, arrays)
            except NoRoom:
                if number == len(ways) - 1:
                    raise
            else:
                return


def _check_buffers(
    kinds: Mapping[str, Kind],
    nodes: list[Node],
    choices: Sequence[Choice],
    tilings: Sequence[Tiling | None],
    least: list[list[int]],
    input_bits: int,
    groups: Sequence[Group],
    config: ChipConfig,
) -> None:
    """Refuse a model with an op whose inputs do not fit even an empty tile."""
    slices = {n: group.slices for group in groups for n in group.members}
    for number, (node, tiling, places) in enumerate(zip(nodes, tilings, least, strict=True)):
        name = choices[number].site
        if name is None:
            continue
        kind, capacity = kinds[name], kinds[name].site.buffer.capacity_kib * 1024
        share = tiling.share(tiling.blocks[: kind.slots]) if tiling else 1 / slices.get(number, 1)
        need = 0.0
        for n, edge in zip(places, node.edges, strict=True):
            if edge.held and (config.memory is not None or kind.product_policy != "digital"):
                continue  # it may lie off the chip, or in arrays
            dealt = tiling is None and all(own_token(each) for each in node.edges)  # copies share it out
            tokens = min(n, 2) if dealt else n + edge.cached / edge.features
            need += tokens * edge.features * share * input_bits / 8
        if need > capacity:
            raise MappingError(
                f"its inputs need {need / 1024:.1f} KiB of buffer in one tile, "
                f"{config.name} has {capacity / 1024:g} KiB",
                where=f"op '{node.name}' ({node.type})",
                mend=f"give --set {name}.buffer.capacity_kib={2 ** int(np.ceil(np.log2(need / 1024)))}, "
                "fewer --input-bits or a smaller input",
            )
