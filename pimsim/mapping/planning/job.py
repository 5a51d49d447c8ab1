"""What is to be planned, whatever the chips: copies are chosen, everything is placed, or there is no room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pimsim.chip import Chip
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import Group, slices_of
from pimsim.mapping.flow.stores import STORE
from pimsim.mapping.planning.assign import HOST_OPS, Choice
from pimsim.mapping.planning.copies import Copies, Style, choose_copies
from pimsim.mapping.planning.dealing import Deal
from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.memory import bytes_in_memory
from pimsim.mapping.planning.operands import give_operands
from pimsim.mapping.planning.package import HOST_TILE, Package
from pimsim.mapping.planning.placement import Floor, NoRoom
from pimsim.mapping.planning.places import wanted_of, works_apart
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planned import IN_BUFFERS, PlannedOp, Replica
from pimsim.mapping.planning.product import Product
from pimsim.mapping.planning.room import block_of, deals_of, spread_of
from pimsim.mapping.planning.shared import only_taken, owners_by_round, users_of
from pimsim.mapping.planning.slices import place_group
from pimsim.mapping.planning.stationary import BUFFER, MEMORY, SPREAD
from pimsim.mapping.planning.stripes import reach
from pimsim.mapping.planning.tiling import Tiling
from pimsim.mapping.planning.whole import bytes_beside, stages_of


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


@dataclass(frozen=True)
class Job:
    """What is to be planned, whatever the chips.

    Parameters
    ----------
    chip, flows, tilings, choices, groups, owners
        The ops, where they are done, and which of them have one weight.
    least : list of list of list of int
        For each program, op and input: tokens without whose places it can deadlock.
    weight_bits : sequence of int
        Of each op, the width of its weights.
    input_bits : int
        Of what states no width.
    part : int
        Inputs that take more than such a part of a buffer are shared out over several.
    """

    chip: Chip
    flows: Flows
    tilings: Sequence[Tiling | None]
    choices: Sequence[Choice]
    groups: Sequence[Group]
    owners: Sequence[int]
    least: list[list[list[int]]]
    weight_bits: Sequence[int]
    input_bits: int
    part: int
    _deals: dict[int, dict[int, Deal]] = field(default_factory=dict)
    _tried: dict[tuple[int, int], int] = field(default_factory=dict)
    _failed: list[tuple[object, NoRoom]] = field(default_factory=list)

    @property
    def sites(self) -> list[str | None]:
        """Of each op, the name of the sites that do it."""
        return [choice.site for choice in self.choices]

    def chips_for_maps(self) -> int:
        """Return the fewest chips whose buffers hold what waits at ops that do not take it straight from others."""
        held = 0
        for node, places in zip(self.flows.programs[0], self.least[0], strict=True):
            for edge, count in zip(node.edges, places, strict=True):
                if node.type not in HOST_OPS and not node.pointwise and not edge.held:
                    held += count * edge.features * edge.bits // 8
        there: int = sum(site.store.capacity_bytes * site.count for site in self.chip.config.working.values())
        return -(-held // there)

    def deals(self, package: Package) -> dict[int, Deal]:
        """Return the ops whose inputs are shared out over several tiles, and how."""
        if len(self.flows.programs) > 1:
            return {}
        if package.chips not in self._deals:
            about = self.flows.programs[0], self.choices, self.groups, self.least[0]
            self._deals[package.chips] = deals_of(*about, package, self.part, self._tried)
        return self._deals[package.chips]

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
                product = kind.product([nodes[n] for nodes in programs], slices)
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
        style: Style,
        modest: bool = False,
    ) -> list[Plan]:
        """Choose copies within a budget of arrays and place everything, or raise `NoRoom`.

        Where the copies are those that there was no room for before, nothing is placed again. If `modest`, inputs get
        what they cannot do without, and no more until all have that.
        """
        nodes = self.flows.programs[0]
        sites = self.sites
        if any(node.type == STORE and n not in self.deals(package) for n, node in enumerate(nodes)):
            raise NoRoom("buffer")
        owners = owners_by_round(self.owners, rounds)
        about = package.chips, style, modest, list(rounds)

        def unless(sets: Mapping[int, int]) -> None:
            for asked, failure in self._failed:
                if asked == (*about, sets):
                    raise failure

        copies = choose_copies(
            nodes,
            self.tilings,
            sites,
            package,
            budget,
            self.groups,
            self.least[0],
            rounds,
            owners,
            self.deals(package),
            style,
            unless,
        )
        try:
            return self._place(package, copies, rounds, products, owners, modest)
        except NoRoom as no_room:
            self._failed.append(((*about, copies.sets), no_room))
            raise

    def _place(
        self,
        package: Package,
        copies: Copies,
        rounds: Sequence[int],
        products: Mapping[int, Product],
        owners: Sequence[int],
        modest: bool,
    ) -> list[Plan]:
        """Place all copies, or raise `NoRoom`; parameters as of `fill`."""
        nodes, sites = self.flows.programs[0], self.sites
        users = users_of(owners, self.tilings)
        ahead = np.array([reach(node, copies.of[n]) for n, node in enumerate(nodes)], dtype=np.int64)
        apart = [
            copies.of[n] > 1 and works_apart(node, sites[n], package.kinds) for n, node in enumerate(nodes)
        ]
        wanted = [
            wanted_of(each, least, ahead, apart, package.kinds)
            for least, each in zip(self.least, self.flows.programs, strict=True)
        ]
        wanted = [only_taken(*each, users, 1) for each in zip(self.flows.programs, wanted, strict=True)]
        floor = Floor(package, self.flows.programs, self.least, wanted, copies.deals)
        floor.modest = modest
        floor.beside = bytes_beside(
            self.flows.programs, sites, package.kinds, self.weight_bits, self.flows.caches
        )
        stages = stages_of(nodes, sites, package)
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
            if node.type == STORE:
                op.unit = IN_BUFFERS
            if n in copies.deals:
                op.dealt = copies.deals[n].parts
            op.why = self.choices[n].why
            op.side_by_side = len(users.get(owners[n], ())) < 2 and works_apart(node, site, package.kinds)
            if site is not None and package.kinds[site].whole:
                op.whole = True
                op.how = package.kinds[site].how(node, self.weight_bits[n], self.input_bits)
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
                floor.note_work(op, copies.demand[n])
            elif op.attached:
                op.replicas = [Replica(r.home) for r in ops[node.edges[0].source].replicas]
            elif op.unit is None:
                op.replicas = [Replica(HOST_TILE)]
            elif package.kinds[str(site)].whole:
                self._place_whole(floor, n, op, stages[n])
            else:
                right_in[n] = self._spread_product(floor, n)
                beside = ops[copies.beside[n]].replicas if n in copies.beside else ()
                floor.place_on_units(n, op, ops, copies.of[n], copies.demand[n], beside)
        floor.close_round()
        plans = []
        for program, each in enumerate(self.flows.programs):
            own = [
                replace(
                    op, node=node, elsewhere={}, product_fs=products[n].fs[program] if n in products else None
                )
                for n, (op, node) in enumerate(zip(ops, each, strict=True))
            ]
            for number, op in enumerate(own):
                if op.attached:
                    op.parts = own[op.node.edges[0].source].parts
                elif op.slices == 1:
                    op.parts = floor.reads.parts(program, number, len(op.replicas))
            give_operands(own, package.kinds, right_in, written, self.weight_bits)
            places = dict(floor.granted[program])
            for n in copies.attached:
                dealt, more = (1, 0) if n in group_of else (copies.of[n], 1)
                for tile in own[n].buffer_tiles:
                    few = -(-self.least[program][n][0] // dealt) + more
                    places[n, 0, tile] = max(package.site(tile).in_flight, few)
            slack = floor.slack(program)
            for (n, edge, part), tiles in floor.elsewhere.items():
                own[n].elsewhere[edge, part] = tiles
            for n, (rows, _) in floor.blocks.items():
                own[n].rows_at_once = rows
            plans.append(Plan(self.chip, package, own, places, self.input_bits, copies.pace_fs, slack))
        if plans[0].rounds > 1:
            for chip, size in enumerate(floor.off_chip):
                if max(bytes_in_memory(plan).get(chip, 0) for plan in plans) > size:
                    raise NoRoom("memory")
        return plans

    def _place_whole(self, floor: Floor, number: int, op: PlannedOp, stage: int) -> None:
        """Put a kernel on its processor, or a share of it on each."""
        kind = floor.kinds[str(op.site)]
        seats = (
            floor.package.seats_of(str(op.site))[: kind.site.sharers] if kind.site.sharers > 1 else [stage]
        )
        for tile in seats:
            floor.place_whole(number, op, tile)
        op.slices = op.sharers = len(seats)

    def _spread_product(self, floor: Floor, number: int) -> str:
        """Let what is too large of a product's inputs lie in several buffers; return where its right matrix is."""
        capacity = floor.kinds[str(self.choices[number].site)].site.store.capacity_bytes / self.part
        nodes = [each[number] for each in self.flows.programs]
        if nodes[0].right is None:
            return BUFFER
        about = self.flows.programs, [number], self.least, 1
        if spread_of(*about, capacity):
            floor.outside |= spread_of(*about, capacity / 4)
            self._take_blocks(floor, [number], 1, capacity)
        right = next(n for n, edge in enumerate(nodes[0].edges) if edge.held)
        return SPREAD if (number, right) in floor.outside else BUFFER

    def _take_blocks(self, floor: Floor, members: Iterable[int], slices: int, capacity: float) -> None:
        """Set room aside for the rows of products for which a piece of a right matrix is fetched once."""
        nodes = self.flows.programs[0]
        apart = [
            n
            for n in members
            if any(e.held and (n, k) in floor.outside for k, e in enumerate(nodes[n].edges))
        ]
        for n in apart:
            each = [program[n] for program in self.flows.programs]
            floor.blocks[n] = block_of(each, slices, capacity / (2 * len(apart)))

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
            ways += [(SPREAD, {})] if not in_turns else []
        slices = copies.slices[group.members[0]]
        about = self.flows.programs, group.members, self.least, slices
        capacity = floor.kinds[site].site.store.capacity_bytes / self.part
        for number, (right_in, arrays) in enumerate(ways):
            try:
                floor.outside |= spread_of(
                    *about,
                    capacity / (4 if right_in == SPREAD else 1),
                    self.flows.caches,
                    held=right_in == SPREAD,
                )
                self._take_blocks(floor, group.members, slices, capacity)
                place_group(floor, group, site, anchors, copies, right_in, self.flows.caches, arrays)
            except NoRoom:
                if number == len(ways) - 1:
                    raise
            else:
                return
