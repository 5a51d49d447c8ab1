"""From a plan to the rows of a machine: actors for the ops, streams between them, resources for the parts.

A layer on arrays becomes one actor a core (a chunk), a reduction in each tile and one in the replica's home tile;
an op on a digital unit becomes one actor a replica. A stream ends in the buffer of each tile that reads it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from pimsim.collection import uncollected
from pimsim.errors import MappingError
from pimsim.mapping.flow.dataflow import Expert, Node
from pimsim.mapping.flow.growth import Growth
from pimsim.mapping.lowering.actors import Actors, Readers, Table
from pimsim.mapping.lowering.carried import note_carried
from pimsim.mapping.lowering.choices import expert_of
from pimsim.mapping.lowering.kernels import in_order
from pimsim.mapping.lowering.layers import layer
from pimsim.mapping.lowering.lowered import Lowered
from pimsim.mapping.lowering.passing import Passing
from pimsim.mapping.lowering.sites import place_actors
from pimsim.mapping.lowering.transport import Transport
from pimsim.mapping.lowering.windows import Buffered, Widening
from pimsim.mapping.planning.package import HOST_TILE
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planned import Chunk, PlannedOp
from pimsim.mapping.planning.program import Program
from pimsim.mapping.planning.stationary import ARRAYS, MEMORY
from pimsim.mapping.planning.stripes import reach
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import HOST, Cast, Step, Tree


def lower(plan: Plan, batch: int) -> Lowered:
    """Turn a plan into a machine that runs `batch` inferences."""
    return lower_programs([Program(plan, batch)])


@uncollected()
def lower_programs(programs: Sequence[Program]) -> Lowered:
    """Turn programs that share their parts into one machine."""
    net = Netlist()
    lowered = Lowered(net, Transport(programs[0].plan.package, net), [], {})
    room: list[int] | None = None
    for net.program, program in enumerate(programs):
        first, lowering = len(net.actors), _Lowering(program, lowered)
        lowering.run()
        room = list(program.plan.slack.room) if room is None else room
        widening = Widening(net, first, program.plan, lowering.actors.units)
        widening.widen(lowering.actors.buffered, room)
    place_actors(net)
    note_carried(net)
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
        self.actors = Actors(program, lowered)
        self.plan, self.config = program.plan, program.plan.chip.config
        self.net, self.transport, self.rounds = lowered.net, lowered.transport, self.actors.rounds
        self.ends: list[list[int]] = []  # op -> the actor of each replica that puts out its tokens
        self.starts: list[list[Readers]] = []  # op -> replica -> actors that read its inputs
        self.writers: dict[tuple[int, int], int] = {}  # (op, replica) -> what writes its right matrix
        self.together: dict[Hashable, list[_Copy]] = {}  # what the same actor sends to several tiles
        self.passing = Passing(self.actors)
        self.kernels: dict[int, list[tuple[int, int]]] = {}  # tile -> what starts and ends each kernel there

    def run(self) -> None:
        for number, op in enumerate(self.plan.ops):
            starts, ends = [], []
            for index, replica in enumerate(op.replicas):
                readers: Readers = []
                end = -1
                if not self.actors.firings(op, index):
                    pass  # there are fewer positions than copies
                elif op.tiling is not None:
                    readers, end = layer(self.actors, op, index, replica)
                elif op.unit is None:
                    readers, end = self.actors.host_end(op)
                elif self.plan.package.kind(replica.home).whole:
                    readers, end = self.plan.package.kind(replica.home).kernel_rows(
                        self.actors, number, op, index, replica
                    )
                    self.kernels.setdefault(replica.home, []).append((readers[0][0], end))
                elif op.held_in == ARRAYS:
                    end, self.writers[number, index] = self.plan.package.kind(replica.home).product_rows(
                        self.actors, number, op, index, replica
                    )
                    readers = [(end, None)]
                else:
                    readers, end = self.actors.unit_replica(number, op, index, replica)
                starts.append(readers)
                ends.append(end)
            self.starts.append(starts)
            self.ends.append(ends)
        for number, op in enumerate(self.plan.ops):
            self.connect(number, op)
        self.send_together()
        for each in self.kernels.values():
            in_order(self.net, each)
        if self.rounds is not None:
            self.actors.own.sources += self.rounds.close()

    # -- streams -----------------------------------------------------------------------------------------------

    def connect(self, number: int, op: PlannedOp) -> None:
        """Join an op to the ops that it reads, one stream a tile (or a replica, where it is attached)."""
        for position, edge in enumerate(op.node.edges):
            source = self.plan.ops[edge.source]
            if op.attached:
                self.attach(number, op, edge.source)
                continue
            apart = op.slices > 1 or op.alone(edge)
            by_tile: dict[tuple[int, int], list[tuple[int, int, Chunk | None]]] = {}
            for index, readers in enumerate(self.starts[number]):
                for actor, chunk in readers:
                    if op.held_in == ARRAYS and edge.held:
                        actor = self.writers[number, index]
                    tile = chunk.tile if chunk is not None else op.replicas[index].home
                    by_tile.setdefault((tile, index if apart else 0), []).append((index, actor, chunk))
            copies = Counter(tile for tile, _ in by_tile) if op.alone(edge) else Counter[int]()
            for (tile, part), readers_here in by_tile.items():
                producers = list(range(len(source.replicas)))
                if source.slices == 1:
                    together = [producers]
                elif op.slices == 1:  # a stream a slice: a token is whole when each has brought its heads
                    together = [[each] for each in producers]
                else:
                    together = [[part]]
                homes = op.elsewhere.get((position, part), (tile,))
                for some in together:
                    for turn, home in enumerate(homes):
                        turns = turn, len(homes)
                        self.stream_into(
                            number, op, position, some, home, turns, part, readers_here, copies[home] or 1
                        )

    def attach(self, number: int, op: PlannedOp, source: int) -> None:
        """Streams from each replica of the op before to the replica that sits beside it."""
        for index, readers in enumerate(self.starts[number]):
            if not readers:
                continue
            ((reader, _),) = readers
            places = self.plan.places[number, 0, op.replicas[index].home]
            name = f"{self.net.actors[reader].name} input"
            self.actors.one_to_one(op, self.ends[source][index], reader, name, places)

    def stream_into(
        self,
        number: int,
        op: PlannedOp,
        position: int,
        producers: list[int],
        tile: int,
        turns: tuple[int, int],
        part: int,
        readers: list[tuple[int, int, Chunk | None]],
        sharing: int,
    ) -> None:
        """A stream of those tokens that a tile's readers need, into the tile's buffer, or for them into the memory.

        Parameters
        ----------
        number, op, position
            The reading op, and which of its inputs.
        producers : list of int
            The replicas of the source that fill the stream.
        tile : int
            Where the tokens are: where the readers are, unless they lie elsewhere.
        turns : (int, int)
            Which of the tokens, where they lie in so many buffers by turns.
        part, readers
            Which slice of heads the readers do, or which copy they are, and their replicas, actors and chunks.
        sharing : int
            Streams for copies that share the tile's places for this input, each the same part.
        """
        node, edge = op.node, op.node.edges[position]
        source = self.plan.ops[edge.source]
        positions = {index: op.positions(index) for index, _, _ in readers}
        if edge.held and op.held_in == ARRAYS:  # who writes it takes it once an image
            positions = {index: each[edge.rows - 1 :: edge.rows] for index, each in positions.items()}
        wanted = edge.wanted(
            np.concatenate(list(positions.values())), source.node.tokens, dealt=bool(op.dealt)
        )
        if not wanted.any():
            wanted[-1] = True  # a window that lies in the padding: it waits for the last token all the same
        wanted = wanted & ((np.cumsum(wanted) - 1) % turns[1] == turns[0])
        if not wanted.any():
            return  # there are more buffers than tokens
        seen = np.concatenate([[0], np.cumsum(wanted)])  # tokens wanted below each token
        tokens = int(seen[-1])
        need, low = seen[edge.need], seen[edge.low]
        edge_key = number, position, tile
        places = self.plan.places.get(edge_key, reach(source.node, len(source.replicas)))  # the host has room
        places //= sharing
        share = 1.0
        if op.tiling is not None:
            blocks = [block for _, _, chunk in readers if chunk is not None for block in chunk.blocks]
            share = op.tiling.share(blocks, unrolled=edge.unrolled)
        taken = edge.features * share / (1 if op.sharers > 1 else max(op.slices, source.slices))
        bits = int(np.ceil(taken)) * edge.bits
        off_chip = edge.held > 0 and op.held_in == MEMORY
        stream = self.net.add_stream(
            self.stream_name(op, position, producers, tile, part),
            places,
            tokens,
            part=self.part_of(tile, off_chip),
            tile=None if tile == HOST_TILE or off_chip else tile,
            bits=bits,
        )
        self.actors.buffered.append(Buffered(stream, self.plan.slack.needed.get(edge_key, 0) // sharing))
        for index, actor, _ in readers:
            own = low[positions[index]]
            after = np.append(own[1:], tokens + own[0])  # what its next position still needs
            own_need, own_after = self.net.add_table(need[positions[index]]), self.net.add_table(after)
            self.net.add_input(actor, stream, own_need, own_after, int(own[0]))
        if self.rounds is not None and op.round != source.round and tile != HOST_TILE and not off_chip:
            grows = self.actors.growing(number)
            if grows is not None and grows.low[number].edges[position].features != edge.features:
                raise MappingError(
                    "its input grows with the cache, and comes from an earlier round of weights",
                    where=f"op '{node.name}' ({node.type})",
                    mend="give more --chips",
                )
            features = -(-edge.features // source.slices)
            tokens_of = edge.source, tuple(producers), edge.piece
            makers = [(each, self.ends[edge.source][each]) for each in producers]
            stored = self.rounds.store(source, makers, tokens_of, features, tile)
            self.rounds.load(op, stored, wanted, stream, tile, expert_of(source.node, node, position))
            return
        rows = frozenset(block.row for _, _, chunk in readers if chunk is not None for block in chunk.blocks)
        alike = bits, rows if share < 1 else None, edge.piece
        if self.may_pass_on(number, position):
            homes = [source.replicas[index].home for index in producers]
            key = number, position, tuple(producers), wanted.tobytes(), alike
            giver = self.passing.giver(op, key, homes, tile, stream)
            if giver is not None:
                way = self.transport.path(giver.tile, tile, bits, into_buffer=True)
                self.net.add_output(giver.actor, stream, self.net.add_table(np.arange(tokens)), way)
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
            growth = self.actors.growing(number)
            if off_chip:
                self.put_copy(copy, self.transport.to_memory(producer.home, tile, bits))
            elif growth is not None and growth.low[number].edges[position].features != edge.features:
                self.send_growing(copy, growth, number, position, taken / edge.features)
            elif self.transport.branches(producer.home, tile) and not self.told_apart(copy, source.node):
                self.together.setdefault((copy.actor, alike, part), []).append(copy)
            else:
                self.send(copy)

    def may_pass_on(self, number: int, position: int) -> bool:
        """Whether what an op reads in a tile may come from another tile that reads the same."""
        op, network = self.plan.ops[number], self.config.network
        edge, chosen = op.node.edges[position], self.actors.choices.selectors
        source = self.plan.ops[edge.source]
        return (
            op.tiling is not None
            and self.rounds is None
            and not chosen
            and self.actors.growing(number) is None
            and op.slices == source.slices == 1
            and not (network.multicast and network.fidelity == "flit")
            and not any(
                replica.home >= 0 and self.plan.package.site(replica.home).in_memory
                for replica in source.replicas
            )
        )

    def part_of(self, tile: int, off_chip: bool) -> str:
        """Return what results call the buffer that a stream is in."""
        if tile == HOST_TILE:
            return HOST
        site = self.plan.package.site(tile)
        return self.config.memory.name if off_chip else site.label(site.store_at)

    def stream_name(self, op: PlannedOp, position: int, producers: list[int], tile: int, part: int) -> str:
        """Name what an op reads in a tile: from whom, and, where there are several of that, which."""
        edges = op.node.edges
        source = self.plan.ops[edges[position].source]
        name = f"{source.node.name} -> {op.node.name} at tile {tile}"
        if sum(edge.source == edges[position].source for edge in edges) > 1:
            name += f", input {position}"
        if op.slices > 1 or source.slices > 1:
            name += f", slice {part if op.slices > 1 else producers[0]}"
        elif op.alone(edges[position]) and len(op.replicas) > 1:
            name += f", copy {part}"
        return name + self.actors.mark

    def send_growing(self, copy: _Copy, growth: Growth, number: int, position: int, share: float) -> None:
        """Send tokens whose width depends on the cache."""
        choice = self.transport.next_choice()

        def bits_at(cached: int) -> int:
            edge = growth.node(number, cached).edges[position]
            return math.ceil(edge.features * share) * edge.bits

        def path_at(cached: int) -> list[Step]:
            return self.transport.way(copy.home, copy.tile, bits_at(cached), choice, into_buffer=True)

        local = copy.home == copy.tile
        alike = (
            "token",
            bits_at(growth.first),
            bits_at(growth.last),
            local or (copy.home, copy.tile, choice),
        )
        path = self.actors.add_growing(path_at, alike, growth)
        self.net.bits_at[copy.stream] = bits_at
        self.net.add_output(copy.actor, copy.stream, self.net.add_table(copy.tokens), path)

    def told_apart(self, copy: _Copy, source: Node) -> bool:
        """Whether a token may go to one expert and not to another: then a packet cannot go to both and branch."""
        return copy.expert in self.actors.choices.selectors and source.expert is None

    def send(self, copy: _Copy) -> None:
        """Send an actor's tokens to one tile, a packet each."""
        self.put_copy(copy, self.transport.path(copy.home, copy.tile, copy.bits, into_buffer=True))

    def put_copy(self, copy: _Copy, path: int | None, latency: int | None = None) -> None:
        """Put what an actor sends to one tile on its stream."""
        self.actors.put(copy.expert, copy.actor, copy.stream, copy.tokens, path, latency)

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
