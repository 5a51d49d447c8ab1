"""Controllers in plain SimPy, beside the twin: weights that are written first, and parts that are visited at intervals.

It shares no code with those of the machine. Which arrays hold what is read from the plan and the names of resources.
"""

from __future__ import annotations

from pimsim.netlist.rows import Step
from tests.oracle.twin_processes import ServingTwin


class ControlledTwin(ServingTwin):
    """A twin whose jobs are numbered as they are sent."""

    def __init__(self, net):
        super().__init__(net)
        self.sent = 0

    def send(self, steps):
        self.sent += 1
        return self.submit(self.sent, steps)

    def program(self, tiles, sources):
        """Write the weights of tiles, each a list of (steps, actors that need them); `sources` tiles take turns."""
        over = [[] for _ in tiles]
        for first in range(0, len(tiles), sources):
            group = range(first, min(first + sources, len(tiles)))
            for turn in range(max(len(tiles[number]) for number in group)):
                for number in group:
                    if turn < len(tiles[number]):
                        over[number].append(self.send(tiles[number][turn][0]))
        for number, tile in enumerate(tiles):
            actors = sorted({actor for _, needing in tile for actor in needing})
            self.close(actors)
            self.env.process(self.open_after(over[number], actors))

    def open_after(self, jobs, actors):
        yield self.env.all_of(jobs)
        self.open(actors)

    def repeat(self, tiles, interval):
        """Visit parts of tiles, each a list of visits, at intervals: one tile after another, evenly."""
        for number, visits in enumerate(tiles):
            self.env.process(self.again(visits, interval, interval * (number + 1) // len(tiles)))

    def again(self, visits, interval, first):
        yield self.sleep(first)
        while not self.finished:
            begin = self.env.now
            yield self.env.all_of([self.send([visit]) for visit in visits])
            if self.finished:
                return
            yield self.sleep(max(0, begin + interval - self.env.now))


def held_weights(plan, net):
    """Where weights are: (tile, bits, rows, cells, resource, actors) of each chunk, in the plan's order."""
    by_name = {row.name: number for number, row in enumerate(net.resources)}
    users = {}
    for number, actor in enumerate(net.actors):
        for step in net.paths[actor.path]:
            if step.mvm is not None:
                users.setdefault(step.resource, []).append(number)
    found = []
    for op in plan.ops:
        for index, replica in enumerate(op.replicas):
            for chunk in replica.chunks:
                core = plan.package.site(chunk.tile).core
                where = f"tile{chunk.tile}.core{chunk.core}"
                where += f".bank{chunk.bank}" if core.arrays > core.adc.banks > 1 else ""
                resource = by_name[f"{where}.arrays {op.node.name}.{index}"]
                elements = sum(block.rows * block.outputs for block in chunk.blocks)
                width = op.node.op.weight.tensor.bits or plan.chip.config.precision.weight_bits
                cells = elements * -(-width // core.array.bits_per_cell)
                rows = max(block.rows for block in chunk.blocks)
                found.append((chunk.tile, elements * width, rows, cells, resource, users[resource]))
    return found


def by_tile(rows):
    """Rows of (tile, …) by tile, in order of the first of each."""
    tiles = {}
    for tile, *rest in rows:
        tiles.setdefault(tile, []).append(rest)
    return list(tiles.values())


def write(resource, rows, row_fs):
    """A visit that writes rows one after another."""
    return Step(resource, rows * row_fs, rows * row_fs)
