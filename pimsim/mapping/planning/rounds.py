"""Rounds: what does not fit the arrays at once is done part by part, each part's weights written before it begins.

The ops are cut in their order into rounds whose weights fit. Attention by heads stays in one piece, since its slices
keep keys and values in their tiles.
"""

from __future__ import annotations

from collections.abc import Sequence

from pimsim.chip import ChipConfig
from pimsim.errors import MappingError
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import Group
from pimsim.mapping.planning.tiling import Tiling


def check_reload(config: ChipConfig) -> None:
    """Refuse to reload weights on a chip that has nowhere to keep them or no time to write them in.

    Raises
    ------
    MappingError
        If the chip has no memory, or its arrays no write time.
    """
    lacking = []
    if config.memory is None:
        lacking.append(("memory", "no off-chip memory to reload weights from", "add a 'memory:' part"))
    if config.core.array.write_ns is None:
        lacking.append(("core.array.write_ns", "no time to write a row of an array in", "give it in ns"))
    for where, what, mend in lacking:
        raise MappingError(f"{config.name} has {what}", where=where, mend=f"{mend}, or leave --reload out")


def rounds_of(
    nodes: Sequence[Node], tilings: Sequence[Tiling | None], groups: Sequence[Group], arrays: int
) -> list[int] | None:
    """Return the round of each op: as few rounds as an order of them needs, each with weights for so many arrays.

    Returns
    -------
    list of int or None
        From 0 on, never falling; None if some part that cannot be cut needs more arrays than there are.
    """
    rounds: list[int] = []
    current, left = 0, arrays
    for piece in pieces(nodes, groups):
        need = sum(tiling.arrays for tiling in (tilings[n] for n in piece) if tiling)
        if need > arrays:
            return None
        if need > left:
            current, left = current + 1, arrays
        left -= need
        rounds += [current] * len(piece)
    return rounds


def largest(nodes: Sequence[Node], tilings: Sequence[Tiling | None], groups: Sequence[Group]) -> int:
    """Return the arrays of the largest part that cannot be cut."""
    return max(
        sum(tiling.arrays for tiling in (tilings[n] for n in piece) if tiling)
        for piece in pieces(nodes, groups)
    )


def pieces(nodes: Sequence[Node], groups: Sequence[Group]) -> list[range]:
    """Return the ops in stretches that cannot be cut: one op, or all from the first to the last of a group."""
    upto = list(range(len(nodes)))  # the last op that must be in the same round
    for group in groups:
        upto[min(group.members)] = max(group.members)
    found, begin, end = [], 0, 0
    for n in range(len(nodes)):
        end = max(end, upto[n])
        if n == end:
            found.append(range(begin, n + 1))
            begin = end = n + 1
    return found
