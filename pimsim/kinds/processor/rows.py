"""A kernel as actors: it is started, its pieces are loaded, worked on and stored, and the last one ends it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pimsim.chip.base import cost
from pimsim.chip.parts.clock import period_fs
from pimsim.kinds.processor.kernel import Kernel, Piece
from pimsim.kinds.processor.site import Processor
from pimsim.kinds.processor.tensor import TensorUnit
from pimsim.mapping.flow.growth import Growth
from pimsim.mapping.lowering.actors import Actors, Readers
from pimsim.mapping.planning.planned import PlannedOp
from pimsim.netlist.rows import Carried, Step

Table = npt.NDArray[np.int64]
FEWEST = 2
"""Pieces at the units at once: one is fed while another is worked on."""


class Growing(NamedTuple):
    """How a kernel grows with the tokens in a cache.

    Parameters
    ----------
    growth : Growth
        Of the data flow.
    at : callable
        Cached tokens to the kernels, always as many, in as many pieces.
    alike : hashable
        What tells such kernels from those that cost something else.
    """

    growth: Growth
    at: Callable[[int], list[Kernel]]
    alike: Hashable


def kernel_rows(
    actors: Actors,
    site: Processor,
    kernels: Sequence[Kernel],
    op: PlannedOp,
    index: int,
    tile: int,
    growing: Growing | None = None,
) -> tuple[Readers, int]:
    """Add the actors of the kernels that do an op, one after another.

    A place in the buffer is taken when a piece's load starts, and free when the piece has been worked on; as many
    results may be on their way out. Pieces follow one another; what stores the last one puts out the kernel's result.

    Returns
    -------
    readers, end
        What takes the op's inputs, and the actor that puts out its result.
    """
    first = end = -1
    for number, kernel in enumerate(kernels):
        rows = _Rows(actors, site, kernel, op, index, tile, growing, number)
        rows.mark = f".k{number}" if len(kernels) > 1 else ""
        launch = actors.actor(op, index, f"{rows.mark}.launch", [rows.launch()], depth=1)
        if number:
            rows.wait(launch, rows.once(end, 0, "then"), 1)
        else:
            first = launch
        end = _pieces(rows, launch)
    return [(first, None)], end


def _pieces(rows: _Rows, launch: int) -> int:
    """Add what does the pieces of a kernel after its start; return the actor that ends it."""
    started = rows.once(launch, 0, "started")
    stores: list[tuple[int, int]] = []
    ahead: tuple[int, int] | None = None
    for number, piece in enumerate(rows.kernel.pieces):
        last = piece is rows.kernel.last
        mark = "" if last else f".{number}"
        places = rows.places(piece)
        load = rows.actor(f".load{mark}", rows.path(rows.load, number), piece.times, min(piece.times, places))
        if ahead is None:
            rows.wait(load, started, piece.times)
        else:
            rows.wait(load, rows.once(*ahead, "ahead"), piece.times)
        loaded = rows.stream(load, "loaded", places, piece)
        work = rows.actor(f".work{mark}", rows.path(rows.work, number), piece.times, FEWEST)
        rows.take(work, loaded, piece.times)
        done = rows.stream(work, "results", FEWEST + rows.site.in_flight, piece)
        if last:
            end = rows.actors.actor(rows.op, rows.index, rows.mark, rows.path(rows.store, number), depth=1)
            rows.take(end, done, 1)
            for store, times in stores:
                rows.wait(end, rows.once(store, times - 1, "stored"), 1)
            return end
        store = rows.actor(f".store{mark}", rows.path(rows.store, number), piece.times, rows.site.in_flight)
        rows.take(store, done, piece.times)
        stores.append((store, piece.times))
        ahead = work, max(0, piece.times - places)
    raise AssertionError("a kernel has a last piece")


class _Rows:
    """Writes the rows of one kernel."""

    def __init__(
        self,
        actors: Actors,
        site: Processor,
        kernel: Kernel,
        op: PlannedOp,
        index: int,
        tile: int,
        growing: Growing | None,
        number: int,
    ) -> None:
        self.actors, self.site, self.kernel, self.growing = actors, site, kernel, growing
        self.number = number
        self.net, self.op, self.index, self.tile, self.mark = actors.net, op, index, tile, ""

    # -- actors and streams ------------------------------------------------------------------------------------

    def path(self, steps: Callable[[Piece], list[Step]], number: int) -> int:
        """Return the path of a piece's load, work or store, which may grow with a cache."""
        if self.growing is None:
            return self.net.add_path(steps(self.kernel.pieces[number]))
        growth, at, alike = self.growing
        which, key = self.number, (alike, self.number, steps.__name__, number)
        return self.actors.add_growing(lambda cached: steps(at(cached)[which].pieces[number]), key, growth)

    def actor(self, name: str, path: int, times: int, depth: int) -> int:
        """An actor that fires once a piece."""
        return self.net.add_actor(
            f"{self.op.node.name}.{self.index}{self.mark}{name}{self.actors.mark}",
            self.op.node.name,
            path,
            times * self.actors.program.inferences,
            period=times,
            depth=depth,
        )

    def stream(self, producer: int, what: str, places: int, piece: Piece) -> int:
        """A token a piece, in the buffer; what is loaded has bits."""
        name = f"{self.net.actors[producer].name} {what}"
        bits = {"loaded": piece.loaded, "results": piece.stored}.get(what, 0)
        part, tile = self.site.label("buffer"), None  # the tile's memory is what its room is counted by
        stream = self.net.add_stream(name, places, piece.times, part=part, tile=tile, bits=bits)
        self.net.add_output(producer, stream, self.net.add_table(np.arange(piece.times)))
        return stream

    def once(self, producer: int, firing: int, what: str) -> int:
        """A token when one of a producer's firings has ended."""
        tokens = np.full(self.net.actors[producer].period, -1)
        tokens[firing] = 0
        name = f"{self.net.actors[producer].name} {what}"
        stream = self.net.add_stream(name, 1, 1, part=self.site.label("buffer"))
        self.net.add_output(producer, stream, self.net.add_table(tokens))
        return stream

    def take(self, reader: int, stream: int, times: int) -> None:
        """Each firing takes a token of its own."""
        after = self.net.add_table(np.arange(1, times + 1))
        self.net.add_input(reader, stream, after, after)

    def wait(self, reader: int, stream: int, times: int) -> None:
        """All firings need the one token; the last gives it back."""
        free = np.zeros(times, dtype=np.int64)
        free[-1] = 1
        need = self.net.add_table(np.ones(times, dtype=np.int64))
        self.net.add_input(reader, stream, need, self.net.add_table(free))

    def places(self, piece: Piece) -> int:
        """Return how many of a piece's loads the buffer has room for; what is larger than the buffer passes through."""
        if self.kernel.streams:
            return self.site.in_flight
        return max(1, min(self.site.in_flight, 8 * self.site.buffer.capacity_bytes // max(1, piece.loaded)))

    # -- steps -------------------------------------------------------------------------------------------------

    def launch(self) -> Step:
        """Start the kernel."""
        site = self.site
        visit, part = site.launcher.launch(site.clocks), site.label("launcher")
        resource = self._resource("launcher", site.launcher.clock, 1, "launch")
        return Step(resource, visit.held, visit.after, energy=cost(part, 1, site.launcher.action_pj))

    def load(self, piece: Piece) -> list[Step]:
        """Bring a piece's operands from the memory into the buffer, which takes them as they come."""
        steps = []
        if piece.loaded:
            carried = Carried(piece.loaded, reader=self.op.node.name)
            from_memory, _ = self.actors.transport.read_buffer(self.tile, piece.loaded)
            steps.append(from_memory._replace(tally=carried))
        buffer, clocks = self.site.buffer, self.site.clocks
        visit = buffer.write(max(1, piece.loaded), clocks)
        return [*steps, self._at_buffer(visit.held, period_fs(clocks, buffer.clock), visit.actions)]

    def work(self, piece: Piece) -> list[Step]:
        """Feed the units from the buffer, and work as it comes: no faster than the bus."""
        site, clocks = self.site, self.site.clocks
        read = site.buffer.read(max(1, piece.fed), clocks)
        moved = site.bus.transfer(max(1, piece.fed), clocks, least_fs=read.held)
        period = period_fs(clocks, site.bus.clock)
        bus = self.actors.transport.over_bus(self.tile, max(1, piece.fed))
        bus = bus._replace(occupancy=moved.held, latency=max(1, site.bus.latency_cycles) * period)
        unit = site.digital[self.kernel.unit]
        cycle = period_fs(clocks, unit.clock)
        held = max(piece.cycles * cycle, -(-moved.held // cycle) * cycle)
        path = f"digital.{self.kernel.unit}"
        resource = self._resource(path, unit.clock, 1, "compute")
        self.actors.lowered.instances[resource] = unit.count
        each = unit.cost_of(self.op.node.type) or 1.0
        own = unit.energy_of(self.kernel.type) if isinstance(unit, TensorUnit) else unit.action_pj
        energy = cost(site.label(path), piece.elements * each, own) + self.kernel.spent
        return [
            self._at_buffer(read.held, read.after, read.actions),
            bus,
            Step(resource, held, held + unit.latency_cycles * cycle, energy=energy),
        ]

    def store(self, piece: Piece) -> list[Step]:
        """Bring a piece's results over the bus, as wide as sums are, into the memory."""
        bits = max(1, piece.stored)
        carried = Carried(bits, sender=self.op.node.name)
        transport = self.actors.transport
        registers = self.actors.plan.package.kind(self.tile).register_energy(piece.sums / 8)
        return [
            transport.over_bus(self.tile, max(1, piece.sums), registers),
            transport.write_buffer(self.tile, bits)._replace(tally=carried),
        ]

    def _resource(self, path: str, clock: str, servers: int, cause: str) -> int:
        return self.actors.transport.resource(
            (path, self.tile),
            f"tile{self.tile}.{path}",
            self.site.label(path),
            period_fs(self.site.clocks, clock),
            servers,
            cause=cause,
            tile=self.tile,
        )

    def _at_buffer(self, held: int, after: int, accesses: float) -> Step:
        buffer = self.site.buffer
        resource = self._resource("buffer", buffer.clock, buffer.ports, "transport")
        energy = cost(self.site.label("buffer"), accesses, buffer.action_pj)
        return Step(resource, held, after, energy=energy)
