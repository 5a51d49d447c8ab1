"""Rounds as rows of a machine: weights written row by row, tokens that wait off the chip, and who goes when.

An op of a round starts when all of the round before are done: the first round, when the last is with the inference
before. So tiles' buffers are used in turn as arrays are. What passes from a round to a later one lies in the memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pimsim.mapping.flow.dataflow import Expert
from pimsim.mapping.lowering.choices import Choices
from pimsim.mapping.lowering.transport import Transport
from pimsim.mapping.lowering.windows import under_way
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planned import Chunk, PlannedOp
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Carried, Written

Table = npt.NDArray[np.int64]
Tokens = tuple[int, tuple[int, ...], tuple[object, ...]]
"""Whose tokens: an op, the replicas that put them out, and which of its outputs, if it has several."""


class Rounds:
    """The rounds of a plan while it is lowered.

    Parameters
    ----------
    plan : Plan
        One with several rounds.
    inferences : int
        How often it runs.
    net, transport, choices
        What to add to.
    mark : str
        Behind the names of its streams, to tell them from another program's.
    """

    def __init__(
        self, plan: Plan, inferences: int, net: Netlist, transport: Transport, choices: Choices, mark: str
    ) -> None:
        self.plan, self.inferences, self.net, self.transport = plan, inferences, net, transport
        self.choices, self.mark = choices, mark
        self.config = plan.chip.config
        self.members: list[list[int]] = [[] for _ in range(plan.rounds)]
        self.writers: list[list[int]] = [[] for _ in range(plan.rounds)]
        self.stored: dict[tuple[Tokens, int], int] = {}  # what lies in the memory -> its stream
        self.ready: dict[
            tuple[int, int], int
        ] = {}  # round and slots -> the stream that says that they are written

    def join(self, op: PlannedOp, actor: int) -> None:
        """Note an actor of a round."""
        self.members[op.round].append(actor)

    def write_weights(self, op: PlannedOp, index: int, chunk: Chunk, reader: int) -> None:
        """Write the weights of a chunk from the memory, a row of all its arrays at a time, before its actor begins.

        Where ops of a round take turns on a weight, it is written once, for all of them.
        """
        share = op.share_of(index, chunk)
        if share.when != "round":
            return  # nobody else uses these arrays: the weights stay
        kind, rows = self.plan.package.kind(chunk.tile), share.rows
        bits = -(-share.elements // rows) * share.width
        home = kind.home(self.transport, op, index, chunk)
        assert home is not None
        if (op.round, home) in self.ready:
            self._wait(reader, self.ready[op.round, home], 1, 1)
            return
        written = Written((chunk.tile, chunk.core), op.round, home, rows)
        writing = kind.write_step(home, 1, share.cells / rows)._replace(tally=written)
        path = [*self.transport.from_memory(chunk.tile, bits), writing]
        name = f"{self.net.actors[reader].name} weights"
        way, selector = self.choices.work(op.node.expert, path)
        writer = self.net.add_actor(
            name,
            op.node.name,
            way,
            rows * self.inferences,
            period=rows,
            depth=under_way(self.net, path),
            selector=selector,
        )
        self.writers[op.round].append(writer)
        stream = self.net.add_stream(name, 1, 1, part=self.net.resources[path[-1].resource].part)
        self.ready[op.round, home] = stream
        last = np.append(np.full(rows - 1, -1), 0)
        self.net.add_output(writer, stream, self.net.add_table(last))
        self._wait(reader, stream, 1, 1)

    def store(
        self,
        source: PlannedOp,
        producers: Sequence[tuple[int, int]],
        key: Tokens,
        features: int,
        tile: int,
    ) -> int:
        """Return the stream of an op's tokens in the memory of a tile's chip, made at its first use.

        Parameters
        ----------
        source : PlannedOp
            Whose tokens.
        producers : sequence of (replica, actor)
            Those that put them out.
        key : (int, tuple of int, tuple)
            What tells these tokens from others.
        features : int
            Elements of a token that each producer brings.
        tile : int
            A tile that reads them.
        """
        chip = tile // self.config.tiles
        if (key, chip) not in self.stored:
            bits = features * source.node.bits
            tokens = source.node.tokens
            _, replicas, piece = key
            name = f"{source.node.name} in memory of chip {chip}"
            name += f", slice {replicas[0]}" if source.slices > 1 else ""
            name += f", {' output '.join(map(str, piece))}" if piece else ""
            stream = self.net.add_stream(
                f"{name}{self.mark}", tokens, tokens, self.config.memory.name, bits=bits
            )
            for index, actor in producers:
                own = source.node.token[source.positions(index)]
                if (own >= 0).any():
                    path = self.transport.to_memory(source.replicas[index].home, tile, bits)
                    way, selector = self.choices.packet(source.node.expert, path)
                    self.net.add_output(actor, stream, self.net.add_table(own), way, selector=selector)
            self.stored[key, chip] = stream
        return self.stored[key, chip]

    def load(
        self,
        op: PlannedOp,
        stored: int,
        wanted: npt.NDArray[np.bool_],
        stream: int,
        tile: int,
        expert: Expert | None,
    ) -> None:
        """Bring those tokens that a tile wants from the memory into the stream in its buffer.

        Parameters
        ----------
        op : PlannedOp
            That wants them.
        stored, stream : int
            Where they are and where they go.
        wanted : bool, shape (tokens of the source,)
            Which.
        tile : int
            Where the buffer is.
        expert : (int, int), optional
            The expert that they are for or from.
        """
        tokens = np.flatnonzero(wanted)
        row = self.net.streams[stream]
        *path, last = self.transport.load(tile, row.bits)
        path.append(last._replace(tally=Carried(row.bits, op.node.name, op.node.name)))
        depth = min(row.capacity, under_way(self.net, path))
        name = f"{row.name} from memory"
        way, selector = self.choices.work(expert, path)
        loader = self.net.add_actor(
            name,
            op.node.name,
            way,
            len(tokens) * self.inferences,
            period=len(tokens),
            depth=depth,
            selector=selector,
        )
        self.join(op, loader)
        after = np.append(tokens[1:], len(wanted) + tokens[0])
        self.net.add_input(
            loader, stored, self.net.add_table(tokens + 1), self.net.add_table(after), int(tokens[0])
        )
        self.net.add_output(loader, stream, self.net.add_table(np.arange(len(tokens))))

    def close(self) -> list[int]:
        """Let each round wait for the one before; return the actors that the host starts an inference with."""
        written = next(
            chunk.tile for op in self.plan.ops for replica in op.replicas for chunk in replica.chunks
        )
        part = self.plan.package.kind(written).slot_part
        for number, members in enumerate(self.members):
            done = self.net.add_stream(f"round {number} is done{self.mark}", len(members), len(members), part)
            for token, actor in enumerate(members):
                last = np.full(self.net.actors[actor].period, -1)
                last[-1] = token
                self.net.add_output(actor, done, self.net.add_table(last))
            following = (number + 1) % len(self.members)
            for actor in (*self.members[following], *self.writers[following]):
                self._wait(actor, done, len(members) if following else 0, len(members))
        return self.writers[0]

    def _wait(self, actor: int, stream: int, need: int, tokens: int) -> None:
        """Let an actor begin an inference when so many of its tokens have come; it gives them back at the end."""
        period = self.net.actors[actor].period
        free = np.zeros(period)
        free[-1] = tokens
        self.net.add_input(actor, stream, self.net.add_table(np.full(period, need)), self.net.add_table(free))
