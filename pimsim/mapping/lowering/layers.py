"""A layer on arrays as actors: one a core, then the sums inside each tile, then those between tiles."""

from __future__ import annotations

from pimsim.mapping.lowering.actors import Actors, Readers
from pimsim.mapping.lowering.reduction import Meeting, meetings
from pimsim.mapping.lowering.windows import needed_under_way
from pimsim.mapping.planning.planned import Chunk, PlannedOp, Replica
from pimsim.mapping.planning.tiling import distinct_outputs
from pimsim.netlist.rows import Window


def layer(actors: Actors, op: PlannedOp, index: int, replica: Replica) -> tuple[Readers, int]:
    """A layer on arrays: an actor a core, then the sums inside each tile, then those between tiles."""
    readers: Readers = []
    by_tile: dict[int, list[tuple[int, Chunk]]] = {}
    for chunk in replica.chunks:
        actor = _chunk(actors, op, index, chunk)
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
        adder = _adder(actors, op, index, tile, arriving, f".sum{tile}")
        for actor, _ in members:
            actors.link(op, actor, adder, None)
        sums.append((tile, adder, outputs))
    if len(sums) == 1:
        return readers, sums[0][1]
    return readers, _add_up(
        actors, op, index, replica, sums, {t: [c for _, c in m] for t, m in by_tile.items()}
    )


def _add_up(
    actors: Actors,
    op: PlannedOp,
    index: int,
    replica: Replica,
    sums: list[tuple[int, int, int]],
    chunks: dict[int, list[Chunk]],
) -> int:
    """Bring the sums of several tiles to the replica's home and add them there; some meet on the way."""
    tiles = actors.config.tiles
    arriving: list[tuple[int, int, int | None]] = []  # actor, outputs, path
    meeting: list[int] = []
    ends = {tile: actor for tile, actor, _ in sums}
    for tile, actor, outputs in sums:
        if tile == replica.home:
            arriving.append((actor, outputs, None))
        elif actors.config.network.reduction is not None and tile // tiles == replica.home // tiles:
            meeting.append(tile)
        else:
            bits = outputs * actors.sum_bits
            path = actors.transport.path(tile, replica.home, bits, into_buffer=False)
            arriving.append((actor, outputs, path))
    if meeting:
        root = meetings(actors.transport.fabric, tiles, meeting, replica.home)
        chip, home = replica.home // tiles, f"t{replica.home % tiles}"
        node, actor, met = _meet(actors, op, index, chip, root, ends, chunks)
        outputs = _distinct_outputs(met)
        bits = outputs * actors.sum_bits
        arriving.append((actor, outputs, actors.transport.between(chip, node, home, bits)))
    adder = _adder(actors, op, index, replica.home, sum(outputs for _, outputs, _ in arriving), ".sum")
    for actor, _, way in arriving:
        actors.link(op, actor, adder, way)
    return adder


def _meet(
    actors: Actors,
    op: PlannedOp,
    index: int,
    chip: int,
    place: Meeting,
    ends: dict[int, int],
    chunks: dict[int, list[Chunk]],
) -> tuple[str, int, list[Chunk]]:
    """Add the sums that meet at a router; return where they come from, the actor, and what they are sums of."""
    flows = [(f"t{tile % actors.config.tiles}", ends[tile], chunks[tile]) for tile in place.tiles]
    flows += [_meet(actors, op, index, chip, before, ends, chunks) for before in place.before]
    if len(flows) == 1:
        return flows[0]
    node = f"a{place.router[1:]}"
    values = sum(_distinct_outputs(each) for _, _, each in flows)
    step = actors.transport.add_step(chip, place.router, values)
    adder = actors.actor(op, index, f".chip{chip}{place.router}", [step])
    for source, actor, each in flows:
        bits = _distinct_outputs(each) * actors.sum_bits
        actors.link(op, actor, adder, actors.transport.between(chip, source, node, bits))
    return node, adder, [chunk for _, _, each in flows for chunk in each]


def _adder(actors: Actors, op: PlannedOp, index: int, tile: int, elements: int, name: str) -> int:
    """An actor that adds partial sums up."""
    step = actors.transport.at_unit(tile, "Accumulate", elements)
    return actors.actor(op, index, name, [step])


def _chunk(actors: Actors, op: PlannedOp, index: int, chunk: Chunk) -> int:
    """The blocks of one replica that stand together, in one core: load the inputs, multiply, send the sums on."""
    package = actors.plan.package
    path = package.kind(chunk.tile).chunk_path(actors, op, index, chunk)
    site = package.site(chunk.tile)
    name = f".t{chunk.tile}c{chunk.core}b{chunk.bank}"
    actor, needs = (
        actors.actor(op, index, name, path, depth=site.in_flight),
        needed_under_way(actors.net, path),
    )
    if site.in_flight < needs:
        actors.net.windows.append(Window("firings", actor, needs, f"{site.name}.in_flight"))
    if actors.rounds is not None:
        actors.rounds.write_weights(op, index, chunk, actor)
    return actor


def _distinct_outputs(chunks: list[Chunk]) -> int:
    return distinct_outputs(block for chunk in chunks for block in chunk.blocks)
