"""Ways of data over a package as steps of a path: buffer ports, buses, network links, external links."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from copy import copy

from pimsim.chip.base import Energy, Visit, cost
from pimsim.chip.parts.clock import period_fs
from pimsim.dram.channel import Channel
from pimsim.errors import MappingError
from pimsim.mapping.planning.package import EXTERNAL, HOST_TILE, Package
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Leaf, NetworkRows, Step, Tree
from pimsim.network.fabric import Fabric, tree_rows


class Transport:
    """Makes the resources that move data when they are first used, and the steps of paths over them.

    Parameters
    ----------
    package : Package
        The chips.
    net : Netlist
        Where the resources go.
    """

    def __init__(self, package: Package, net: Netlist) -> None:
        self.package, self.config = package, package.config
        self.net = net
        self._made: dict[Hashable, int] = {}
        self._paths = 0
        network = self.config.network
        net.tiles = package.tiles
        self.fabric = Fabric(package.graph, network.router)
        net.network = NetworkRows(
            self.fabric,
            package.chips,
            self.config.clocks[network.clock].period_fs,
            network.fidelity == "flit",
        )

    def over(self, net: Netlist) -> Transport:
        """Return the same ways over a copy of the rows, or over none yet, to ask what something would take."""
        other = copy(self)
        other.net, other._made = net, self._made.copy() if net.resources else {}
        return other

    def resource(
        self,
        key: Hashable,
        name: str,
        part: str,
        period_fs: int,
        servers: int = 1,
        link: int | None = None,
        cause: str = "compute",
        tile: int | None = None,
        channel: Channel | None = None,
    ) -> int:
        """Return the resource with this key, made at its first use."""
        if key not in self._made:
            row = name, part, period_fs, servers, link, cause, tile, channel
            self._made[key] = self.net.add_resource(*row)
        return self._made[key]

    # -- elsewhere ---------------------------------------------------------------------------------------------

    def moved(self, resource: int, source: int, target: int, cores: tuple[int, int] | None = None) -> int:
        """Return the resource in one tile that is what another is in a second tile, made at its first use.

        With `cores`, from one core to another.
        """
        row = self.net.resources[resource]
        key = next(key for key, number in self._made.items() if number == resource)
        assert isinstance(key, tuple)
        here, there = f"tile{source}.", f"tile{target}."
        if cores is not None:
            here, there = f"{here}core{cores[0]}.", f"{there}core{cores[1]}."
        new = [key[0]]
        for each in key[1:]:
            if isinstance(each, str):
                new.append(each.replace(here, there, 1))
            else:
                new.append(target if each == source and isinstance(each, int) else each)
        name = row.name.replace(here, there, 1)
        return self.resource(
            tuple(new), name, row.part, row.period_fs, row.servers, row.link, row.cause, target
        )

    def rerouted(self, step: Step, chip: int, ends: tuple[str, str], hops: list[tuple[int, int]]) -> Step:
        """Return a packet's step on another way between two nodes of a chip's network."""
        fabric, shift = self.fabric, chip * len(self.fabric.channels)
        terminal = fabric.terminal_number[ends[0]]
        period = self.config.clocks[self.config.network.clock].period_fs
        return step._replace(
            resource=self._channel(chip, fabric.injection[terminal]),
            route=self.net.add_route(tuple((shift + channel, vcs) for channel, vcs in hops)),
            terminal=chip * len(fabric.terminals) + terminal,
            latency=fabric.zero_load(hops, step.flits) * period,
        )

    # -- inside a tile -----------------------------------------------------------------------------------------

    def read_buffer(self, tile: int, bits: int) -> list[Step]:
        """Read from a tile's buffer and over its bus: words follow each other, the bus starts with the first."""
        site = self.package.site(tile)
        read = site.store.read(bits, site.clocks)
        moved = site.bus.transfer(bits, site.clocks, least_fs=read.held)
        return [self._at_port(tile, read), self._at_bus(tile, moved)]

    def over_bus(self, tile: int, bits: int, more: Energy = ()) -> Step:
        """Move data over a tile's bus; `more` is what else that costs, as in registers at its end."""
        site = self.package.site(tile)
        return self._at_bus(tile, site.bus.transfer(bits, site.clocks), more)

    def write_buffer(self, tile: int, bits: int) -> Step:
        """Write to a tile's buffer."""
        site = self.package.site(tile)
        return self._at_port(tile, site.store.write(bits, site.clocks))

    def _at_port(self, tile: int, visit: Visit) -> Step:
        site = self.package.site(tile)
        part, store = site.label(site.store_at), site.store
        period, cause = period_fs(site.clocks, store.clock), "memory" if site.in_memory else "transport"
        name = f"tile{tile}.{site.store_at}"
        resource = self.resource(("port", tile), name, part, period, store.ports, cause=cause, tile=tile)
        return Step(resource, visit.held, visit.after, energy=cost(part, visit.actions, store.action_pj))

    def _at_bus(self, tile: int, visit: Visit, more: Energy = ()) -> Step:
        site = self.package.site(tile)
        part = site.label("bus")
        period = period_fs(site.clocks, site.bus.clock)
        resource = self.resource(("bus", tile), f"tile{tile}.bus", part, period, cause="transport", tile=tile)
        energy = (*cost(part, visit.actions, site.bus.action_pj), *more)
        return Step(resource, visit.held, visit.after, energy=energy)

    def at_unit(self, tile: int, operation: str, elements: float, rows: int = 1) -> Step:
        """Do an op, or the adding of partial sums, on a tile's digital unit.

        Raises
        ------
        MappingError
            If no unit of the tile does it.
        """
        site = self.package.site(tile)
        name = site.unit_of(operation)
        if name is None:
            raise MappingError(
                f"no digital unit of {self.config.name} does {operation} at '{site.name}', which adds the partial sums "
                "of several cores",
                mend="add it to a unit's operations in the chip file, with its cycles per element",
            )
        unit, part = site.digital[name], site.label(f"digital.{name}")
        visit = unit.work(operation, elements, rows, site.clocks)
        resource = self.resource(
            ("unit", tile, name),
            f"tile{tile}.digital.{name}",
            part,
            period_fs(site.clocks, unit.clock),
            unit.count,
            tile=tile,
        )
        return Step(resource, visit.held, visit.after, energy=cost(part, visit.actions, unit.action_pj))

    def pass_by(self) -> Step:
        """A firing that has nothing to do: a control signal passes it in a cycle, and never waits for another."""
        site = self.package.site(0)
        period = period_fs(site.clocks, site.bus.clock)
        resource = self.resource(
            ("control",), "control", "control", period, servers=1 << 20, cause="transport"
        )
        return Step(resource, period, period)

    # -- between tiles -----------------------------------------------------------------------------------------

    def path(self, source: int, target: int, bits: int, *, into_buffer: bool) -> int | None:
        """Return the path of a packet from one tile to another, or to or from the host; None where nothing moves.

        Parameters
        ----------
        source, target : int
            Tiles; `HOST_TILE` is the host, whose own link belongs to its actor.
        bits : int
            Of one packet.
        into_buffer : bool
            Whether the packet ends in the target's buffer, or in a register.
        """
        if source == target and (source == HOST_TILE or self.package.site(source).in_memory):
            return None
        choice = self._paths if source == target else self.next_choice()
        return self.net.add_path(self.way(source, target, bits, choice, into_buffer=into_buffer))

    def next_choice(self) -> int:
        """Return a number that picks the next of several routes or ports that are as good."""
        self._paths += 1
        return self._paths - 1

    def way(self, source: int, target: int, bits: int, choice: int, *, into_buffer: bool) -> list[Step]:
        """Return the steps of a packet from one tile to another, or to or from the host; see `path`."""
        steps = []
        if source == target:
            steps = [self.over_bus(source, bits)]
        else:
            if source != HOST_TILE and self.package.site(source).in_memory:
                steps.append(self.read_buffer(source, bits)[0])
            for chip, here, there in self.package.legs(source, target, choice):
                if there == EXTERNAL:
                    steps.append(self._external(chip, here, bits))
                else:
                    steps += self._through(chip, here, there, bits, choice)
        if into_buffer and target != HOST_TILE:
            steps.append(self.write_buffer(target, bits))
        return steps

    def _through(self, chip: int, source: str, target: str, bits: int, choice: int = 0) -> list[Step]:
        """Cross a chip's network: one step flit by flit, or one a link where packets are approximate."""
        fabric, network = self.fabric, self.config.network
        flits = network.flits(bits)
        period = self.config.clocks[network.clock].period_fs
        # Where several routes are as good, one path after another takes the next.
        hops = fabric.hops(source, target, choice)
        energy = self._flit_energy(hops, flits)
        terminal = fabric.terminal_number[source]
        entrance = fabric.injection[terminal]
        shift = chip * len(fabric.channels)
        if network.fidelity == "flit":
            route = self.net.add_route(tuple((shift + channel, vcs) for channel, vcs in hops))
            start = chip * len(fabric.terminals) + terminal
            latency = fabric.zero_load(hops, flits) * period
            return [
                Step(
                    self._channel(chip, entrance), flits * period, latency, None, route, start, flits, energy
                )
            ]
        heads = fabric.head_cycles(hops)
        heads[-1] += flits - 1  # a packet has arrived when its tail has
        steps = [
            Step(self._channel(chip, channel), flits * period, head * period)
            for channel, head in zip([entrance, *(channel for channel, _ in hops)], heads, strict=True)
        ]
        return [steps[0]._replace(energy=energy), *steps[1:]]

    def between(self, chip: int, source: str, target: str, bits: int) -> int:
        """Return the path of a packet from one node of a chip's network to another, into a register."""
        return self.net.add_path(self._through(chip, source, target, bits, self._paths))

    def add_step(self, chip: int, router: str, values: int) -> Step:
        """One visit to a router's adder."""
        network = self.config.network
        adder, period = network.reduction, self.config.clocks[network.clock].period_fs
        assert adder is not None
        visit = adder.add(values, period)
        resource = self.resource(
            ("adder", chip, router), f"chip{chip}.{router}.adder", "network.adder", period
        )
        energy = cost("network.adder", visit.actions, adder.action_pj)
        return Step(resource, visit.held, visit.after, energy=energy)

    def branches(self, source: int, target: int) -> bool:
        """Whether what goes from one tile to another may share its way with what goes to others."""
        network, tiles = self.config.network, self.config.tiles
        if not network.multicast or network.fidelity != "flit" or HOST_TILE in (source, target):
            return False
        if self.package.site(source).in_memory:
            return False  # each reads it from the memory
        return source != target and source // tiles == target // tiles

    def tree(self, source: int, ends: Sequence[tuple[int, int]], bits: int) -> Tree:
        """Return a packet from one tile to others of its chip that branches in the routers.

        Parameters
        ----------
        source : int
            Tile.
        ends : sequence of (output, tile)
            Which output of the actor goes where.
        bits : int
            Of one packet; it is cut into pieces that a router's buffer holds whole, so that no branch can hold up
            another for ever.
        """
        fabric, network = self.fabric, self.config.network
        chip, _ = divmod(source, self.config.tiles)
        flits, most = network.flits(bits), network.buffer_flits
        pieces = [most] * (flits // most) + ([flits % most] if flits % most else [])
        period, shift = self.config.clocks[network.clock].period_fs, chip * len(fabric.channels)
        ways = [self._hops(source, tile) for _, tile in ends]
        rows, _ = tree_rows(ways)
        energy = self._flit_energy([(channel, vcs) for channel, vcs, _, _ in rows], flits)
        terminal = fabric.terminal_number[f"t{source % self.config.tiles}"]
        leaves = [
            Leaf(output, tuple((shift + c, vcs) for c, vcs in way), fabric.zero_load(way, 1) * period)
            for (output, _), way in zip(ends, ways, strict=True)
        ]
        entrance = self._channel(chip, fabric.injection[terminal])
        start = chip * len(fabric.terminals) + terminal
        return Tree(entrance, start, tuple(pieces), tuple(leaves), energy)

    def through_fs(self, source: int, target: int, bits: int) -> int:
        """Return the time from one tile to another of its chip through an empty network."""
        network = self.config.network
        flits = network.flits(bits)
        return (
            self.fabric.zero_load(self._hops(source, target), flits)
            * self.config.clocks[network.clock].period_fs
        )

    def _hops(self, source: int, target: int) -> list[tuple[int, int]]:
        tiles = self.config.tiles
        return self.fabric.hops(f"t{source % tiles}", f"t{target % tiles}")

    def _channel(self, chip: int, channel: int) -> int:
        source, target = self.fabric.channels[channel]
        return self.resource(
            ("channel", chip, channel),
            f"chip{chip}.{source}-{target}",
            "network",
            self.config.clocks[self.config.network.clock].period_fs,
            link=chip * len(self.fabric.channels) + channel,
            cause="transport",
            tile=chip * self.config.tiles + int(source[1:]) if source.startswith("t") else None,
        )

    def _flit_energy(self, hops: list[tuple[int, int]], flits: int) -> Energy:
        """The energy of a packet: a router for every hop, and the link behind it unless it ends at a terminal."""
        links = sum(self.fabric.ports[channel][1] >= 0 for channel, _ in hops)
        return self.config.network.flit_energy(len(hops), links, flits)

    def _external(self, chip: int, side: str, bits: int) -> Step:
        """A packet crosses to the next chip whole; the far end stores it (bounded by its stream's places)."""
        external = self.config.external
        visit = external.transfer(bits)
        resource = self.resource(
            ("external", chip, side),
            f"external{chip}.{side}",
            "external",
            external.byte_fs,
            servers=self.package.bundle,
            cause="transport",
        )
        return Step(resource, visit.held, visit.after, energy=cost("external", bits, external.action_pj))

    # -- off-chip memory ---------------------------------------------------------------------------------------

    def from_memory(self, tile: int, bits: int) -> list[Step]:
        """Read from the memory of a tile's chip, over the network and the tile's bus."""
        chip, number = divmod(tile, self.config.tiles)
        port = self._memory_port(tile)
        way = self._through(chip, f"m{port}", f"t{number}", bits)
        return [self._memory(chip, port, bits, write=False), *way, self.over_bus(tile, bits)]

    @property
    def sources(self) -> int:
        """How many tiles can be sent weights at once: ports of a chip's memory, or gateways of the host's links."""
        return self.package.bundle if self.config.memory is None else self.config.memory.count

    def weights(self, tile: int, bits: int, choice: int) -> list[Step]:
        """Bring weights over a tile's bus: from the off-chip memory where the chip has one, else from the host.

        `choice` picks one of the host's gateways; a tile has a port of the memory of its own anyway.
        """
        if self.config.memory is not None:
            return self.from_memory(tile, bits)
        way = self.way(HOST_TILE, tile, bits, choice, into_buffer=False)
        return [self.host_step(out_of_chip=False, bits=bits), *way, self.over_bus(tile, bits)]

    def load(self, tile: int, bits: int) -> list[Step]:
        """Read from the memory of a tile's chip into the tile's buffer."""
        return [*self.from_memory(tile, bits), self.write_buffer(tile, bits)]

    def to_memory(self, source: int, tile: int, bits: int) -> int:
        """Return the path of a packet from a tile to the memory of another tile's chip, for that tile to read."""
        chip, port = tile // self.config.tiles, self._memory_port(tile)
        steps: list[Step] = []
        own = [(chip, f"t{tile % self.config.tiles}", "")]
        choice = self.next_choice()
        legs = own if source == tile else self.package.legs(source, tile, choice)
        for number, (at, here, there) in enumerate(legs):
            if there == EXTERNAL:
                steps.append(self._external(at, here, bits))
            else:
                last = number == len(legs) - 1
                steps += self._through(at, here, f"m{port}" if last else there, bits, choice)
        return self.net.add_path([*steps, self._memory(chip, port, bits, write=True)])

    def _memory_port(self, tile: int) -> int:
        """Which port of its chip's memory a tile uses: neighbours, which often do the same, use different ones."""
        assert self.config.memory is not None
        return int(tile % self.config.tiles % self.config.memory.count)

    def _memory(self, chip: int, port: int, bits: int, *, write: bool) -> Step:
        memory = self.config.memory
        assert memory is not None
        port = self.resource(("memory", chip, port), f"{memory.name}{chip}.{port}", **memory.row)
        return Step(*memory.step(port, bits, write=write))

    def host_step(self, *, out_of_chip: bool, bits: int) -> Step:
        """The host's own visit to the link between it and the first chip."""
        return self._external(HOST_TILE, "out" if out_of_chip else "in", bits)
