"""Actors of a program: at the host's ends, on digital units, and what all of them have in common."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

import numpy as np
import numpy.typing as npt

from pimsim.chip import ChipConfig
from pimsim.mapping.flow.dataflow import Expert, Node
from pimsim.mapping.flow.growth import Growth, figures
from pimsim.mapping.lowering.choices import Choices
from pimsim.mapping.lowering.lowered import Ends, Lowered
from pimsim.mapping.lowering.reload import Rounds
from pimsim.mapping.lowering.windows import Buffered, under_way
from pimsim.mapping.planning.planned import IN_BUFFERS, Chunk, PlannedOp, Replica
from pimsim.mapping.planning.program import Program
from pimsim.mapping.planning.stationary import MEMORY, SPREAD
from pimsim.netlist.rows import HOST, Step

Table = npt.NDArray[np.int64]
Readers = list[tuple[int, Chunk | None]]
"""Actors that take a replica's inputs, and which of its chunks they are, if it has any."""


class Actors:
    """Makes the actors of a program.

    Parameters
    ----------
    program : Program
        Whose.
    lowered : Lowered
        Where they go.
    """

    def __init__(self, program: Program, lowered: Lowered) -> None:
        self.program, self.plan = program, program.plan
        self.config: ChipConfig = self.plan.chip.config
        self.lowered, self.net, self.transport = lowered, lowered.net, lowered.transport
        self.own = Ends()
        self.mark = f" (program {len(lowered.ends)})" if lowered.ends else ""
        if self.plan.growth is not None:
            self.own.selector = self.net.add_selector(program.inferences)
        self.own.experts = {
            each: self.net.add_selector(program.inferences) for each in sorted(program.optional)
        }
        lowered.ends.append(self.own)
        self.choices = Choices(self.net, self.transport, self.own.experts)
        self.buffered: list[Buffered] = []
        """The streams between its ops, and inside them."""
        self.units: set[int] = set()
        """Actors that have as many firings under way as cover what their path takes."""
        self.rings: dict[str, list[list[int]]] = {}
        """Of an op that its replicas do together: the actors of those made so far, one after another."""
        self.rounds = None
        if self.plan.rounds > 1:
            self.rounds = Rounds(
                self.plan, program.inferences, self.net, self.transport, self.choices, self.mark
            )
        self.input_bits = self.plan.input_bits
        self.sum_bits = self.config.precision.accumulator_bits

    def growing(self, number: int) -> Growth | None:
        """Return the growth of the plan if it concerns an op."""
        growth = self.plan.growth
        return growth if growth is not None and growth.grows(number) else None

    def add_growing(self, path_at: Callable[[int], list[Step]], alike: Hashable, growth: Growth) -> int:
        """Add a path that costs more the more tokens the cache of an inference holds; alike ones cost the same."""
        assert self.own.selector is not None
        return self.net.add_growing(path_at, alike, self.own.selector, growth.first, growth.last)

    def actor(
        self,
        op: PlannedOp,
        index: int,
        name: str,
        path: list[Step] | int,
        depth: int | None = None,
    ) -> int:
        """Add an actor that fires at the positions of one replica, along a path or a path of that number.

        Without a `depth`, as many firings may be under way as cover what the path takes.
        """
        own = self.firings(op, index)
        covers = depth is None
        if depth is None:
            depth = max(under_way(self.net, each) for each in self._paths_of(path))
        host = op.unit is None and op.tiling is None
        selector = None
        if not isinstance(path, int):
            path, selector = self.choices.work(op.node.expert, path)
        number = self.net.add_actor(
            f"{op.node.name}.{index}{name}{self.mark}",
            HOST if host else op.node.name,
            path,
            own * self.program.inferences,
            period=own,
            depth=depth,
            milestone=own if op.node.type == "Output" else 0,
            selector=selector,
        )
        if covers:
            self.units.add(number)
        if self.rounds is not None and op.node.type != "Output":
            self.rounds.join(op, number)
        return number

    def _paths_of(self, path: list[Step] | int) -> list[Sequence[Step]]:
        """Return the steps of a path, or of one that grows: with the fewest and with the most tokens in the cache."""
        if not isinstance(path, int):
            return [path]
        row = next(each for each in reversed(self.net.growing) if each.path == path)
        return [row.at(row.first), row.at(row.last)]

    @staticmethod
    def firings(op: PlannedOp, index: int) -> int:
        """Return how often a replica fires in an inference."""
        return len(op.positions(index))

    def host_end(self, op: PlannedOp) -> tuple[Readers, int]:
        """The host: it sends a row of the input, or takes a token of the output, over its external link."""
        bits = op.node.features * op.node.bits
        step = self.transport.host_step(out_of_chip=op.node.type == "Output", bits=bits)
        actor = self.actor(op, 0, "", [step])
        (self.own.sources if op.node.type == "Input" else self.own.sinks).append(actor)
        return [(actor, None)], actor

    def unit_replica(self, number: int, op: PlannedOp, index: int, replica: Replica) -> tuple[Readers, int]:
        """An op on a digital unit: read the inputs from the tile's buffer, unless they come straight, and work."""
        growth, home = self.growing(number), replica.home
        if growth is None:
            actor = self.actor(op, index, "", self.unit_path(op, op.node, index))
            return [(actor, None)], actor

        def path_at(cached: int) -> list[Step]:
            return self.unit_path(op, growth.node(number, cached), index)

        alike = (
            figures(growth.low[number]),
            figures(growth.high[number]),
            (op.unit, op.node.type, op.slices, op.attached),
            (home, *op.elsewhere.items()) if op.held_in == MEMORY or op.elsewhere else None,
        )
        path = self.add_growing(path_at, alike, growth)
        actor = self.actor(op, index, "", path)
        return [(actor, None)], actor

    def unit_path(self, op: PlannedOp, node: Node, index: int) -> list[Step]:
        """The path of one firing of a replica on a digital unit."""
        tile, part = op.replicas[index].home, index if op.slices > 1 else 0
        right, site, kind = node.right, self.plan.package.site(tile), self.plan.package.kind(tile)
        here = [
            edge for n, edge in enumerate(node.edges) if edge is not right and (n, part) not in op.elsewhere
        ]
        elements: dict[int, float] = defaultdict(float)  # by their bits
        for edge in here:
            elements[edge.bits] += edge.reads * kind.seen(node, edge.seen) / op.slices
        path: list[Step] = []
        for (number, which), tiles in op.elsewhere.items():
            edge = node.edges[number]
            if which == part and edge is not right:
                reads = edge.reads * kind.seen(node, edge.seen) / op.slices
                path += self.from_buffers(tiles, tile, reads, edge.bits)
        rows = 1
        if right is not None:  # read once for the rows that the unit works on together
            rows = right.rows
            assert op.unit is not None
            held = right.held * kind.seen(node, right.seen)
            again = math.ceil(held / min(rows, site.digital[op.unit].rows) / op.slices)
            if op.held_in == MEMORY:
                path += self.transport.from_memory(tile, again * right.bits)
            else:
                elements[right.bits] += again
            if op.held_in == SPREAD:  # fetched piece by piece, each for several rows
                tiles = op.elsewhere[node.edges.index(right), part]
                fetched = held / min(rows, op.rows_at_once) / op.slices
                path += self.from_buffers(tiles, tile, fetched, right.bits)
                path.append(self.transport.write_buffer(tile, math.ceil(fetched) * right.bits))
        read = sum(math.ceil(each) * bits for bits, each in elements.items())
        if not op.attached and (read or not path):
            path = [*self.transport.read_buffer(tile, read), *path]
        if op.unit == IN_BUFFERS:
            return path
        return [*path, self.transport.at_unit(tile, node.type, kind.work(node) / op.slices, rows)]

    def from_buffers(self, tiles: Sequence[int], target: int, elements: float, width: int) -> list[Step]:
        """Read elements of a width from the buffers of several tiles, an equal part of each, over a tile's bus."""
        steps: list[Step] = []
        bits = math.ceil(elements / len(tiles)) * width
        for tile in tiles:
            steps += self.transport.read_buffer(tile, bits)
            if tile != target:
                choice = self.transport.next_choice()
                steps += self.transport.way(tile, target, bits, choice, into_buffer=False)
                steps.append(self.transport.over_bus(target, bits))
        return steps

    def over_bus(self, tile: int, outputs: int) -> Step:
        """Sums leave what multiplies over the bus, through the registers."""
        registers = self.plan.package.kind(tile).register_energy(outputs * self.sum_bits / 8)
        return self.transport.over_bus(tile, outputs * self.sum_bits, registers)

    # -- their streams -----------------------------------------------------------------------------------------

    def link(self, op: PlannedOp, producer: int, consumer: int, path: int | None) -> None:
        """A stream between two actors of one replica: as many results as firings may be under way, in registers."""
        in_flight = self.plan.package.site(op.replicas[0].home).in_flight
        name = f"{self.net.actors[producer].name} sums"
        self.one_to_one(op, producer, consumer, name, in_flight, path)

    def one_to_one(
        self,
        op: PlannedOp,
        producer: int,
        consumer: int,
        name: str,
        places: int,
        path: int | None = None,
    ) -> None:
        """A stream that carries a token for every firing of both its ends."""
        tokens = self.net.actors[producer].period
        each = np.arange(tokens, dtype=np.int64)
        part = self.plan.package.kind(op.replicas[0].home).register_part
        stream = self.net.add_stream(name, places, tokens, part=part)
        after = self.net.add_table(each + 1)
        self.buffered.append(Buffered(stream, 1, register=True))
        self.put(op.node.expert, producer, stream, each, path)
        self.net.add_input(consumer, stream, after, after)

    def put(
        self,
        expert: Expert | None,
        actor: int,
        stream: int,
        tokens: Table,
        path: int | None,
        latency: int | None = None,
    ) -> None:
        """Put an actor's tokens on a stream, unless an inference passes the expert by that they are for or from.

        With a latency, a packet that branches brings them.
        """
        path, selector = self.choices.packet(expert, path)
        self.net.add_output(actor, stream, self.net.add_table(tokens), path, latency, selector)
