"""From a row of a plan that is given to the copies of its op: which sites and arrays, and which positions each does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pimsim.errors import MappingError
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.given.frame import Frame
from pimsim.mapping.numbers import from_text
from pimsim.mapping.planning.dealing import Deal, Parts
from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.package import HOST_TILE
from pimsim.mapping.planning.planned import Chunk, Replica
from pimsim.mapping.planning.shared import most_within
from pimsim.mapping.planning.stripes import stripes
from pimsim.mapping.planning.tiling import Tiling
from pimsim.mapping.saved import CopyRow, OpRow

Sets = Mapping[str, Replica]


def where_of(row: OpRow) -> str:
    """Return the place of a row, for messages."""
    return f"op '{row.op}' ({row.type})"


def numbers(text: str, where: str) -> list[int]:
    """Return the numbers of a text, or refuse it."""
    try:
        return from_text(text)
    except ValueError as error:
        raise MappingError(str(error), where=where) from None


def seats(
    frame: Frame, number: int, sets: dict[str, Replica], before: Sequence[list[Replica]]
) -> list[Replica]:
    """Return the copies of an op.

    Parameters
    ----------
    frame, number
        Which op.
    sets : dict of str to Replica
        Sets of slots that ops of its round have named before; its own are added.
    before : sequence of list of Replica
        The copies of the ops before it.

    Raises
    ------
    MappingError
        If they are not where such an op can be, or too many or too few.
    """
    row, node, tiling = frame.rows[number], frame.nodes[number], frame.tilings[number]
    where = where_of(row)
    given = len(row.copies) + len(row.tiles)
    _check_slices(frame, number)
    if row.site is None or row.attached:
        if given:
            who = "the host" if row.site is None else "the op before, to which it is attached"
            raise MappingError(f"found copies, expected none: it is done by {who}", where=where)
        if row.site is None:
            return [Replica(HOST_TILE)]
        return [Replica(each.home) for each in before[node.edges[0].source]]
    if tiling is None and row.copies:
        raise MappingError("found copies, expected tiles: it has no weight in arrays", where=where)
    if tiling is not None and row.tiles:
        raise MappingError("found tiles, expected copies: its weight is in arrays", where=where)
    if not given:
        raise MappingError(
            "has no copies, so nothing that is sent to it reaches anybody",
            where=where,
            mend="give it one or more",
        )
    _check_count(frame, number, given)
    allowed = set(frame.package.seats_of(row.site))
    if tiling is None:
        for tile in row.tiles:
            _check_tile(tile, allowed, row, frame)
        return [Replica(tile) for tile in row.tiles]
    found = []
    for each in row.copies:
        if isinstance(each, str):
            if each not in sets:
                raise MappingError(
                    f"found the slots '{each:.60}', which no op of its round with the same weight has before it",
                    where=where,
                )
            found.append(sets[each])
        else:
            found.append(_on_slots(each, tiling, frame.kinds[row.site], allowed, row, frame))
            if each.slots in sets:
                raise MappingError(f"found the slots '{each.slots:.60}' a second time", where=where)
            sets[each.slots] = found[-1]
    if len({each.slots for each in found}) < len(found):
        raise MappingError("found the same slots twice, expected each copy to have its own", where=where)
    return found


def _check_slices(frame: Frame, number: int) -> None:
    """See that an op is cut by heads as the others of its attention are, or not at all."""
    row, group = frame.rows[number], frame.group_of(number)
    if group is None:
        if row.slices > 1:
            raise MappingError(f"found {row.slices} slices, but it has no heads to cut", where=where_of(row))
        return
    sizes = {frame.rows[n].slices for n in group.members}
    if len(sizes) > 1 or group.slices % row.slices:
        raise MappingError(
            f"found {row.slices} slices of heads, expected the same divisor of {group.slices} in all its attention",
            where=where_of(row),
        )


def _check_count(frame: Frame, number: int, given: int) -> None:
    """See that there are as many copies as an op can have."""
    row, node, kind = frame.rows[number], frame.nodes[number], frame.kind(number)
    most, why = node.positions, f"it has {node.positions} positions"
    if row.slices > 1:
        if given != row.slices:
            raise MappingError(
                f"found {given} tiles for {row.slices} slices of heads, expected one each",
                where=where_of(row),
            )
        return
    if kind is not None and kind.whole:
        most, why = 1, "it is done as a whole"
    elif frame.tilings[number] is None and node.tokens != node.positions:
        most, why = 1, "it works over all positions together"
    if given > most:
        raise MappingError(f"found {given} copies, expected up to {most}: {why}", where=where_of(row))


def _check_tile(tile: int, allowed: set[int], row: OpRow, frame: Frame) -> None:
    if tile not in allowed:
        total, there = frame.package.tiles, tile < frame.package.tiles
        owner = frame.package.site(tile).name if there else ""
        reason = f"there are {total} tiles" if not there else f"it is one of '{owner}'"
        if there and owner == row.site:
            reason = "it is kept as a spare"
        raise MappingError(f"found tile {tile}, expected one of '{row.site}': {reason}", where=where_of(row))


def _on_slots(
    copy: CopyRow, tiling: Tiling, kind: Kind, allowed: set[int], row: OpRow, frame: Frame
) -> Replica:
    """Return a copy of a weight: each block once, each in a slot of its own."""
    where = f"{where_of(row)}, copy '{copy.slots:.60}'"
    chunks: dict[tuple[int, int, int], list[int]] = {}
    together = kind.bank_slots if kind.bank_slots > 1 else kind.core_slots
    cores = kind.slots // kind.core_slots
    for each in copy.cores:
        _check_tile(each.tile, allowed, row, frame)
        arrays, blocks = numbers(each.arrays, where), numbers(each.blocks, where)
        if each.core >= cores or any(array >= kind.core_slots for array in arrays):
            raise MappingError(
                f"found arrays {each.arrays} of core {each.core} of tile {each.tile}, "
                f"expected cores below {cores} and arrays below {kind.core_slots}",
                where=where,
            )
        if len(arrays) != len(blocks):
            raise MappingError(
                f"found {len(arrays)} arrays for {len(blocks)} blocks in core {each.core} of tile {each.tile}, "
                "expected one each",
                where=where,
            )
        for array, block in zip(arrays, blocks, strict=True):
            chunks.setdefault((each.tile, each.core, array // together), []).append(block)
    held = sorted(block for blocks in chunks.values() for block in blocks)
    if held != list(range(tiling.arrays)):
        missing = sorted(set(range(tiling.arrays)) - set(held))
        strange = sorted(set(held) - set(range(tiling.arrays)))
        said = (
            f"block {missing[0]} in no array, so its part of the sums reaches nobody"
            if missing
            else f"block {strange[0]}"
            if strange
            else "a block twice"
        )
        raise MappingError(f"found {said}, expected blocks 0 to {tiling.arrays - 1} once each", where=where)
    if copy.home not in {tile for tile, _, _ in chunks}:
        raise MappingError(f"found home {copy.home}, expected one of the tiles of its arrays", where=where)
    by_column = tiling.by_column
    made = [Chunk(*key, tuple(by_column[n] for n in blocks)) for key, blocks in chunks.items()]
    return Replica(copy.home, made, copy.slots)


def parts_of(frame: Frame, number: int, copies: int) -> list[Parts]:
    """Return the positions of each copy of an op, in each data flow; none where they are dealt out in turn."""
    row = frame.rows[number]
    if row.positions is None:
        return [() for _ in frame.programs]
    if row.slices > 1 or row.attached or row.site is None:
        raise MappingError("found positions, expected none: they follow from elsewhere", where=where_of(row))
    if row.positions == "stripes":
        return [stripes(nodes[number], copies) for nodes in frame.programs]
    if len(frame.programs) > 1:
        raise MappingError(
            "found lists of positions, expected none where tokens are generated", where=where_of(row)
        )
    return [_listed(frame.nodes[number], row, copies)]


def _listed(node: Node, row: OpRow, copies: int) -> Parts:
    """Return positions that are listed, each of which one copy does."""
    assert isinstance(row.positions, list)
    if len(row.positions) != copies:
        raise MappingError(
            f"found {len(row.positions)} lists of positions for {copies} copies", where=where_of(row)
        )
    parts = tuple(np.array(numbers(text, where_of(row)), dtype=np.int64) for text in row.positions)
    together = np.concatenate(parts)
    counts = np.bincount(together, minlength=node.positions)
    wrong = int(np.flatnonzero(counts != 1)[0]) if (counts != 1).any() else -1
    if len(counts) > node.positions:
        raise MappingError(
            f"found position {len(counts) - 1}, expected positions below {node.positions}",
            where=where_of(row),
        )
    if wrong >= 0:
        how = "no copy does" if counts[wrong] == 0 else f"{counts[wrong]} copies do"
        raise MappingError(f"found position {wrong}, which {how}, expected one", where=where_of(row))
    if any(len(part) == 0 or (np.diff(part) <= 0).any() for part in parts):
        raise MappingError("found positions of a copy out of order, or none", where=where_of(row))
    return parts


def deal_of(frame: Frame, number: int, parts: Parts) -> Deal | None:
    """Return how an op is dealt out so that its inputs fit several tiles; None where it is not."""
    row, node = frame.rows[number], frame.nodes[number]
    if not row.dealt:
        return None
    if not parts or frame.tilings[number] is not None or node.right is not None:
        raise MappingError(
            "found 'dealt', expected it only with lists of positions, of an op on digital units",
            where=where_of(row),
        )
    least, places = frame.least[0][number], []
    for edge, few in zip(node.edges, least, strict=True):
        tokens = frame.nodes[edge.source].tokens
        places.append(max(max(1, most_within(edge.wanted(part, tokens, dealt=True), few)) for part in parts))
    return Deal(parts, tuple(places))
