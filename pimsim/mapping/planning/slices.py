"""Slices of attention heads: each on one tile, with all that it holds, or near the tiles that hold the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pimsim.mapping.flow.heads import Group
from pimsim.mapping.planning.copies import Copies
from pimsim.mapping.planning.placement import Floor, NoRoom
from pimsim.mapping.planning.planned import Replica
from pimsim.mapping.planning.stationary import ARRAYS, MEMORY


def place_group(
    floor: Floor,
    group: Group,
    site: str,
    anchors: Sequence[int],
    copies: Copies,
    right_in: str,
    caches: int,
    written: Mapping[int, int],
) -> None:
    """Put each slice of heads of a group on the nearest tile with room for all that it holds, or raise `NoRoom`.

    Parameters
    ----------
    floor : Floor
        Where.
    group, site, copies
        What to place, and at the sites of which name.
    anchors : sequence of int
        Tiles where its inputs come from.
    right_in : str
        `BUFFER`, `SPREAD` or `MEMORY`: where the right matrices of its products are, with the caches before them.
    caches : int
        How many sequences have a cache at once.
    written : mapping of int to int
        Those of its products whose right matrices are written into arrays instead, and how many a slice needs.
    """
    slices = copies.slices[group.members[0]]
    before = (
        list(floor.room),
        {unit: load.copy() for unit, load in floor.load.items()},
        list(floor.off_chip),
        list(floor.set_aside),
    )
    demand: dict[tuple[str, str], list[float]] = {}
    for n in group.members:
        for unit, share in copies.demand[n].items():
            demand.setdefault((site, unit), []).append(0.0 if n in written else share)
    homes: list[int] = []
    for part in range(slices):
        near = floor.around(anchors[part * len(anchors) // slices], site)
        busy = np.max([floor.load[key] + max(shares) for key, shares in demand.items()], axis=0)[near]
        # As with other units: the nearest that is not overloaded, or else the one with least to do.
        idle = (busy <= 1.0) & ~np.isin(near, [floor.rank[tile] for tile in homes])
        rest = near[~idle][np.argsort(busy[~idle], kind="stable")]
        for rank in (*near[idle], *rest):
            tile = floor.order[rank]
            if _reserve_slice(floor, group, part, tile, slices, copies.attached, right_in, caches, written):
                homes.append(tile)
                for key, shares in demand.items():
                    floor.load[key][rank] += sum(shares)
                break
        else:
            floor.room, floor.load, floor.off_chip, floor.set_aside = before
            raise NoRoom("buffer, or arrays to write products into" if written else "buffer")
    for n in group.members:
        floor.grouped[n] = [Replica(tile) for tile in homes], ARRAYS if n in written else right_in


def _reserve_slice(
    floor: Floor,
    group: Group,
    part: int,
    tile: int,
    slices: int,
    attached: set[int],
    right_in: str,
    caches: int,
    written: Mapping[int, int],
) -> bool:
    """Make room for one slice of heads; False, and nothing changed, if there is not enough.

    A cache holds what the passes before have put into it: where one program reads it, another that only fills it
    needs no room of its own for that.
    """
    lines = [
        (program, n, number, edge)
        for program, nodes in enumerate(floor.programs)
        for n in group.members
        if n not in attached
        for number, edge in enumerate(nodes[n].edges)
        if (n, number) not in floor.outside
    ]
    apart = [(n, number) for n, number in floor.outside if n in group.members and n not in attached]
    shared = len(floor.programs) > 1
    used, granted, in_memory = sum(floor.blocks.get(n, (1, 0))[1] for n in group.members), {}, 0
    for program, n, number, edge in lines:
        size = floor.reads.bytes_per_token(edge, 1 / slices)
        places = granted[program, n, number] = floor.least[program][n][number]
        in_arrays = edge.held > 0 and n in written  # only what is to be written waits in the buffer
        if edge.held and shared and not edge.cached and not in_arrays:
            continue
        cache = math.ceil(edge.cached / slices * edge.bits / 8)
        here = places * size + (caches * cache if edge.held and not in_arrays else 0)
        if edge.held and not in_arrays and right_in == MEMORY:
            in_memory += here
        else:
            used += here
    chip, rank = tile // floor.config.tiles, floor.rank[tile]
    kind = floor.package.kind(tile)
    in_bank = kind.bank_slots
    banks = sum(-(-arrays // in_bank) for n, arrays in written.items() if n in group.members)
    free = (kind.slots - floor.set_aside[rank]) // in_bank - -(-floor.filled[rank] // in_bank)
    if used > floor.room[tile] or in_memory > floor.off_chip[chip] or banks > free:
        return False
    floor.room[tile] -= used
    for n, number in apart:
        if not floor.lay_out(n, number, part, tile, 1 / slices, caches):
            raise NoRoom("buffer")
    floor.room[tile] += used
    floor.set_aside[rank] += banks * in_bank
    floor.off_chip[chip] -= in_memory
    for program, n, number, edge in lines:  # what keeps things going, as far as there is room
        more = max(0, floor.wanted[program][n][number] - granted[program, n, number])
        size = 0 if edge.held else floor.reads.bytes_per_token(edge, 1 / slices)
        if used + more * size <= floor.room[tile]:
            granted[program, n, number] += more
            used += more * size
    floor.room[tile] -= used
    for (program, n, number), places in granted.items():
        floor.granted[program][n, number, tile] = places
        floor.needed[program][n, number, tile] = floor.least[program][n][number]
    return True
