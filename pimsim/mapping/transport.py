"""Ways of data over a package as steps of a path: buffer ports, buses, network links, external links."""

from __future__ import annotations

from collections.abc import Hashable

from pimsim.mapping.ledger import Ledger
from pimsim.mapping.netlist import Netlist, Step
from pimsim.mapping.package import EXTERNAL, HOST_TILE, Hop, Package
from pimsim.units import FS_PER_S, fs_from_ns


class Transport:
    """Makes the resources that move data when they are first used, and counts their energy.

    Parameters
    ----------
    package : Package
        The chips.
    net : Netlist
        Where the resources go.
    ledger : Ledger
        Where the energy goes.
    """

    def __init__(self, package: Package, net: Netlist, ledger: Ledger) -> None:
        self.package, self.config = package, package.config
        self.net, self.ledger = net, ledger
        self._made: dict[Hashable, int] = {}

    def resource(
        self,
        key: Hashable,
        name: str,
        part: str,
        period_fs: int,
        servers: int = 1,
        places: int = 0,
        cause: str = "compute",
    ) -> int:
        """Return the resource with this key, made at its first use."""
        if key not in self._made:
            self._made[key] = self.net.add_resource(name, part, period_fs, servers, places, cause)
        return self._made[key]

    # -- inside a tile -----------------------------------------------------------------------------------------

    def read_buffer(self, tile: int, bits: int, op: str, firings: int) -> list[Step]:
        """Read from a tile's buffer and over its bus: words follow each other, the bus starts with the first."""
        buffer, bus = self.config.tile.buffer, self.config.tile.bus
        accesses = -(-bits // buffer.width_bits)
        port_period = self.config.clocks[buffer.clock].period_fs
        bus_period = self.config.clocks[bus.clock].period_fs
        words = max(-(-bits // bus.width_bits) * bus_period, accesses * port_period)
        held = -(-words // bus_period) * bus_period
        self.ledger.add("tile.buffer", op, firings * accesses, buffer.energy_per_access_pj)
        self._count_bus(bits, op, firings)
        return [
            Step(self._port(tile), accesses * port_period, max(1, buffer.latency_cycles) * port_period),
            Step(self._bus(tile), held, held + bus.latency_cycles * bus_period),
        ]

    def over_bus(self, tile: int, bits: int, op: str, firings: int) -> Step:
        """Move data over a tile's bus."""
        bus = self.config.tile.bus
        period = self.config.clocks[bus.clock].period_fs
        held = -(-bits // bus.width_bits) * period
        self._count_bus(bits, op, firings)
        return Step(self._bus(tile), held, held + bus.latency_cycles * period)

    def _write_buffer(self, tile: int, bits: int, op: str, firings: int) -> Step:
        buffer = self.config.tile.buffer
        accesses = -(-bits // buffer.width_bits)
        period = self.config.clocks[buffer.clock].period_fs
        self.ledger.add("tile.buffer", op, firings * accesses, buffer.energy_per_access_pj)
        return Step(
            self._port(tile), accesses * period, (accesses - 1 + max(1, buffer.latency_cycles)) * period
        )

    def _port(self, tile: int) -> int:
        buffer = self.config.tile.buffer
        period = self.config.clocks[buffer.clock].period_fs
        return self.resource(
            ("port", tile), f"tile{tile}.buffer", "tile.buffer", period, buffer.ports, cause="transport"
        )

    def _bus(self, tile: int) -> int:
        period = self.config.clocks[self.config.tile.bus.clock].period_fs
        return self.resource(("bus", tile), f"tile{tile}.bus", "tile.bus", period, cause="transport")

    def _count_bus(self, bits: int, op: str, firings: int) -> None:
        bus = self.config.tile.bus
        self.ledger.add("tile.bus", op, firings * -(-bits // bus.width_bits), bus.energy_per_transfer_pj)

    # -- between tiles -----------------------------------------------------------------------------------------

    def path(self, source: int, target: int, bits: int, op: str, packets: int, *, into_buffer: bool) -> int:
        """Return the path of a packet from one tile to another, or to or from the host.

        Parameters
        ----------
        source, target : int
            Tiles; `HOST_TILE` is the host, whose own link belongs to its actor.
        bits : int
            Of one packet.
        op : str
            The op that the energy is charged to.
        packets : int
            How many an inference.
        into_buffer : bool
            Whether the packet ends in the target's buffer, or in a register.
        """
        if source == target:
            steps = [self.over_bus(source, bits, op, packets)]
        else:
            hops = self.package.way(source, target)
            hops = [hop for hop in hops if hop[0] >= 0]
            steps = [self.hop(hop, bits, op, packets) for hop in hops]
        if into_buffer and target != HOST_TILE:
            steps.append(self._write_buffer(target, bits, op, packets))
        return self.net.add_path(steps)

    def hop(self, hop: Hop, bits: int, op: str, packets: int) -> Step:
        """One link; the head of a packet goes on while its tail still holds the link (virtual cut-through)."""
        chip, start, end = hop
        if end == EXTERNAL:
            return self._external(chip, start, bits, op, packets)
        network = self.config.network
        period = self.config.clocks[network.clock].period_fs
        flits = -(-bits // network.link_width_bits)
        from_router, to_router = start[0] == "r", end[0] == "r"
        head = max(1, (network.router_cycles if from_router else 0) + network.link_cycles)
        if from_router:
            self.ledger.add("network", op, packets * flits, network.energy_per_flit_pj)
        resource = self.resource(
            ("link", chip, start, end),
            f"chip{chip}.{start}-{end}",
            "network",
            period,
            places=network.buffer_packets if to_router else 0,
            cause="transport",
        )
        # At its last link a packet has arrived when its tail has.
        return Step(resource, flits * period, (head if to_router else head + flits - 1) * period)

    def _external(self, chip: int, side: str, bits: int, op: str, packets: int) -> Step:
        """A packet crosses to the next chip whole; the far end stores it (bounded by its stream's places)."""
        external = self.config.external
        period = max(1, round(FS_PER_S / (external.bandwidth_gb_per_s * 1e9)))  # of a byte
        held = -(-bits // 8) * period
        latency = -(-fs_from_ns(external.latency_ns) // period) * period
        self.ledger.add("external", op, packets * bits, external.energy_per_bit_pj)
        resource = self.resource(
            ("external", chip, side),
            f"external{chip}.{side}",
            "external",
            period,
            servers=self.package.bundle,
            cause="transport",
        )
        return Step(resource, held, held + latency)

    def host_step(self, *, out_of_chip: bool, bits: int, packets: int) -> Step:
        """The host's own visit to the link between it and the first chip."""
        return self._external(HOST_TILE, "out" if out_of_chip else "in", bits, "host", packets)
