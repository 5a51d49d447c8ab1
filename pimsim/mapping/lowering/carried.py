"""Who sends how much to whom: noted at the last visit of a packet's way, whose visits the core counts."""

from __future__ import annotations

from collections.abc import Sequence

from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import HOST, Carried, Output, Step


def note_carried(net: Netlist) -> None:
    """Let the last visit of each packet's way say what it brings from which op to which.

    Ways that are alike are told apart where they bring something else. What has no way, as from a register, is not
    moved and counts for nothing.
    """
    readers = [HOST] * len(net.streams)
    for line in net.inputs:
        readers[line.stream] = net.actors[line.actor].op
    kept = {row.path + which for row in net.actors for which in range(1 if row.selector is None else 2)}
    made: dict[tuple[int, Carried], int] = {}
    growing = {row.path: number for number, row in enumerate(net.growing)}
    for number, out in enumerate(net.outputs):
        bits = net.streams[out.stream].bits
        if out.path is None or bits == 0:
            continue
        way = net.paths[through(out)]
        carried = _carried(net, out, readers[out.stream], way)._replace(bits=bits)
        if out.path in growing:
            _grow(net, growing[out.path], out, carried)
            continue
        key = out.path, carried
        if key not in made:
            made[key] = out.path if out.path not in kept else len(net.paths)
            kept.add(out.path)
            if made[key] != out.path:
                net.paths += net.paths[out.path : through(out) + 1]
            tallied = (*way[:-1], way[-1]._replace(tally=carried))
            net.replace_path(made[key] + through(out) - out.path, tallied, net.owner_of(out.actor))
        net.outputs[number] = out._replace(path=made[key])
    _note_trees(net)


def through(out: Output) -> int:
    """Return the path of an output's packets, where they may pass an expert by the one to it."""
    assert out.path is not None
    return out.path + (out.selector is not None)


def _carried(net: Netlist, out: Output, reader: str, way: Sequence[Step]) -> Carried:
    """Return who has to do with what an output's packets bring."""
    sender = net.actors[out.actor].op
    crosses = any(net.resources[step.resource].link is not None for step in way)
    return Carried(
        0,
        sender,
        reader,
        into_network=sender if crosses and out.cast is None else None,  # a packet that branches is sent once
        from_network=reader if crosses or out.cast is not None else None,
    )


def _grow(net: Netlist, number: int, out: Output, carried: Carried) -> None:
    """Note what a growing way brings: more, the more a cache holds."""
    row, bits_at = net.growing[number], net.bits_at[out.stream]

    def at(count: int) -> tuple[Step, ...]:
        *others, last = row.at(count)
        return (*others, last._replace(tally=carried._replace(bits=bits_at(count))))

    net.growing[number] = row._replace(key=(row.key, carried.reader), at=at)
    net.replace_path(row.path, at(row.last), net.path_owners[row.path])


def _note_trees(net: Netlist) -> None:
    """Note what packets that branch bring into the network."""
    outputs: dict[int, list[Output]] = {}
    for out in net.outputs:
        outputs.setdefault(out.actor, []).append(out)
    for number, cast in enumerate(net.casts):
        sender = net.actors[cast.actor].op
        trees = []
        for tree in cast.trees:
            bits = net.streams[outputs[cast.actor][tree.leaves[0].output].stream].bits
            trees.append(tree._replace(tally=Carried(bits, into_network=sender)))
        net.casts[number] = cast._replace(trees=tuple(trees))
