"""What the copies of a plan that is given must keep together: arrays, rounds, attached ops, products."""

from __future__ import annotations

from collections.abc import Sequence

from pimsim.errors import MappingError
from pimsim.mapping.flow.stores import STORE
from pimsim.mapping.given.frame import Frame
from pimsim.mapping.given.seats import numbers, where_of
from pimsim.mapping.numbers import to_text
from pimsim.mapping.planning.planned import PlannedOp
from pimsim.mapping.planning.product import Product
from pimsim.mapping.planning.rounds import check_reload
from pimsim.mapping.planning.stationary import ARRAYS, BUFFER, MEMORY, SPREAD


def check_arrays(frame: Frame, written: dict[int, int]) -> None:
    """Refuse two weights in one array, and more arrays than a tile has with those that products are written into.

    Parameters
    ----------
    frame : Frame
        The ops.
    written : dict of int to int
        Arrays of each slice of a product whose right matrix is written into them.
    """
    taken: dict[tuple[int, int, int, int], str] = {}
    for row in frame.rows:
        for copy in row.copies:
            if isinstance(copy, str):
                continue
            for each in copy.cores:
                for array in numbers(each.arrays, where_of(row)):
                    key = row.round, each.tile, each.core, array
                    if key in taken:
                        raise MappingError(
                            f"found it in array {array} of core {each.core} of tile {each.tile}, where "
                            f"'{taken[key]}' is, too",
                            where=f"{where_of(row)}, copy '{copy.slots:.60}'",
                            mend="put one of them elsewhere",
                        )
                    taken[key] = copy.slots
    aside: dict[tuple[int, int], int] = {}
    for n, arrays in written.items():
        for tile in frame.rows[n].tiles:
            banks = -(-arrays // frame.package.kind(tile).bank_slots)
            aside[frame.rows[n].round, tile] = aside.get((frame.rows[n].round, tile), 0) + banks
    for (turn, tile), banks in aside.items():
        kind = frame.package.kind(tile)
        used = {(core, array // kind.bank_slots) for r, t, core, array in taken if (r, t) == (turn, tile)}
        free = kind.slots // kind.bank_slots - len(used)
        if banks > free:
            raise MappingError(
                f"products are to be written into {banks} banks of arrays, {free} are free",
                where=f"tile {tile}",
            )


def check_rounds(frame: Frame) -> None:
    """Refuse rounds that fall, or cut attention, or that the chip cannot write weights for."""
    rounds = [row.round for row in frame.rows]
    for n, row in enumerate(frame.rows):
        before = rounds[n - 1] if n else 0
        if row.round not in (before, before + 1):
            raise MappingError(
                f"found round {row.round} after round {before}, expected the same or the next",
                where=where_of(row),
            )
    for group in frame.groups:
        inside = range(min(group.members), max(group.members) + 1)
        if len({rounds[n] for n in inside}) > 1:
            raise MappingError(
                "found rounds that cut its attention by heads, expected one for all of it",
                where=where_of(frame.rows[group.members[0]]),
            )
    if rounds[-1]:
        check_reload(frame.package.config, [kind for kind in frame.kinds.values() if kind.slots])


def check_attached(frame: Frame, number: int, ops: Sequence[PlannedOp]) -> None:
    """Refuse an op that cannot take its input straight from the op before."""
    row, node = frame.rows[number], frame.nodes[number]
    if not row.attached:
        return
    reason = ""
    source = node.edges[0].source if node.edges else -1
    other = ops[source] if source >= 0 else None
    group = frame.group_of(number)
    if (
        other is None
        or not node.pointwise
        or node.on_arrays
        or frame.nodes[source].positions != node.positions
    ):
        reason = "it is not done one position after another, as the op before is"
    elif other.site != row.site or other.round != row.round:
        reason = "the op before is elsewhere"
    elif other.site is None or frame.nodes[source].type in ("Input", STORE) or other.whole:
        reason = f"'{other.node.name}' has no result in a register"
    elif (group is None) != (other.slices == 1) or (group is not None and source not in group.members):
        reason = "one of the two is cut by heads"
    if reason:
        raise MappingError(f"cannot be attached: {reason}", where=where_of(row))


def product_of(frame: Frame, number: int) -> Product | None:
    """Return what a product would take in arrays, where the chip's policy is not to do none so."""
    kind = frame.kind(number)
    if kind is None or kind.product_policy == "digital" or frame.rows[number].slices == 1:
        return None
    nodes = [each[number] for each in frame.programs]
    return kind.product(nodes, frame.rows[number].slices)


def check_product(frame: Frame, number: int, product: Product | None) -> None:
    """Refuse a right matrix where none can be, and inputs elsewhere that cannot be."""
    row, node = frame.rows[number], frame.nodes[number]
    right = node.right
    if row.right_in is not None:
        expected = [BUFFER, SPREAD]
        if row.slices > 1 and frame.package.config.memory is not None:
            expected.append(MEMORY)
        if product is not None:
            expected.append(ARRAYS)
        if right is None or row.right_in not in expected:
            told = "none: it has no right matrix" if right is None else f"one of: {', '.join(expected)}"
            raise MappingError(f"found right_in '{row.right_in:.40}', expected {told}", where=where_of(row))
    kind = frame.kind(number)
    if right is not None and row.right_in is None and kind is not None and not kind.whole:
        raise MappingError("has a right matrix, expected right_in to say where that is", where=where_of(row))
    apart = {each.input for each in row.elsewhere}
    held = next((n for n, edge in enumerate(node.edges) if edge.held), None)
    if (held in apart) != (row.right_in == SPREAD) and right is not None:
        raise MappingError(
            f"found right_in '{row.right_in}', expected '{SPREAD}' and its tiles in 'elsewhere', or neither",
            where=where_of(row),
        )
    if row.rows_at_once > 1 and row.right_in != SPREAD:
        raise MappingError(
            "found rows_at_once, expected it only with a right matrix elsewhere", where=where_of(row)
        )


def check_elsewhere(frame: Frame, number: int) -> None:
    """Refuse inputs elsewhere of ops that cannot fetch them, and tiles that are none."""
    row, node = frame.rows[number], frame.nodes[number]
    able = frame.tilings[number] is None and row.site is not None and not row.attached
    able = able and (row.slices > 1 or node.right is not None)
    seats = set(frame.package.seats_of(row.site)) if row.site is not None else set()
    slices = {each: set[int]() for each in range(len(node.edges))}
    for each in row.elsewhere:
        if not able or each.input >= len(node.edges) or each.slice >= row.slices:
            raise MappingError(
                f"found input {each.input} of slice {each.slice} elsewhere, which only an input of a product, or of an "
                "op that is cut by heads with one, can be",
                where=where_of(row),
            )
        if each.slice in slices[each.input] or len(set(each.tiles)) < len(each.tiles):
            raise MappingError(f"found input {each.input} elsewhere twice", where=where_of(row))
        slices[each.input].add(each.slice)
        strange = [tile for tile in each.tiles if tile not in seats]
        if strange:
            raise MappingError(
                f"found input {each.input} at tiles {to_text(strange)}, expected tiles of '{row.site}'",
                where=where_of(row),
            )
    for edge, found in slices.items():
        if found and len(found) < row.slices:
            raise MappingError(
                f"found input {edge} elsewhere for {len(found)} of {row.slices} slices, expected all",
                where=where_of(row),
            )
