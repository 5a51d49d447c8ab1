"""From a plan to the rows of a machine: actors for the ops, streams between them, resources for the parts.

A layer on arrays becomes one actor a core (a chunk), a reduction in each tile and one in the replica's home tile;
an op on a digital unit becomes one actor a replica. A stream ends in the buffer of each tile that reads it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pimsim.chip import ChipConfig
from pimsim.mapping.choices import Choices, expert_of
from pimsim.mapping.dataflow import Expert, Node
from pimsim.mapping.growth import Growth, figures
from pimsim.mapping.multiplication import Arrays, multiplication
from pimsim.mapping.netlist import HOST, Cast, Netlist, Step, Tree
from pimsim.mapping.package import HOST_TILE
from pimsim.mapping.plan import ARRAYS, MEMORY, Chunk, Plan, PlannedOp, Replica
from pimsim.mapping.reduction import Meeting, meetings
from pimsim.mapping.reload import Rounds
from pimsim.mapping.transport import Transport, cost
from pimsim.mapping.units import cycles_of
from pimsim.mapping.written import Matrix

Table = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Program:
    """A data flow on a plan, and how often it runs.

    Parameters
    ----------
    plan : Plan
        Where its ops are.
    inferences : int
        How often.
    places : int
        How many of them may be under way at once with caches of their own, where its work grows with a cache.
    optional : frozenset of (int, int)
        Experts that an inference passes by unless the host says otherwise.
    """

    plan: Plan
    inferences: int
    places: int = 1
    optional: frozenset[Expert] = frozenset()

    def work_of(self, number: int, inferences: int, cached: Counter[int]) -> float:
        """Return what an op processes in all inferences: elements, or multiply-accumulates of a product.

        Parameters
        ----------
        number : int
            Which op.
        inferences : int
            How many do not pass it by.
        cached : Counter of int
            How many inferences had so many tokens in their cache, where it grows.
        """
        growth, node = self.plan.growth, self.plan.ops[number].node
        if growth is None or not growth.grows(number):
            return node.work * node.positions * inferences
        return sum(
            growth.node(number, count).work * node.positions * times for count, times in cached.items()
        )


@dataclass(slots=True)
class Ends:
    """A program's actors on the host's side.

    Parameters
    ----------
    sources, sinks : list of int
        They feed the model's inputs, and take its outputs.
    selector : int or None
        Chooses the place of each inference among those with a cache.
    experts : dict of (int, int) to int
        Selectors of the experts that inferences may pass by: 0 is past it, 1 is through it.
    """

    sources: list[int] = field(default_factory=list)
    sinks: list[int] = field(default_factory=list)
    selector: int | None = None
    experts: dict[Expert, int] = field(default_factory=dict)


@dataclass(slots=True)
class Lowered:
    """Programs as numbers.

    Parameters
    ----------
    net : Netlist
        The rows.
    transport : Transport
        Which resources move data.
    ends : list of Ends
        Of each program.
    instances : dict of int to int
        Arrays, and converters, that a resource of kind ``core.array`` or ``core.adc`` stands for, where several
        work in step.
    """

    net: Netlist
    transport: Transport
    ends: list[Ends]
    instances: dict[int, int]


def lower(plan: Plan, batch: int) -> Lowered:
    """Turn a plan into a machine that runs `batch` inferences."""
    return lower_programs([Program(plan, batch)])


def lower_programs(programs: Sequence[Program]) -> Lowered:
    """Turn programs that share their parts into one machine."""
    net = Netlist()
    lowered = Lowered(net, Transport(programs[0].plan.package, net), [], {})
    for program in programs:
        _Lowering(program, lowered).run()
    return lowered


@dataclass(slots=True)
class _Copy:
    """What an actor sends to one tile: its tokens by firing, -1 where there is none."""

    actor: int
    home: int
    tile: int
    bits: int
    stream: int
    tokens: Table
    expert: Expert | None  # whom it is for or from: who passes it by sends nothing


class _Lowering:
    """Working state of `lower`: the actors of a program made so far, and the last one of each replica."""

    def __init__(self, program: Program, lowered: Lowered) -> None:
        self.program, self.plan = program, program.plan
        self.config: ChipConfig = self.plan.chip.config
        self.lowered, self.net, self.transport = lowered, lowered.net, lowered.transport
        self.own = Ends()
        if self.plan.growth is not None:
            self.own.selector = self.net.add_selector(program.inferences)
        self.own.experts = {
            each: self.net.add_selector(program.inferences) for each in sorted(program.optional)
        }
        lowered.ends.append(self.own)
        self.choices = Choices(self.net, self.transport, self.own.experts)
        self.rounds = None
        if self.plan.rounds > 1:
            self.rounds = Rounds(self.plan, program.inferences, self.net, self.transport, self.choices)
        self.ends: list[list[int]] = []  # op -> the actor of each replica that puts out its tokens
        self.starts: list[
            list[list[tuple[int, Chunk | None]]]
        ] = []  # op -> replica -> actors that read its inputs
        self.writers: dict[
            tuple[int, int], int
        ] = {}  # (op, replica) -> the actor that writes its right matrix
        self.together: dict[Hashable, list[_Copy]] = {}  # what the same actor sends to several tiles
        self.input_bits = self.plan.input_bits
        self.sum_bits = self.config.precision.accumulator_bits

    def run(self) -> None:
        for number, op in enumerate(self.plan.ops):
            starts, ends = [], []
            for index, replica in enumerate(op.replicas):
                readers: list[tuple[int, Chunk | None]] = []
                end = -1
                if not self.firings(op, index):
                    pass  # there are fewer positions than copies
                elif op.tiling is not None:
                    readers, end = self.array_replica(op, index, replica)
                elif op.unit is None:
                    readers, end = self.host_end(op)
                elif op.held_in == ARRAYS:
                    readers, end = self.written_replica(number, op, index, replica)
                else:
                    readers, end = self.unit_replica(number, op, index, replica)
                starts.append(readers)
                ends.append(end)
            self.starts.append(starts)
            self.ends.append(ends)
        for number, op in enumerate(self.plan.ops):
            self.connect(number, op)
        self.send_together()
        if self.rounds is not None:
            self.own.sources += self.rounds.close()

    # -- actors ------------------------------------------------------------------------------------------------

    def growing(self, number: int) -> Growth | None:
        """Return the growth of the plan if it concerns an op."""
        growth = self.plan.growth
        return growth if growth is not None and growth.grows(number) else None

    def actor(
        self,
        op: PlannedOp,
        index: int,
        name: str,
        path: list[Step] | int,
        depth: int,
        selector: int | None = None,
    ) -> int:
        """Add an actor that fires at the positions of one replica, along a path or a path of that number."""
        own = self.firings(op, index)
        host = op.unit is None and op.tiling is None
        if not isinstance(path, int):
            path, selector = self.choices.work(op.node.expert, path)
        number = self.net.add_actor(
            f"{op.node.name}.{index}{name}",
            HOST if host else op.node.name,
            path,
            own * self.program.inferences,
            period=own,
            depth=depth,
            milestone=own if op.node.type == "Output" else 0,
            selector=selector,
        )
        if self.rounds is not None and op.node.type != "Output":
            self.rounds.join(op, number)
        return number

    @staticmethod
    def firings(op: PlannedOp, index: int) -> int:
        """Return how often a replica fires in an inference."""
        return len(op.positions(index))

    def host_end(self, op: PlannedOp) -> tuple[list[tuple[int, Chunk | None]], int]:
        """The host: it sends a row of the input, or takes a token of the output, over its external link."""
        bits = op.node.features * self.input_bits
        step = self.transport.host_step(out_of_chip=op.node.type == "Output", bits=bits)
        actor = self.actor(op, 0, "", [step], depth=2)
        (self.own.sources if op.node.type == "Input" else self.own.sinks).append(actor)
        return [(actor, None)], actor

    def unit_replica(
        self, number: int, op: PlannedOp, index: int, replica: Replica
    ) -> tuple[list[tuple[int, Chunk | None]], int]:
        """An op on a digital unit: read the inputs from the tile's buffer, unless they come straight, and work."""
        growth, home = self.growing(number), replica.home
        if growth is None:
            actor = self.actor(op, index, "", self.unit_path(op, op.node, home), depth=2)
            return [(actor, None)], actor

        def path_at(cached: int) -> list[Step]:
            return self.unit_path(op, growth.node(number, cached), home)

        alike = (
            figures(growth.low[number]),
            figures(growth.high[number]),
            (op.unit, op.node.type, op.slices, op.attached),
            home if op.held_in == MEMORY else None,
        )
        path = self.net.add_growing(path_at, alike, self.program.places, growth.last)
        actor = self.actor(op, index, "", path, depth=2, selector=self.own.selector)
        return [(actor, None)], actor

    def unit_path(self, op: PlannedOp, node: Node, tile: int) -> list[Step]:
        """The path of one firing on a digital unit."""
        right, path = node.right, []
        elements = sum(edge.reads for edge in node.edges if edge is not right) / op.slices
        rows, again = 1, 0
        if right is not None:  # read once for the rows that the unit works on together
            rows = right.rows
            assert op.unit is not None
            again = math.ceil(right.held / min(rows, self.config.tile.digital[op.unit].rows) / op.slices)
        if not op.attached:
            elements += again if op.held_in != MEMORY else 0
            path = self.transport.read_buffer(tile, math.ceil(elements) * self.input_bits)
        if op.held_in == MEMORY:
            path += self.transport.from_memory(tile, again * self.input_bits)
        return [*path, self.unit_step(tile, node.type, node.work / op.slices, rows)]

    def unit_step(self, tile: int, operation: str, elements: float, rows: int = 1) -> Step:
        """One visit to a tile's digital unit."""
        name, occupancy, latency, charged = cycles_of(self.config, operation, elements, rows)
        unit = self.config.tile.digital[name]
        period = self.config.clocks[unit.clock].period_fs
        part = f"tile.digital.{name}"
        resource = self.transport.resource(
            ("unit", tile, name), f"tile{tile}.{name}", part, period, unit.count, tile=tile
        )
        energy = cost(part, charged, unit.energy_per_element_pj)
        return Step(resource, occupancy * period, latency * period, energy=energy)

    def array_replica(
        self, op: PlannedOp, index: int, replica: Replica
    ) -> tuple[list[tuple[int, Chunk | None]], int]:
        """A layer on arrays: an actor a core, then the sums inside each tile, then those between tiles."""
        readers: list[tuple[int, Chunk | None]] = []
        by_tile: dict[int, list[tuple[int, Chunk]]] = {}
        for chunk in replica.chunks:
            actor = self.chunk(op, index, chunk)
            readers.append((actor, chunk))
            by_tile.setdefault(chunk.tile, []).append((actor, chunk))
        if len(replica.chunks) == 1:
            return readers, readers[0][0]
        sums: list[tuple[int, int, int]] = []  # tile, actor, outputs
        for tile, members in by_tile.items():
            outputs = _distinct_outputs([chunk for _, chunk in members])
            if len(members) == 1:
                sums.append((tile, members[0][0], outputs))
                continue
            arriving = sum(_distinct_outputs([chunk]) for _, chunk in members)
            adder = self.adder(op, index, tile, arriving, f".sum{tile}")
            for actor, _ in members:
                self.link(op, actor, adder, None)
            sums.append((tile, adder, outputs))
        if len(sums) == 1:
            return readers, sums[0][1]
        return readers, self.add_up(
            op, index, replica, sums, {t: [c for _, c in m] for t, m in by_tile.items()}
        )

    def add_up(
        self,
        op: PlannedOp,
        index: int,
        replica: Replica,
        sums: list[tuple[int, int, int]],
        chunks: dict[int, list[Chunk]],
    ) -> int:
        """Bring the sums of several tiles to the replica's home and add them there; some meet on the way."""
        tiles = self.config.tiles
        arriving: list[tuple[int, int, int | None]] = []  # actor, outputs, path
        meeting: list[int] = []
        actors = {tile: actor for tile, actor, _ in sums}
        for tile, actor, outputs in sums:
            if tile == replica.home:
                arriving.append((actor, outputs, None))
            elif self.config.network.reduction is not None and tile // tiles == replica.home // tiles:
                meeting.append(tile)
            else:
                bits = outputs * self.sum_bits
                path = self.transport.path(tile, replica.home, bits, into_buffer=False)
                arriving.append((actor, outputs, path))
        if meeting:
            root = meetings(self.transport.fabric, tiles, meeting, replica.home)
            chip, home = replica.home // tiles, f"t{replica.home % tiles}"
            node, actor, met = self.meet(op, index, chip, root, actors, chunks)
            outputs = _distinct_outputs(met)
            bits = outputs * self.sum_bits
            arriving.append((actor, outputs, self.transport.between(chip, node, home, bits)))
        adder = self.adder(op, index, replica.home, sum(outputs for _, outputs, _ in arriving), ".sum")
        for actor, _, way in arriving:
            self.link(op, actor, adder, way)
        return adder

    def meet(
        self,
        op: PlannedOp,
        index: int,
        chip: int,
        place: Meeting,
        actors: dict[int, int],
        chunks: dict[int, list[Chunk]],
    ) -> tuple[str, int, list[Chunk]]:
        """Add the sums that meet at a router; return where they come from, the actor, and what they are sums of."""
        flows = [(f"t{tile % self.config.tiles}", actors[tile], chunks[tile]) for tile in place.tiles]
        flows += [self.meet(op, index, chip, before, actors, chunks) for before in place.before]
        if len(flows) == 1:
            return flows[0]
        node = f"a{place.router[1:]}"
        values = sum(_distinct_outputs(each) for _, _, each in flows)
        step = self.transport.add_step(chip, place.router, values)
        adder = self.actor(op, index, f".chip{chip}{place.router}", [step], depth=2)
        for source, actor, each in flows:
            bits = _distinct_outputs(each) * self.sum_bits
            self.link(op, actor, adder, self.transport.between(chip, source, node, bits))
        return node, adder, [chunk for _, _, each in flows for chunk in each]

    def adder(self, op: PlannedOp, index: int, tile: int, elements: int, name: str) -> int:
        """An actor that adds partial sums up."""
        step = self.unit_step(tile, "Accumulate", elements)
        return self.actor(op, index, name, [step], depth=2)

    def link(self, op: PlannedOp, producer: int, consumer: int, path: int | None) -> None:
        """A stream between two actors of one replica: as many results as firings may be under way, in registers."""
        self.one_to_one(op, producer, consumer, f"{op.node.name} sums", self.config.tile.in_flight, path)

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
        stream = self.net.add_stream(name, places, tokens, part="core.output_register")
        after = self.net.add_table(each + 1)
        self.put(op.node.expert, producer, stream, each, path)
        self.net.add_input(consumer, stream, after, after)

    def chunk(self, op: PlannedOp, index: int, chunk: Chunk) -> int:
        """The arrays of one replica in one core: load the inputs, multiply, send the sums over the bus."""
        rows = sum({block.row: block.rows for block in chunk.blocks}.values())
        outputs = _distinct_outputs([chunk])
        path = self.transport.read_buffer(chunk.tile, rows * self.input_bits)
        path.append(self.multiplication(op, index, chunk, rows))
        path.append(self.over_bus(chunk.tile, outputs))
        actor = self.actor(op, index, f".t{chunk.tile}c{chunk.core}", path, depth=self.config.tile.in_flight)
        if self.rounds is not None:
            self.rounds.write_weights(op, index, chunk, actor)
        return actor

    def multiplication(self, op: PlannedOp, index: int, chunk: Chunk, inputs: int) -> Step:
        """The crossbar phases of a chunk with so many inputs, with an ADC bank of its own or a shared one."""
        core = self.config.core
        shared = core.arrays // core.adc.banks > 1
        arrays = Arrays(
            chunk.tile,
            f"tile{chunk.tile}.core{chunk.core}",
            (chunk.core, chunk.bank, op.node.name, index),
            (chunk.core, chunk.bank) if shared else None,
            len(chunk.blocks),
        )
        rows = sum(block.rows for block in chunk.blocks)
        return multiplication(
            self.transport,
            self.lowered.instances,
            self.plan.chip,
            self.input_bits,
            arrays,
            inputs=inputs,
            rows=rows,
        )

    # -- products of two activations -------------------------------------------------------------------------------

    def written_replica(
        self, number: int, op: PlannedOp, index: int, replica: Replica
    ) -> tuple[list[tuple[int, Chunk | None]], int]:
        """A product whose right matrix is written into arrays: one actor writes it, another multiplies by it."""
        growth, home = self.growing(number), replica.home
        if growth is None:
            multiplier = self.actor(op, index, "", self.product_path(op, op.node, index, home), depth=2)
        else:
            alike = figures(growth.low[number]), figures(growth.high[number]), ARRAYS, op.slices, op.attached

            def path_at(cached: int) -> list[Step]:
                return self.product_path(op, growth.node(number, cached), index, home)

            path = self.net.add_growing(path_at, alike, self.program.places, growth.last)
            multiplier = self.actor(op, index, "", path, depth=2, selector=self.own.selector)
        matrix = Matrix.of(op.node, op.slices)
        assert matrix is not None
        cells = matrix.cells_written(self.plan.chip, self.input_bits)
        bits = -(-cells // self.plan.chip.weight_slices(self.input_bits)) * self.input_bits
        writing = self.transport.write_rows(
            home, f"tile{home}", (op.node.name, index), matrix.rows_written(self.plan.chip), cells
        )
        name = f"{op.node.name}.{index}.write"
        writer = self.net.add_actor(
            name,
            op.node.name,
            self.net.add_path([*self.transport.read_buffer(home, bits), writing]),
            matrix.images * self.program.inferences,
            period=matrix.images,
        )
        if self.rounds is not None:
            self.rounds.join(op, writer)
        each = np.arange(op.node.positions) // (op.node.positions // matrix.images)
        stream = self.net.add_stream(name, 1, matrix.images, part="core.array")
        self.net.add_output(writer, stream, self.net.add_table(np.arange(matrix.images)))
        self.net.add_input(
            multiplier,
            stream,
            self.net.add_table(each + 1),
            self.net.add_table(np.append(each[1:], matrix.images)),
        )
        self.writers[number, index] = writer
        return [(multiplier, None)], multiplier

    def product_path(self, op: PlannedOp, node: Node, index: int, tile: int) -> list[Step]:
        """The path of one firing of a product on arrays: a row of each of the slice's heads."""
        matrix = Matrix.of(node, op.slices)
        assert matrix is not None
        down, across = matrix.blocks(self.plan.chip, self.input_bits)
        left = math.ceil(sum(edge.reads for edge in node.edges if edge is not node.right) / op.slices)
        path = self.transport.read_buffer(tile, left * self.input_bits)
        arrays = Arrays(tile, f"tile{tile}.products", (op.node.name, index), None, op.written)
        path += [
            multiplication(
                self.transport,
                self.lowered.instances,
                self.plan.chip,
                self.input_bits,
                arrays,
                inputs=left // matrix.vectors,
                rows=matrix.count * matrix.rows * across,
                active=matrix.count * down * across,
            )
        ] * matrix.vectors
        outputs = matrix.count * matrix.columns * matrix.vectors
        largest = Matrix.of(op.node, op.slices)
        assert largest is not None
        if (
            largest.blocks(self.plan.chip, self.input_bits)[0] > 1
        ):  # the way is the same before a cache has grown so far
            path.append(self.unit_step(tile, "Accumulate", outputs * down))
        path.append(self.over_bus(tile, outputs))
        return path

    def over_bus(self, tile: int, outputs: int) -> Step:
        """Sums leave arrays over the bus, through the registers."""
        size = outputs * self.sum_bits / 8
        registers = cost("core.output_register", size, self.config.core.output_register.energy_per_byte_pj)
        if (register := self.config.tile.output_register) is not None:
            registers += cost("tile.output_register", size, register.energy_per_byte_pj)
        return self.transport.over_bus(tile, outputs * self.sum_bits, registers)

    # -- streams -----------------------------------------------------------------------------------------------

    def connect(self, number: int, op: PlannedOp) -> None:
        """Join an op to the ops that it reads, one stream a tile (or a replica, where it is attached)."""
        for position, edge in enumerate(op.node.edges):
            source = self.plan.ops[edge.source]
            if op.attached:
                self.attach(number, op, edge.source)
                continue
            by_tile: dict[tuple[int, int], list[tuple[int, int, Chunk | None]]] = {}
            for index, readers in enumerate(self.starts[number]):
                for actor, chunk in readers:
                    if op.held_in == ARRAYS and edge.held:
                        actor = self.writers[number, index]
                    tile = chunk.tile if chunk is not None else op.replicas[index].home
                    by_tile.setdefault((tile, index if op.slices > 1 else 0), []).append(
                        (index, actor, chunk)
                    )
            for (tile, part), readers_here in by_tile.items():
                producers = list(range(len(source.replicas)))
                if source.slices == 1:
                    together = [producers]
                elif op.slices == 1:  # a stream a slice: a token is whole when each has brought its heads
                    together = [[each] for each in producers]
                else:
                    together = [[part]]
                for some in together:
                    self.stream_into(number, op, position, some, tile, part, readers_here)

    def attach(self, number: int, op: PlannedOp, source: int) -> None:
        """Streams from each replica of the op before to the replica that sits beside it."""
        for index, readers in enumerate(self.starts[number]):
            if not readers:
                continue
            ((reader, _),) = readers
            places = self.plan.places[number, 0, op.replicas[index].home]
            self.one_to_one(op, self.ends[source][index], reader, f"{op.node.name} input", places)

    def stream_into(
        self,
        number: int,
        op: PlannedOp,
        position: int,
        producers: list[int],
        tile: int,
        part: int,
        readers: list[tuple[int, int, Chunk | None]],
    ) -> None:
        """A stream of those tokens that a tile's readers need, into the tile's buffer, or for them into the memory.

        Parameters
        ----------
        number, op, position
            The reading op, and which of its inputs.
        producers : list of int
            The replicas of the source that fill the stream.
        tile, part, readers
            Where the readers are, which slice of heads they do, and their replicas, actors and chunks.
        """
        node, edge = op.node, op.node.edges[position]
        source = self.plan.ops[edge.source]
        positions = {index: op.positions(index) for index, _, _ in readers}
        if edge.held and op.held_in == ARRAYS:  # who writes it takes it once an image
            positions = {index: each[:: edge.rows] for index, each in positions.items()}
        wanted = edge.wanted(np.concatenate(list(positions.values())), source.node.tokens)
        if not wanted.any():
            wanted[-1] = True  # a window that lies in the padding: it waits for the last token all the same
        seen = np.concatenate([[0], np.cumsum(wanted)])  # tokens wanted below each token
        tokens = int(seen[-1])
        need, low = seen[edge.need], seen[edge.low]
        places = self.plan.places.get((number, position, tile), 2 * len(source.replicas))
        share = 1.0
        if op.tiling is not None:
            share = op.tiling.share(
                block for _, _, chunk in readers if chunk is not None for block in chunk.blocks
            )
        taken = edge.features * share / max(op.slices, source.slices)
        bits = int(np.ceil(taken)) * self.input_bits
        off_chip = edge.held > 0 and op.held_in == MEMORY
        stream = self.net.add_stream(
            f"{source.node.name} -> {node.name} at tile {tile}",
            places,
            tokens,
            part=HOST if tile == HOST_TILE else "memory" if off_chip else "tile.buffer",
            tile=None if tile == HOST_TILE or off_chip else tile,
            bits=bits,
        )
        for index, actor, _ in readers:
            own = low[positions[index]]
            after = np.append(own[1:], tokens + own[0])  # what its next position still needs
            own_need, own_after = self.net.add_table(need[positions[index]]), self.net.add_table(after)
            self.net.add_input(actor, stream, own_need, own_after, int(own[0]))
        if self.rounds is not None and op.round != source.round and tile != HOST_TILE and not off_chip:
            features = -(-edge.features // source.slices)
            tokens_of = edge.source, tuple(producers), edge.piece
            makers = [(each, self.ends[edge.source][each]) for each in producers]
            stored = self.rounds.store(source, makers, tokens_of, features, tile)
            self.rounds.load(op, stored, wanted, stream, tile, expert_of(source.node, node, position))
            return
        emitted = np.where(source.node.token >= 0, source.node.token, 0)
        ranks = np.where((source.node.token >= 0) & wanted[emitted], seen[emitted], -1)
        for index in producers:
            producer = source.replicas[index]
            own = ranks[source.positions(index)]
            if not (own >= 0).any():
                continue
            expert = expert_of(source.node, node, position)
            copy = _Copy(self.ends[edge.source][index], producer.home, tile, bits, stream, own, expert)
            growth = self.growing(number)
            if off_chip:
                self.put_copy(copy, self.transport.to_memory(producer.home, tile, bits))
            elif growth is not None and growth.low[number].edges[position].features != edge.features:
                self.send_growing(copy, growth, number, position, taken / edge.features)
            elif self.transport.branches(producer.home, tile) and not self.told_apart(copy, source.node):
                rows = frozenset(
                    block.row for _, _, chunk in readers if chunk is not None for block in chunk.blocks
                )
                key = (copy.actor, bits, rows if share < 1 else None, edge.piece, part)
                self.together.setdefault(key, []).append(copy)
            else:
                self.send(copy)

    def send_growing(self, copy: _Copy, growth: Growth, number: int, position: int, share: float) -> None:
        """Send tokens whose width depends on the cache."""
        choice = self.transport.next_choice()

        def bits_at(cached: int) -> int:
            features = growth.node(number, cached).edges[position].features
            return math.ceil(features * share) * self.input_bits

        def path_at(cached: int) -> list[Step]:
            return self.transport.way(copy.home, copy.tile, bits_at(cached), choice, into_buffer=True)

        local = copy.home == copy.tile
        alike = (
            "token",
            bits_at(growth.first),
            bits_at(growth.last),
            local or (copy.home, copy.tile, choice),
        )
        path = self.net.add_growing(path_at, alike, self.program.places, growth.last)
        self.net.bits_at[copy.stream] = bits_at
        self.net.add_output(
            copy.actor, copy.stream, self.net.add_table(copy.tokens), path, selector=self.own.selector
        )

    def told_apart(self, copy: _Copy, source: Node) -> bool:
        """Whether a token may go to one expert and not to another: then a packet cannot go to both and branch."""
        return copy.expert in self.choices.selectors and source.expert is None

    def send(self, copy: _Copy) -> None:
        """Send an actor's tokens to one tile, a packet each."""
        self.put_copy(copy, self.transport.path(copy.home, copy.tile, copy.bits, into_buffer=True))

    def put_copy(self, copy: _Copy, path: int | None, latency: int | None = None) -> None:
        """Put what an actor sends to one tile on its stream."""
        self.put(copy.expert, copy.actor, copy.stream, copy.tokens, path, latency)

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

    def send_together(self) -> None:
        """Send what several tiles need in packets that branch: one for each set of tiles that want a token."""
        for copies in self.together.values():
            if len(copies) == 1:
                self.send(copies[0])
        counts = Counter(row.actor for row in self.net.outputs)
        for copies in self.together.values():
            if len(copies) == 1:
                continue
            actor = copies[0].actor
            wanted = np.stack([copy.tokens >= 0 for copy in copies], axis=1)
            sets, which = np.unique(wanted, axis=0, return_inverse=True)
            number = np.full(len(sets), -1)
            trees: list[Tree] = []
            for index, members in enumerate(sets):
                if members.any():
                    number[index] = len(trees)
                    chosen = [i for i, member in enumerate(members) if member]
                    ends = [(counts[actor] + i, copies[i].tile) for i in chosen]
                    trees.append(self.transport.tree(copies[0].home, ends, copies[0].bits))
            self.net.casts.append(Cast(actor, self.net.add_table(number[which]), tuple(trees)))
            for copy in copies:
                path = self.net.add_path([self.transport.write_buffer(copy.tile, copy.bits)])
                latency = self.transport.through_fs(copy.home, copy.tile, copy.bits)
                self.put_copy(copy, path, latency)
            counts[actor] += len(copies)


def _distinct_outputs(chunks: list[Chunk]) -> int:
    return sum({block.column: block.outputs for chunk in chunks for block in chunk.blocks}.values())
