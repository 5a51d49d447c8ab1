"""How many copies of each op: layers by what binds them, digital work so that it keeps their pace."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import Group, slices_of
from pimsim.mapping.flow.stores import STORE
from pimsim.mapping.planning import ports
from pimsim.mapping.planning.dealing import Deal
from pimsim.mapping.planning.kind import BUS, PORT, Kind
from pimsim.mapping.planning.package import Package
from pimsim.mapping.planning.replication import Layer, balance, pace_fs
from pimsim.mapping.planning.shared import users_of
from pimsim.mapping.planning.stripes import are_striped
from pimsim.mapping.planning.tiling import Tiling

HELD = 1 / 4
"""Of a buffer: what a copy of an op that takes stripes holds, at most, so that others have room beside it."""

GRAIN, EASE = 1 / 3, 1.1
"""Where slots of a site take turns at its unit: a copy keeps it busy for no more than the first, if there are slots, so
that several fill it; and the pace aimed at is the second times what all units allow, since copies do not fill them
evenly. Tried on shipped nets."""

HALF = 1 / 2
"""Of the time, for which a port may be busy where it counts: then its queue is half a packet in the mean (M/D/1;
Kleinrock, Queueing Systems I, 1975), and beyond it grows fast."""


@dataclass(frozen=True, slots=True)
class Style:
    """Where ops on digital units stand. Which is best depends on all that the network carries: plans are compared.

    Parameters
    ----------
    beside : bool
        Whether ops that join stripes have a copy beside each of their last source's; else as many as keep the pace,
        near all sources.
    ports : bool
        Whether they go where tiles' ports are busy for no more than half of the time; else units, buses and buffers
        count.
    """

    beside: bool = True
    ports: bool = False


@dataclass(slots=True)
class Copies:
    """What is decided before anything is placed.

    Parameters
    ----------
    of : dict of int to int
        Copies of each op.
    sets : dict of int to int
        By the first op that reads a weight, in how many sets of slots it stands: its users take turns on them.
    slices : dict of int to int
        Of the ops that are cut by attention heads, how many slices; they are their copies too.
    attached : set of int
        Ops that take their input straight from the copy of the op before.
    demand : dict of int to dict of str to float
        Share of a tile's units, by their names, that a copy keeps busy at the pipeline's pace, with what is attached to
        it. Of an op that is not, the share of the tile's link where that is more.
    pace_fs : int
        Time an inference of the slowest layer on arrays; 0 if there is none.
    deals : dict of int to Deal
        Ops whose copies are as many as hold their inputs together.
    beside : dict of int to int
        Ops whose copies stand beside those of a source, one to one.
    """

    of: dict[int, int]
    sets: dict[int, int]
    slices: dict[int, int] = field(default_factory=dict)
    attached: set[int] = field(default_factory=set)
    demand: dict[int, dict[str, float]] = field(default_factory=dict)
    pace_fs: int = 0
    deals: dict[int, Deal] = field(default_factory=dict)
    beside: dict[int, int] = field(default_factory=dict)


def choose_copies(
    nodes: Sequence[Node],
    tilings: Sequence[Tiling | None],
    sites: Sequence[str | None],
    package: Package,
    budget: Mapping[str, int],
    groups: Sequence[Group],
    least: Sequence[Sequence[int]],
    rounds: Sequence[int],
    owners: Sequence[int],
    deals: Mapping[int, Deal],
    style: Style,
    unless: Callable[[Mapping[int, int]], None],
) -> Copies:
    """Choose copies so that the pipeline is balanced.

    Parameters
    ----------
    nodes, tilings, sites
        The ops: their data flow, and where they are done.
    package : Package
        The chips; more copies of an op than there are units in them win nothing.
    budget : mapping of str to int
        Slots that copies may use in all, by the name of the sites.
    groups : sequence of Group
        Ops that are cut by attention heads together.
    least : sequence of sequence of int
        Tokens that each input of each op must have room for.
    rounds : sequence of int
        When each op is done, where weights are reloaded.
    owners : sequence of int
        For each op, the first one whose weight is its own, too.
    deals : mapping of int to Deal
        Ops whose inputs do not fit one tile: how they fit several.
    style : Style
        Where ops on digital units stand.
    unless : function
        Is told in how many sets of slots each weight stands, and raises if all that follows from that is of no use.
    """
    choice = _Choice(nodes, tilings, sites, package, groups, least, rounds, deals, style)
    sets = choice.sets(budget, owners)
    unless(sets)
    return choice.made(sets)


def joins_stripes(node: Node) -> bool:
    """Whether an op puts several inputs together position by position, in stripes."""
    return len(node.edges) > 1 and are_striped(node) and all(map(ports.own_token, node.edges))


class _Choice:
    """Working state of `choose_copies`; parameters as there."""

    def __init__(
        self,
        nodes: Sequence[Node],
        tilings: Sequence[Tiling | None],
        sites: Sequence[str | None],
        package: Package,
        groups: Sequence[Group],
        least: Sequence[Sequence[int]],
        rounds: Sequence[int],
        deals: Mapping[int, Deal],
        style: Style,
    ) -> None:
        network = package.config.network
        self.nodes, self.tilings, self.sites, self.package = nodes, tilings, sites, package
        self.kinds, self.least, self.rounds, self.deals = package.kinds, least, rounds, deals
        self.bit_fs = package.config.clocks[network.clock].period_fs / network.link_width_bits
        self.per_tile = [package.kinds[site].slots if site else 0 for site in sites]
        self.group_of = {n: group for group in groups for n in group.members}
        self.layers: dict[int, Layer] = {}  # by the first op that reads a weight
        self.copies, self.style = Copies({}, {}), style
        self.spread: list[float] = []
        self.users: Mapping[int, Sequence[int]] = {}

    def sets(self, budget: Mapping[str, int], owners: Sequence[int]) -> dict[int, int]:
        """Return in how many sets of slots each weight stands, by the first op that reads it."""
        self.users = users_of(owners, self.tilings)
        self.layers = {n: self._layer(n, each) for n, each in self.users.items()}
        chosen = balance(list(self.layers.values()), budget, self._floor_fs())
        return dict(zip(self.layers, chosen, strict=True))

    def made(self, sets: dict[int, int]) -> Copies:
        """Return copies of all ops."""
        copies, layers = self.copies, list(self.layers.values())
        copies.sets = sets
        copies.of = {
            n: min(sets[owner], self.nodes[n].positions) for owner, each in self.users.items() for n in each
        }
        copies.pace_fs = max(pace_fs(layers, list(sets.values())), round(EASE * self._units_fs()))
        self.spread = ports.sent_times(self.nodes, self.tilings, copies.of, self.per_tile)
        for n, node in enumerate(self.nodes):
            if n in copies.of:
                copies.demand[n] = {}
            elif self.sites[n] is None:  # the host's ends
                copies.of[n] = 1
            elif node.type == STORE:
                copies.of[n], copies.demand[n], copies.deals[n] = len(self.deals[n].parts), {}, self.deals[n]
            elif self.kinds[str(self.sites[n])].whole:  # it goes where its inputs are
                copies.of[n], copies.demand[n] = 1, {}
            elif n in self.group_of and self.group_of[n].slices > 1:
                self._slice(n)
            elif not self._attach(n):
                self._stand_alone(n)
        if copies.pace_fs and self.style.ports:
            self._load_ports()
        return copies

    def _load_ports(self) -> None:
        """Add what copies send through their tile's port to their demand: at half of the time it is all there is."""
        copies, first = self.copies, list(range(len(self.nodes)))
        near = Counter(copies.beside.values())  # readers in the same tile
        for n in copies.attached:
            near[self.nodes[n].edges[0].source] += 1
        for n, node in enumerate(self.nodes):
            if n in copies.attached:
                first[n] = first[node.edges[0].source]
            if n not in copies.slices and self.sites[n] is not None:
                sent = ports.sent_by(node) * max(0.0, self.spread[n] - near[n]) * self.bit_fs
                demand = copies.demand[first[n]]
                demand[PORT] = demand.get(PORT, 0.0) + sent / (HALF * copies.of[n] * copies.pace_fs)

    def _layer(self, number: int, users: Sequence[int]) -> Layer:
        """Return what an inference takes a layer: the users of one weight follow one another."""
        nodes, tiling, name = self.nodes, self.tilings[number], str(self.sites[number])
        assert tiling is not None
        kind, bits = self.kinds[name], max(nodes[n].read_bits for n in users)
        taken = [ports.taken_by_layer(nodes, n, self.tilings, self.per_tile) for n in users]
        sent = sum(ports.sent_by(nodes[n]) for n in users)  # a digital op after it can send it on
        return Layer(
            positions=sum(nodes[n].positions for n in users),
            step_fs=(kind.alone_fs if kind.in_turn else kind.slot_fs)(tiling, bits),
            arrays=tiling.arrays,
            site=name,
            per_site=self.per_tile[number],
            # The users mostly follow one another: more copies than the largest can use would be idle.
            most=max(nodes[n].positions for n in users),
            port_fs=max(
                max(sum(shared for shared, _ in taken), sent) * self.bit_fs,
                sum(nodes[n].positions for n in users) * self._bus_fs(tiling, kind, bits),
            ),
            tensor_fs=sum(whole for _, whole in taken) * self.bit_fs,
            host_fs=sum(ports.given_to(nodes, n) for n in users) * self.bit_fs / self.package.bundle,
            again=max(ports.taken_again(nodes, n) for n in users),
            seats=len(self.package.seats_of(name)) if kind.in_turn else 0,
        )

    def _bus_fs(self, tiling: Tiling, kind: Kind, input_bits: int) -> float:
        """Return how long a firing of a copy that stands apart holds the bus of a tile at most, fs.

        Where slots do not take turns their buses are made for all of them at work, and count as nothing here.
        """
        if not kind.in_turn:
            return 0.0
        return max(kind.held_fs(tiling, [block], input_bits)[BUS] for block in set(tiling.blocks))

    def _floor_fs(self) -> float:
        """Return what no copies make faster: the host's links, a tile's link where it needs all of a tensor.

        Where slots take turns at units, more copies than fill these would be of no use.
        """
        nodes = self.nodes
        given = sum(ports.sent_by(node) for node in nodes if node.type == "Input") / self.package.bundle
        whole = (
            ports.taken_of(nodes, n, edge)[1]
            for n, node in enumerate(nodes)
            for edge in node.edges
            if n not in self.deals
        )
        return max(max(given, max(whole, default=0.0)) * self.bit_fs, GRAIN * self._units_fs())

    def _units_fs(self) -> float:
        """Return the time of all products where slots take turns at their site's unit: copies share it as it is."""
        found = 0.0
        for name in {layer.site for layer in self.layers.values() if layer.seats}:
            own = [
                (tiling, layer.positions, max(self.nodes[user].read_bits for user in self.users[n]))
                for n, layer in self.layers.items()
                if layer.site == name and (tiling := self.tilings[n]) is not None
            ]
            seats = len(self.package.seats_of(name))
            found = max(found, self.kinds[name].least_fs(own, seats))
        return found

    # -- ops on digital units ----------------------------------------------------------------------------------

    def _unit(self, number: int) -> str:
        unit = self.kinds[str(self.sites[number])].site.unit_of(self.nodes[number].type)
        assert unit is not None
        return unit

    def _slice(self, number: int) -> None:
        """An op that is cut by attention heads has a copy a slice."""
        node, copies, group = self.nodes[number], self.copies, self.group_of[number]
        kind = self.kinds[str(self.sites[number])]
        slices = slices_of(group, len(self.package.seats_of(kind.site.name)))
        copies.of[number] = copies.slices[number] = slices
        if node.pointwise and self.group_of.get(node.edges[0].source) is group:
            copies.attached.add(number)
        often = node.positions / copies.pace_fs if copies.pace_fs else 0.0
        copies.demand[number] = {self._unit(number): kind.service_fs(node, slices) * often}
        if number not in copies.attached:
            copies.demand[number][BUS] = kind.brings_fs(node, slices) * often

    def _attach(self, number: int) -> bool:
        """Let an op take its input straight from the op before, if that is possible and their tiles keep the pace."""
        node, copies, unit = self.nodes[number], self.copies, self._unit(number)
        source = node.edges[0].source
        possible = (
            number not in self.group_of
            and source not in copies.slices
            and self.nodes[source].type != "Input"
            and self.rounds[source] == self.rounds[number]
            and self.sites[source] == self.sites[number]
            and node.pointwise
            and self.nodes[source].positions == node.positions
        )
        if not possible:
            return False
        first = source
        while first in copies.attached:
            first = self.nodes[first].edges[0].source
        demand = 0.0
        if copies.pace_fs:
            service = self.kinds[str(self.sites[number])].service_fs(node)
            demand = -(-node.positions // copies.of[source]) * service / copies.pace_fs
            if copies.demand[first].get(unit, 0.0) + demand > 1 or self._sent(number, first) > copies.pace_fs:
                return False
        copies.demand[first][unit] = copies.demand[first].get(unit, 0.0) + demand
        copies.attached.add(number)
        copies.of[number] = copies.of[source]
        if source in copies.deals:
            copies.deals[number] = copies.deals[source]
        return True

    def _sent(self, number: int, first: int) -> float:
        """Return how long what goes out takes the link of a tile, fs, if an op is beside the copies of another.

        Without stripes it counts as nothing: tokens go out one after another, which takes as long from anywhere.
        """
        node, copies = self.nodes[number], self.copies.of[first]
        if not are_striped(node):
            return 0.0
        tiles = self.layers[first].homes(copies) if first in self.layers else copies
        return ports.sent_by(node) * self.spread[number] * self.bit_fs / tiles

    def _stand_alone(self, number: int) -> None:
        """Give an op as many copies as its work, its links and what it holds ask for."""
        node, copies, name, unit = (
            self.nodes[number],
            self.copies,
            str(self.sites[number]),
            self._unit(number),
        )
        kind = self.kinds[name]
        # Copies share the outputs, and the inputs too unless each needs all of them.
        taken = sum(ports.taken_of(self.nodes, number, edge)[0] for edge in node.edges)
        moved = max(ports.sent_by(node) * self.spread[number], taken)
        brought = kind.brings_fs(node)
        service = max(kind.service_fs(node), moved * self.bit_fs / node.positions, brought)
        pace = copies.pace_fs or service * node.positions
        if number in self.deals:
            wanted, copies.deals[number] = len(self.deals[number].parts), self.deals[number]
        else:
            reduces = node.tokens != node.positions  # over positions: one sees all
            wanted = 1 if reduces else max(math.ceil(node.positions * service / pace), self._to_hold(number))
            wanted = min(wanted, len(self.package.seats_of(name)) * kind.site.digital[unit].count)
            wanted = max(wanted, self._beside(number))
        copies.of[number] = max(1, min(node.positions, wanted))
        firings = -(-node.positions // copies.of[number])
        copies.demand[number] = {unit: firings * service / pace, BUS: firings * brought / pace}

    def _beside(self, number: int) -> int:
        """Return the copies of the last source of an op that joins stripes, to stand beside them; 1 if there is none.

        The last one is the longest on its way. Its tokens then stay in the tile, and each copy takes them as they come:
        fewer copies would wait for a stripe to be over before they begin the next. Where slots take turns at a unit,
        more copies in a tile win nothing.
        """
        node, copies = self.nodes[number], self.copies
        source = max(edge.source for edge in node.edges)
        site = self.kinds[str(self.sites[number])]
        may = self.style.beside and not site.in_turn and joins_stripes(node)
        if not may or source in self.deals or self.nodes[source].positions != node.positions:
            return 1
        if copies.of[source] > 1:
            copies.beside[number] = source
        return copies.of[source]

    def _to_hold(self, number: int) -> int:
        """Return the copies that share what must be held, where each takes tokens of its own."""
        node = self.nodes[number]
        if not all(ports.own_token(edge) for edge in node.edges):
            return 1
        rows = zip(self.least[number], node.edges, strict=True)
        held = sum(places * edge.features * edge.bits / 8 for places, edge in rows)
        capacity = self.kinds[str(self.sites[number])].site.store.capacity_bytes
        if are_striped(node):
            return math.ceil(held / (capacity * HELD))
        return math.ceil(2 * held / capacity) if held > capacity else 1
